// Package torture does to the real command what the world does: it kills it at
// random moments, fills the disk under it, and takes the volume away. It is run by
// make torture, as root, in namespaces of its own.
package torture
