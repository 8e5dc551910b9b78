//go:build !linux

package peerconn

import "net"

// newReadv gives nil: there is no vectored read that does not allocate.
func newReadv(net.Conn) readv { return nil }
