//go:build !linux

package peerconn

import "net"

// newReadv returns nil: this system has no vectored read that does not allocate.
func newReadv(net.Conn) readv { return nil }
