// Package interop tests the shoal command against other people's clients, each
// the real program: transmission-daemon, aria2c, and libtorrent through its
// Python binding. They run on loopback addresses of a network namespace in
// which nothing else exists. The tests carry the build tag interop and are run
// by make interop; see alone for what they need of the machine.
//
// The clients are driven from outside, as a person would: torrents and folders
// on the command line, control by their own remote interfaces, content compared
// by hash. How each is started is in a file of its own; ltclient.py is a
// small client around the library.
package interop
