// Package interop tests the shoal command against other clients, each the real program:
// transmission-daemon, aria2c, and libtorrent through its Python binding. They run on loopback
// addresses of a network namespace that contains nothing else. The tests have the build tag
// interop, and `make interop` runs them; the script alone says what they need from the machine.
//
// The tests drive the clients from outside, as a person would: torrents and folders on the command
// line, control through their own remote interfaces, content compared by hash. Each client has a
// file of its own that starts it; ltclient.py is a small client around the library.
//
// `make pace` compares what shoal and libtorrent cost (TestPace), and writes a section of
// docs/performance.md. There ltpace.py drives the library: its interpreter waits and costs nothing.
package interop
