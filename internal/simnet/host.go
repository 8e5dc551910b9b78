package simnet

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"shoal/internal/net/netio"
)

// Ports that the host picks itself, as systems do.
const (
	firstPort = 49152
	lastPort  = 65535
)

const (
	backlog    = 128               // connections that a listener holds for Accept
	synRetry   = time.Second       // time until an unanswered dial tries again
	synTimeout = 127 * time.Second // time until it gives up, as in Linux
)

var loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// A Host is one machine of a Net, seen as its network.
type Host struct {
	net       *Net
	addrs     []netip.Addr
	nextPort  uint16
	listeners map[netip.AddrPort]*listener
	sockets   map[netip.AddrPort]*packetConn
	closed    bool
}

// Addr returns the host's first address.
func (h *Host) Addr() netip.Addr { return h.addrs[0] }

// Close switches the host off: its streams break at both ends, everything that waits returns, and
// nothing new can be opened.
func (h *Host) Close() {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.closed = true
	for _, l := range h.listeners {
		l.shut()
	}
	for _, s := range h.sockets {
		s.shut()
	}
	for _, group := range h.net.groups {
		for _, c := range group {
			if c.host == h {
				c.shut()
			}
		}
	}
	for c := range h.net.conns {
		if c.host == h {
			c.linger = 0
			c.shut()
		}
	}
}

// Dial opens a stream. A host that does not exist or can't be reached never answers, so ctx should
// have an end; one that does not listen refuses.
func (h *Host) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if err := netio.CheckDestination("dial", to); err != nil {
		return nil, err
	}
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	from, err := h.source(to.Addr())
	if err != nil {
		return fail(err)
	}
	changed := sync.NewCond(&n.mu)
	stop := context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		changed.Broadcast()
	})
	defer stop()
	// pause waits for d; it returns false when the dial has ended.
	pause := func(d time.Duration) bool {
		for at := time.Now().Add(d); time.Now().Before(at); {
			if ctx.Err() != nil || h.closed {
				return false
			}
			n.await(changed, at)
		}
		return ctx.Err() == nil && !h.closed
	}

	target := n.find(h, to.Addr())
	for giveUp := time.Now().Add(synTimeout); time.Now().Before(giveUp); {
		wait := synRetry
		if target != nil && !target.closed && !n.path(h, target).down {
			if !pause(n.path(h, target).Delay) {
				break
			}
			l := target.listener(to)
			if l == nil {
				if !pause(n.path(target, h).Delay) {
					break
				}
				return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
			}
			if len(l.queue) < backlog {
				c, server := n.pair(h, target, from, to)
				l.queue = append(l.queue, server)
				l.changed.Broadcast()
				if !pause(n.path(target, h).Delay) {
					c.linger = 0
					c.shut()
					break
				}
				return c, nil
			}
		}
		if !pause(wait) {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return fail(ctx.Err())
	case h.closed:
		return fail(net.ErrClosed)
	}
	return fail(os.NewSyscallError("connect", syscall.ETIMEDOUT))
}

// Listen accepts streams on addr, which is an address of the host, a loopback address, or the
// unspecified address for all of its family.
func (h *Host) Listen(addr netip.AddrPort) (net.Listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	local, err := h.bind(addr, func(p netip.AddrPort) bool { return overlaps(h.listeners, p) })
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: net.TCPAddrFromAddrPort(addr), Err: err}
	}
	l := &listener{host: h, local: local, changed: sync.Cond{L: &h.net.mu}}
	h.listeners[local] = l
	return l, nil
}

// ListenPacket opens a datagram socket on addr, as Listen does for streams.
func (h *Host) ListenPacket(addr netip.AddrPort) (netio.PacketConn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	local, err := h.bind(addr, func(p netip.AddrPort) bool { return overlaps(h.sockets, p) })
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: net.UDPAddrFromAddrPort(addr), Err: err}
	}
	c := &packetConn{host: h, local: local, changed: sync.Cond{L: &h.net.mu}}
	h.sockets[local] = c
	return c, nil
}

