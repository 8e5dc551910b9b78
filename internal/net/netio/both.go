package netio

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// portTries bounds how often ListenAll looks for a port that is free everywhere. Ports that the
// system picks are mostly free elsewhere, too.
const portTries = 16

// A Endpoint is an address where we accept streams, and datagrams if wanted.
type Endpoint struct {
	Streams net.Listener
	Packets PacketConn // nil when datagrams are not wanted here
}

// Addr is the address bound, with its real port.
func (d Endpoint) Addr() netip.AddrPort { return AddrPort(d.Streams.Addr()) }

// Close closes the sockets.
func (d Endpoint) Close() error {
	err := d.Streams.Close()
	if d.Packets != nil {
		err = errors.Join(err, d.Packets.Close())
	}
	return err
}

// ListenBoth listens for streams and datagrams on the same address and port: peers
// announce one port for both (BEP 5, 29). Port 0 picks one that is free in both.
func ListenBoth(n Network, addr netip.AddrPort) (net.Listener, PacketConn, error) {
	doors, err := ListenAll(n, []netip.AddrPort{addr}, func(int) bool { return true })
	if err != nil {
		return nil, nil, err
	}
	return doors[0].Streams, doors[0].Packets, nil
}

// ListenAll listens on several addresses: for streams on all of them, for datagrams where packets
// returns true. For port 0 it picks one that is free in both protocols, the same for all of these
// addresses, so that an engine has one port to announce.
func ListenAll(n Network, addrs []netip.AddrPort, packets func(i int) bool) ([]Endpoint, error) {
	picks := false
	for _, a := range addrs {
		picks = picks || a.Port() == 0
	}
	for try := 1; ; try++ {
		doors, err := listenAll(n, addrs, packets)
		if err == nil {
			return doors, nil
		}
		if !picks || try == portTries || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
	}
}

func listenAll(n Network, addrs []netip.AddrPort, packets func(i int) bool) (doors []Endpoint, err error) {
	defer func() {
		if err != nil {
			for _, d := range doors {
				d.Close()
			}
			doors = nil
		}
	}()
	var port uint16 // port picked so far
	for i, a := range addrs {
		pick := a.Port() == 0
		if pick {
			a = netip.AddrPortFrom(a.Addr(), port)
		}
		l, err := n.Listen(a)
		if err != nil {
			return doors, fmt.Errorf("listen on %v: tcp: %w", a, withoutAddress(err))
		}
		doors = append(doors, Endpoint{Streams: l})
		if a = doors[i].Addr(); pick {
			port = a.Port()
		}
		if !packets(i) {
			continue
		}
		if doors[i].Packets, err = n.ListenPacket(a); err != nil {
			return doors, fmt.Errorf("listen on %v: udp: %w", a, withoutAddress(err))
		}
	}
	return doors, nil
}

// withoutAddress removes what an error of the system says about the address, for callers that name it
// themselves.
func withoutAddress(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err
	}
	return err
}

// AddrPort returns the address of one end of a connection or listener in the form used everywhere
// else, IPv4 in four bytes. It is invalid for an address without a port, which no Network returns.
func AddrPort(a net.Addr) netip.AddrPort {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		return unmap(a.AddrPort())
	}
	return netip.AddrPort{}
}
