//go:build !linux

package peerconn

import (
	"net"

	"shoal/internal/mailbox"
)

// newSocket returns nil: this system has no vectored read that does not allocate, and no low-water
// mark that wakes a reader when it is lowered.
func newSocket(net.Conn, *mailbox.Beats) source { return nil }
