// Package simnet is a network in memory for tests: hosts with addresses, streams
// that behave like TCP and datagrams that behave like UDP, over links with delay,
// rate and loss that can be cut and healed.
//
// It is built so that testing/synctest can fake its time: all waiting is on conditions, nothing
// runs between calls except timers, and it starts no goroutine. Outside a bubble it works in real
// time.
//
// One mutex guards all state of a Net. Orders that depend on the scheduler, such as which of two
// writers comes first, are not repeatable; outcomes are.
package simnet

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"shoal/internal/net/netio"
)

// A Link describes how bytes travel between two hosts, the same in both directions. The zero Link
// is instantaneous and lossless.
type Link struct {
	Delay  time.Duration // from one end to the other
	Jitter time.Duration // random extra delay of a datagram, up to this much: datagrams overtake each other
	Rate   int64         // in bytes per second in each direction; 0 is unlimited
	Loss   float64       // fraction of datagrams lost, 0 to 1; streams lose nothing
}

// Options configure a Net. The zero value means the defaults.
type Options struct {
	Link   Link   // link between hosts without SetLink
	Buffer int    // bytes that a stream holds in each direction, in flight and unread; default 256 KiB
	Seed   uint64 // seed of Loss and Jitter
}

const defaultBuffer = 256 << 10

// A Net is a network of hosts.
type Net struct {
	opts Options

	mu    sync.Mutex // guards everything below, and every host, listener and connection
	rng   *rand.Rand
	hosts map[netip.Addr]*Host
	names map[string][]netip.Addr
	paths map[[2]*Host]*path
	conns map[*conn]struct{} // streams open at this end

	groups map[netip.AddrPort][]*groupConn // sockets in a group, in the order in which they joined
}

// New returns a network without hosts.
func New(opts Options) *Net {
	if opts.Buffer <= 0 {
		opts.Buffer = defaultBuffer
	}
	return &Net{
		opts:  opts,
		rng:   rand.New(rand.NewPCG(opts.Seed, 0x5eed)),
		hosts: map[netip.Addr]*Host{},
		names: map[string][]netip.Addr{},
		paths: map[[2]*Host]*path{},
		conns: map[*conn]struct{}{},

		groups: map[netip.AddrPort][]*groupConn{},
	}
}

// Host returns the host with address addr, and more addresses if given; it creates the host if
// needed. Every host also answers on its own loopback addresses.
func (n *Net) Host(addr netip.Addr, more ...netip.Addr) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.host(addr)
	for _, a := range more {
		if a = a.Unmap(); n.hosts[a] == nil {
			n.hosts[a] = h
			h.addrs = append(h.addrs, a)
		}
	}
	return h
}

func (n *Net) host(addr netip.Addr) *Host {
	addr = addr.Unmap()
	h := n.hosts[addr]
	if h == nil {
		h = &Host{
			net:       n,
			addrs:     []netip.Addr{addr},
			nextPort:  firstPort,
			listeners: map[netip.AddrPort]*listener{},
			sockets:   map[netip.AddrPort]*packetConn{},
		}
		n.hosts[addr] = h
	}
	return h
}

// Name makes host names resolve to addrs.
func (n *Net) Name(name string, addrs ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[name] = addrs
}

// SetLink sets how bytes travel between the hosts of a and b from now on.
func (n *Net) SetLink(a, b netip.Addr, l Link) {
	n.between(a, b, func(p *path) { p.Link = l })
}

// Cut loses everything sent between the hosts of a and b, until Heal. Streams stall as they do when
// packets are lost: what they hold arrives after Heal.
func (n *Net) Cut(a, b netip.Addr) {
	n.between(a, b, func(p *path) { p.down = true })
}

// Heal ends a Cut.
func (n *Net) Heal(a, b netip.Addr) {
	n.between(a, b, func(p *path) { p.down = false })
}

// Reset breaks every stream between the hosts of a and b, at both ends at once.
func (n *Net) Reset(a, b netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.streams(a, b) {
		c.breakAt(time.Now())
	}
}

// between changes the paths between two hosts, in both directions, and wakes the streams on them.
func (n *Net) between(a, b netip.Addr, change func(*path)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	x, y := n.host(a), n.host(b)
	change(n.path(x, y))
	if x != y {
		change(n.path(y, x))
	}
	for c := range n.streams(a, b) {
		c.changed.Broadcast()
	}
}

// streams returns both ends of the streams between two hosts.
func (n *Net) streams(a, b netip.Addr) iter.Seq[*conn] {
	x, y := n.host(a), n.host(b)
	there, back := n.path(x, y), n.path(y, x)
	return func(yield func(*conn) bool) {
		for c := range n.conns {
			if (c.path == there || c.path == back) && !yield(c) {
				return
			}
		}
	}
}

// Close closes every host.
func (n *Net) Close() {
	n.mu.Lock()
	hosts := make(map[*Host]bool)
	for _, h := range n.hosts {
		hosts[h] = true
	}
	n.mu.Unlock()
	for h := range hosts {
		h.Close()
	}
}

// await waits for a change of c, or until the time at if that is set. The caller holds n.mu, and
// checks its condition again afterwards.
func (n *Net) await(c *sync.Cond, at time.Time) {
	if !at.IsZero() {
		t := time.AfterFunc(time.Until(at), func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			c.Broadcast()
		})
		defer t.Stop()
	}
	c.Wait()
}

// A path is one direction of a link.
type path struct {
	Link
	down bool
	busy time.Time // time at which everything sent so far has left
}

func (n *Net) path(from, to *Host) *path {
	p := n.paths[[2]*Host{from, to}]
	if p == nil {
		p = &path{}
		if from != to { // inside a host nothing takes time or gets lost
			p.Link = n.opts.Link
		}
		n.paths[[2]*Host{from, to}] = p
	}
	return p
}

// send occupies the path for size bytes and returns their time of arrival.
func (p *path) send(now time.Time, size int) time.Time {
	if p.Rate <= 0 {
		return now.Add(p.Delay)
	}
	if p.busy.Before(now) {
		p.busy = now
	}
	p.busy = p.busy.Add(time.Duration(float64(size) / float64(p.Rate) * float64(time.Second)))
	return p.busy.Add(p.Delay)
}

// arrived reports whether bytes with this time of arrival have arrived; never while the path is
// cut, and never for the zero time.
func (p *path) arrived(now, at time.Time) bool {
	return !at.IsZero() && !p.down && !now.Before(at)
}

// due returns when to look again for bytes that arrive at at; zero for never.
func (p *path) due(at time.Time) time.Time {
	if p.down {
		return time.Time{}
	}
	return at
}

// earliest returns the earliest of the times that are set.
func earliest(ts ...time.Time) time.Time {
	var first time.Time
	for _, t := range ts {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

var _ netio.Network = (*Host)(nil)

// Resolve returns the addresses set by Name; an address in text form and localhost need no Name.
func (h *Host) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("resolve %s: %w", host, err)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	if host == "localhost" {
		return []netip.Addr{loopback4, netip.IPv6Loopback()}, nil
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if addrs := h.net.names[host]; len(addrs) > 0 {
		return append([]netip.Addr(nil), addrs...), nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}
