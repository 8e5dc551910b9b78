// Package netio is the one door to the network: no other package opens a
// socket or looks a name up, so a policy set here holds for every byte that
// leaves. The rest of shoal sees the Network interface; the real one is made by
// New, an in-memory one by the simnet package.
// Decision 0003 says why.
package netio

import (
	"context"
	"net"
	"net/netip"
)

// Network dials, listens and resolves. Implementations are safe for concurrent
// use. All addresses are explicit: names are turned into addresses by Resolve,
// and only there.
type Network interface {
	// Dial opens a stream to addr. Cancelling ctx ends the attempt.
	Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
	// Listen accepts streams on addr; port 0 picks a free one.
	Listen(addr netip.AddrPort) (net.Listener, error)
	// ListenPacket opens a datagram socket on addr; port 0 picks a free one.
	ListenPacket(addr netip.AddrPort) (PacketConn, error)
	// Resolve gives the addresses of a host name. An address in text form
	// resolves to itself without a look-up.
	Resolve(ctx context.Context, host string) ([]netip.Addr, error)
}

// PacketConn is a datagram socket. ReadFrom and WriteTo may be called at the
// same time from different goroutines; Close makes a waiting ReadFrom return
// an error that is net.ErrClosed.
type PacketConn interface {
	// ReadFrom waits for a datagram and copies it to b. A datagram longer than
	// b is cut. IPv4 addresses are given in their four-byte form.
	ReadFrom(b []byte) (int, netip.AddrPort, error)
	// WriteTo sends one datagram; it never waits for long. It keeps no hold on b.
	WriteTo(b []byte, to netip.AddrPort) error
	// LocalAddr is the address bound, with its real port.
	LocalAddr() netip.AddrPort
	Close() error
}