// bind checks addr and returns it with a port.
func (h *Host) bind(addr netip.AddrPort, taken func(netip.AddrPort) bool) (netip.AddrPort, error) {
	a := addr.Addr().Unmap()
	switch {
	case h.closed:
		return addr, net.ErrClosed
	case !a.IsValid():
		return addr, netio.ErrAddress
	case !a.IsUnspecified() && h.net.find(h, a) != h:
		return addr, os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
	}
	if port := addr.Port(); port != 0 {
		addr = netip.AddrPortFrom(a, port)
		if taken(addr) {
			return addr, os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
		return addr, nil
	}
	for range lastPort - firstPort + 1 {
		if addr = netip.AddrPortFrom(a, h.port()); !taken(addr) {
			return addr, nil
		}
	}
	return addr, os.NewSyscallError("bind", syscall.EADDRINUSE)
}

// port returns the next of the host's own ports, starting over after the last.
func (h *Host) port() uint16 {
	p := h.nextPort
	if h.nextPort++; h.nextPort == 0 {
		h.nextPort = firstPort
	}
	return p
}

// source returns the address from which the host sends to a.
func (h *Host) source(a netip.Addr) (netip.Addr, error) {
	if h.closed {
		return netip.Addr{}, net.ErrClosed
	}
	for _, own := range h.addrs {
		if own.Is4() == a.Is4() && own.IsLoopback() == a.IsLoopback() {
			return own, nil
		}
	}
	if a.IsLoopback() {
		if a.Is4() {
			return loopback4, nil
		}
		return netip.IPv6Loopback(), nil
	}
	return netip.Addr{}, os.NewSyscallError("connect", syscall.ENETUNREACH)
}

// find returns the host with address a, as seen from h; nil when there is none.
func (n *Net) find(h *Host, a netip.Addr) *Host {
	if other := n.hosts[a]; other != nil {
		return other
	}
	if a.IsLoopback() {
		return h
	}
	return nil
}

// listener returns the listener that accepts streams to addr.
func (h *Host) listener(addr netip.AddrPort) *listener {
	if l := h.listeners[addr]; l != nil {
		return l
	}
	return h.listeners[netip.AddrPortFrom(all(addr.Addr()), addr.Port())]
}

// all returns the unspecified address of the family of a.
func all(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// overlaps reports whether binding addr would collide with a bound address.
func overlaps[T any](bound map[netip.AddrPort]T, addr netip.AddrPort) bool {
	for b := range bound {
		if b.Port() == addr.Port() && b.Addr().Is4() == addr.Addr().Is4() &&
			(b.Addr() == addr.Addr() || b.Addr().IsUnspecified() || addr.Addr().IsUnspecified()) {
			return true
		}
	}
	return false
}

// A listener holds the streams that wait for Accept.
type listener struct {
	host    *Host
	local   netip.AddrPort
	changed sync.Cond
	queue   []*conn
	closed  bool
}

func (l *listener) Accept() (net.Conn, error) {
	l.host.net.mu.Lock()
	defer l.host.net.mu.Unlock()
	for !l.closed {
		if len(l.queue) > 0 {
			c := l.queue[0]
			l.queue = l.queue[1:]
			return c, nil
		}
		l.host.net.await(&l.changed, time.Time{})
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.local) }

// Close stops accepting; streams not yet accepted are reset.
func (l *listener) Close() error {
	l.host.net.mu.Lock()
	defer l.host.net.mu.Unlock()
	if l.closed {
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
	l.shut()
	return nil
}

func (l *listener) shut() {
	l.closed = true
	delete(l.host.listeners, l.local)
	for _, c := range l.queue {
		c.linger = 0
		c.shut()
	}
	l.queue = nil
	l.changed.Broadcast()
}
