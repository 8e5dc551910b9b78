// Package netio is the one door to the network: no other package opens a socket or resolves a name,
// so a policy set here holds for every byte that leaves. The rest of shoal sees the Network
// interface. New returns the real one, package simnet one in memory. Decision 0003 has the reasons.
package netio

import (
	"context"
	"net"
	"net/netip"
)

// Network dials, listens and resolves. Implementations are safe for concurrent use. All addresses
// are explicit: only Resolve turns names into addresses.
type Network interface {
	// Dial opens a stream to addr. Cancelling ctx ends the attempt.
	Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
	// Listen accepts streams on addr; port 0 picks a free one.
	Listen(addr netip.AddrPort) (net.Listener, error)
	// ListenPacket opens a datagram socket on addr; port 0 picks a free one.
	ListenPacket(addr netip.AddrPort) (PacketConn, error)
	// Resolve returns the addresses of a host name. An address in text form resolves to itself
	// without a lookup.
	Resolve(ctx context.Context, host string) ([]netip.Addr, error)
}

// PacketConn is a datagram socket. ReadFrom and WriteTo may run at the same time in different
// goroutines; Close makes a waiting ReadFrom return an error that is net.ErrClosed.
type PacketConn interface {
	// ReadFrom waits for a datagram and copies it to b. It truncates a datagram longer than b. It
	// returns IPv4 addresses in their four-byte form.
	ReadFrom(b []byte) (int, netip.AddrPort, error)
	// WriteTo sends one datagram; it never blocks for long. It does not keep b.
	WriteTo(b []byte, to netip.AddrPort) error
	// LocalAddr is the address bound, with its real port.
	LocalAddr() netip.AddrPort
	Close() error
}
