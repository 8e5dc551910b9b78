package simnet

import (
	"net"
	"net/netip"
	"os"
	"sort"
	"sync"
	"syscall"
	"time"

	"shoal/internal/net/netio"
)

const (
	// maxQueued bounds the datagrams that a socket holds, in flight and unread; more are lost, as
	// when a receive buffer is full.
	maxQueued = 1024

	maxDatagram = 65507 // what UDP over IPv4 can carry, in bytes

	// maxBacklog bounds how long a datagram waits for a slow link; it is lost when
	// the wait would be longer, as in a router with a short queue.
	maxBacklog = time.Second
)

// packetConn is a datagram socket.
type packetConn struct {
	host    *Host
	local   netip.AddrPort
	changed sync.Cond
	queue   []datagram // by time of arrival
	closed  bool
}

type datagram struct {
	at   time.Time
	from netip.AddrPort
	data []byte
}

func (c *packetConn) ReadFrom(b []byte) (int, netip.AddrPort, error) {
	n := c.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for !c.closed {
		var next time.Time
		if len(c.queue) > 0 {
			d := c.queue[0]
			if !time.Now().Before(d.at) {
				c.queue = c.queue[1:]
				return copy(b, d.data), d.from, nil
			}
			next = d.at
		}
		n.await(&c.changed, next)
	}
	return 0, netip.AddrPort{}, c.opError("read", net.ErrClosed)
}

func (c *packetConn) WriteTo(b []byte, to netip.AddrPort) error {
	n := c.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if c.closed {
		return c.opError("write", net.ErrClosed)
	}
	if err := netio.CheckDestination("send", to); err != nil {
		return err
	}
	if to.Addr().Is4() != c.local.Addr().Is4() {
		return c.opError("write", os.NewSyscallError("sendto", syscall.EAFNOSUPPORT))
	}
	if len(b) > maxDatagram {
		return c.opError("write", os.NewSyscallError("sendto", syscall.EMSGSIZE))
	}
	from := c.local
	if from.Addr().IsUnspecified() {
		a, err := c.host.source(to.Addr())
		if err != nil {
			return c.opError("write", err)
		}
		from = netip.AddrPortFrom(a, from.Port())
	}
	if target := n.find(c.host, to.Addr()); target != nil {
		n.carry(n.path(c.host, target), target, from, to, b)
	}
	return nil
}

// carry carries a datagram over a path to its socket, or loses it.
func (n *Net) carry(p *path, target *Host, from, to netip.AddrPort, b []byte) {
	now := time.Now()
	if p.down || p.Loss > 0 && n.rng.Float64() < p.Loss || p.busy.Sub(now) > maxBacklog {
		return
	}
	at := p.send(now, len(b))
	if p.Jitter > 0 {
		at = at.Add(time.Duration(n.rng.Int64N(int64(p.Jitter))))
	}
	s := target.sockets[to]
	if s == nil {
		s = target.sockets[netip.AddrPortFrom(all(to.Addr()), to.Port())]
	}
	if s != nil {
		s.put(at, from, b)
	}
}

// put queues a datagram that arrives at the given time, unless the queue is full.
func (s *packetConn) put(at time.Time, from netip.AddrPort, b []byte) {
	if len(s.queue) >= maxQueued {
		return
	}
	i := sort.Search(len(s.queue), func(i int) bool { return s.queue[i].at.After(at) })
	s.queue = append(s.queue, datagram{})
	copy(s.queue[i+1:], s.queue[i:])
	s.queue[i] = datagram{at, from, append([]byte(nil), b...)}
	s.changed.Broadcast()
}

func (c *packetConn) LocalAddr() netip.AddrPort { return c.local }

func (c *packetConn) Close() error {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.shut()
	return nil
}

func (c *packetConn) shut() {
	c.closed = true
	c.queue = nil
	delete(c.host.sockets, c.local)
	c.changed.Broadcast()
}

func (c *packetConn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Addr: net.UDPAddrFromAddrPort(c.local), Err: err}
}
