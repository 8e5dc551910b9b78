package netio

import (
	"fmt"
	"net"
	"net/netip"
)

// bothTries bounds how often ListenBoth looks for a port that is free in both
// protocols. Ports that systems pick are mostly free in the other one too.
const bothTries = 16

// ListenBoth listens for streams and datagrams on the same address and port: peers
// announce one port for both (BEP 5, 29). Port 0 picks one that is free in both.
func ListenBoth(n Network, addr netip.AddrPort) (net.Listener, PacketConn, error) {
	tries := 1
	if addr.Port() == 0 {
		tries = bothTries
	}
	var failed error
	for range tries {
		l, err := n.Listen(addr)
		if err != nil {
			return nil, nil, fmt.Errorf("listen on tcp %v: %w", addr, err)
		}
		same := netip.AddrPortFrom(addr.Addr(), AddrPort(l.Addr()).Port())
		p, err := n.ListenPacket(same)
		if err == nil {
			return l, p, nil
		}
		l.Close()
		failed = fmt.Errorf("listen on udp %v: %w", same, err)
	}
	return nil, nil, failed
}

// AddrPort gives the address of one end of a connection or listener in the form
// used everywhere else, IPv4 in four bytes. It is invalid for an address that has
// no port, which no Network gives out.
func AddrPort(a net.Addr) netip.AddrPort {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		return unmap(a.AddrPort())
	}
	return netip.AddrPort{}
}
