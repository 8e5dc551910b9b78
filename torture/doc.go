// Package torture exposes the real command to real trouble: it kills the command at random moments,
// fills its disk, and removes its volume. `make torture` runs it as root, in namespaces of its own.
package torture
