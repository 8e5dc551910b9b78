// Package uplink watches the connections that an engine sends on, and sets the limit that
// internal/decide/uplink decides. It is the shell of that machine.
//
// A Watch costs nothing while nothing is sent: it has no goroutine, and waits for beats only while
// connections send or a limit holds. Connections to this machine are not watched, and like those to a
// machine nearby they neither count nor obey the limit.
package uplink

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"shoal/internal/decide/uplink"
	"shoal/internal/mailbox"
	"shoal/internal/net/netio"
	"shoal/internal/value/mono"
)

const (
	// nearby is the round-trip time below which a machine is on the local network: a line to the
	// internet takes longer.
	nearby = 3 * time.Millisecond
	// restAfter is how long after its last block a connection is no longer sampled.
	restAfter = 3 * time.Second
)

// Watch samples connections and sets the limit.
type Watch struct {
	beats *mailbox.Beats
	set   func(rate int64)

	blind atomic.Bool // the system tells nothing of a connection
	on    atomic.Bool // set under mu; read without it on each write

	mu      sync.Mutex
	machine uplink.Machine
	links   map[*Link]struct{} // those that have sent lately
	last    uint64             // id that was given out
	samples []uplink.Sample
	closed  bool
	armed   bool
	alarm   mailbox.Waiter
	status  uplink.Status
}

// New returns a watch that is off, and looks at every other of these beats when it is on. set is called with each new limit in bytes a second, 0 for
// none; it must not call the watch.
func New(beats *mailbox.Beats, set func(rate int64)) *Watch {
	w := &Watch{beats: beats, set: set, links: make(map[*Link]struct{})}
	w.alarm = mailbox.NewWaiter(w.tick)
	return w
}

// Turn turns the watch on or off. Off, there is no limit.
func (w *Watch) Turn(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.on.Swap(on) == on {
		return
	}
	for l := range w.links {
		l.lives.Store(false)
	}
	clear(w.links)
	w.machine = uplink.Machine{}
	w.status = uplink.Status{}
	w.set(0)
	w.arm()
}

// Close ends the watch.
func (w *Watch) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.beats.Clear(&w.alarm)
}

// Status is what the watch measures and does.
type Status struct {
	uplink.Status
	On    bool // it may set a limit
	Blind bool // the system does not tell of connections
}

// Status returns the present status.
func (w *Watch) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Status{Status: w.status, On: w.on.Load(), Blind: w.blind.Load()}
}

// Link is one connection. A nil Link is one that the system tells nothing of.
type Link struct {
	w     *Watch // nil for a connection to this machine
	id    uint64
	route netio.Route
	least time.Duration // of its round-trip times
	near  atomic.Bool   // it leads to a machine nearby
	sent  atomic.Bool   // something was sent since the last sample
	wrote atomic.Int64  // bytes of blocks
	lives atomic.Bool   // it is among the links that have sent lately
	until mono.Time     // end of that; guarded by Watch.mu
}

// Link returns the link of a connection to a peer.
func (w *Watch) Link(c net.Conn, to netip.Addr) *Link {
	if w == nil {
		return nil
	}
	if to.Unmap().IsLoopback() {
		l := new(Link)
		l.near.Store(true)
		return l
	}
	r, ok := netio.RouteOf(c)
	if !ok {
		w.blind.Store(true)
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	return &Link{w: w, id: w.last, route: r}
}

// Near tells whether the connection leads to a machine nearby; nil: it is not known to.
func (l *Link) Near() *atomic.Bool {
	if l == nil {
		return nil
	}
	return &l.near
}

// Sent says that n bytes of blocks were sent.
func (l *Link) Sent(n int) {
	if l == nil || l.w == nil {
		return
	}
	l.wrote.Add(int64(n))
	l.sent.Store(true)
	if l.lives.Load() {
		return
	}
	w := l.w
	if !w.on.Load() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.on.Load() || w.closed {
		return
	}
	l.lives.Store(true)
	l.until = w.beats.Now().Add(restAfter)
	w.links[l] = struct{}{}
	w.arm()
}

// arm waits for a beat where there is something to watch. The caller holds w.mu.
func (w *Watch) arm() {
	if w.armed || !w.on.Load() || w.closed || len(w.links) == 0 && !w.machine.Busy() {
		return
	}
	w.armed = true
	w.beats.Set(&w.alarm, w.beats.Now().NextBeats(int(uplink.Every/mono.Beat)))
}

// tick takes a sample of each link.
func (w *Watch) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	if w.closed || !w.on.Load() {
		return
	}
	now := w.beats.Now()
	w.samples = w.samples[:0]
	for l := range w.links { // the machine sorts what it computes
		w.sample(now, l)
	}
	before := w.machine.Rate()
	w.machine.Tick(now, w.samples)
	if rate := w.machine.Rate(); rate != before {
		w.set(rate)
	}
	w.status = w.machine.Status(now)
	w.arm()
}

func (w *Watch) sample(now mono.Time, l *Link) {
	if l.sent.Swap(false) {
		l.until = now.Add(restAfter)
	}
	p, ok := l.route.Path()
	if !ok || now >= l.until {
		delete(w.links, l)
		l.lives.Store(false)
		return
	}
	if p.RTT <= 0 {
		return
	}
	if p.Least == 0 { // the system does not keep it
		p.Least = p.RTT
		if l.least > 0 {
			p.Least = min(l.least, p.RTT)
		}
	}
	l.least = p.Least
	if p.Acked < 0 { // nor what has arrived
		p.Acked = max(l.wrote.Load()-p.Held, 0)
	}
	near := p.Least < nearby
	l.near.Store(near)
	if !near {
		w.samples = append(w.samples, uplink.Sample{ID: l.id, RTT: p.RTT, Base: p.Least, Acked: p.Acked, Acks: p.Acks, Queue: p.Unsent})
	}
}
