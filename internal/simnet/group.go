package simnet

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"shoal/internal/net/netio"
)

// All hosts of a Net are on one link: a datagram to a group reaches every member with an address of
// its family, unless the path is cut.

// JoinGroup receives datagrams to a group.
func (h *Host) JoinGroup(group netip.AddrPort) (netio.GroupConn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if !group.Addr().IsMulticast() {
		return nil, netio.ErrAddress
	}
	own, err := h.source(group.Addr())
	if err != nil {
		return nil, netio.ErrNoLink
	}
	c := &groupConn{
		packetConn: packetConn{host: h, local: group, changed: sync.Cond{L: &h.net.mu}},
		own:        netip.AddrPortFrom(own, group.Port()),
	}
	h.net.groups[group] = append(h.net.groups[group], c)
	return c, nil
}

// groupConn is a socket in a group.
type groupConn struct {
	packetConn
	own netip.AddrPort
}

// Send sends to every member of the group, including this one.
func (c *groupConn) Send(b []byte) error {
	n := c.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.closed {
		return c.opError("write", net.ErrClosed)
	}
	for _, o := range n.groups[c.local] {
		p := n.path(c.host, o.host)
		if p.down || p.Loss > 0 && n.rng.Float64() < p.Loss {
			continue
		}
		o.put(p.send(time.Now(), len(b)), c.own, b)
	}
	return nil
}

// Links returns the network of the link: a /24 or /64 around the host's address.
func (c *groupConn) Links() []netip.Prefix {
	bits := 24
	if c.own.Addr().Is6() {
		bits = 64
	}
	p, _ := c.own.Addr().Prefix(bits)
	return []netip.Prefix{p}
}

func (c *groupConn) Close() error {
	n := c.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	n.groups[c.local] = slices.DeleteFunc(n.groups[c.local], func(o *groupConn) bool { return o == c })
	if !c.closed {
		c.shut()
	}
	return nil
}
