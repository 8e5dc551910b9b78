// Package throttle delays bytes under rate limits: it drives the trees of internal/decide/rate,
// which decides whose turn it is. A Limiter is one direction of an engine, a Group the part of a
// torrent, a Turn that of one connection.
//
// Without a limit nothing waits, counts or locks: a look at two atomics suffices. With a limit
// there is one mutex, held briefly, and the engine's beats wake it while a claim waits. A Limiter
// has no goroutine.
//
// Turns come at beats (mono.Beat), those of all connections together: at every second beat, and at
// every one where the line is the limit (decision 0201).
//
// # Bytes under a limit
//
//  1. A peer's writer with blocks to send asks its Turn for a smooth amount (writer.turn in
//     internal/net/peerconn/pace.go). If granted at once, they leave with the control bytes.
//     Otherwise the control bytes leave alone, and the writer waits for its turn, its end or
//     more control bytes, which again do not wait.
//  2. A reader reads a smooth amount, a block or more, hands it over, and waits until the payload
//     in it was due (reader.pay). The peer's TCP window fills meanwhile.
//  3. rate.Tree says whose turn it is; the Limiter wakes connections, on each claim and at
//     beats (decisions 0096 and 0201).
package throttle

import (
	"sync"
	"sync/atomic"

	"shoal/internal/decide/rate"
	"shoal/internal/mailbox"
	"shoal/internal/value/mono"
)

// Limiter is one direction of an engine.
type Limiter struct {
	beats *mailbox.Beats

	all  atomic.Int64 // limit of all connections; 0 means no limit
	each atomic.Int64 // limit of each peer; 0 means no limit
	far  atomic.Bool  // only the line limits all: it does not hold nearby

	mu     sync.Mutex
	tree   rate.Tree
	alarm  mailbox.Waiter
	due    mono.Time // time for which the alarm is set; Never when it is not
	closed bool
	set    int64 // limit of the engine
	line   int64 // limit of the line
}

// NewLimiter returns a limiter without limits, whose turns come at these beats.
func NewLimiter(beats *mailbox.Beats) *Limiter {
	l := &Limiter{beats: beats, due: mono.Never}
	l.alarm = mailbox.NewWaiter(l.fire)
	return l
}

// Close grants all claims from now on.
func (l *Limiter) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.all.Store(0)
	l.each.Store(0)
	now := l.beats.Now()
	l.tree.SetLimit(now, l.tree.Root(), 0)
	l.settle(now)
}

// SetLimit sets the limit of the engine, and that of each peer whose torrent does not set another;
// in bytes a second, 0 for none.
func (l *Limiter) SetLimit(all, each int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	now := l.beats.Now()
	l.set = all
	l.tree.SetLimit(now, l.tree.Root(), l.lowest())
	l.each.Store(each)
	l.fit(now, l.tree.Root())
	l.settle(now)
}

// SetLine sets what the line to the internet takes as a limit, 0 for none. It may change many times
// a second. Connections to machines nearby are free of it while the engine has no limit. With one,
// the lower of the two holds for all: a tree has one limit for the whole, and a connection that
// passed it by would not count against the engine's.
func (l *Limiter) SetLine(limit int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	now := l.beats.Now()
	l.line = limit
	l.tree.SetLimit(now, l.tree.Root(), l.lowest())
	if limit == 0 {
		l.settle(now)
		return
	}
	l.arm(now) // it changes too often to wake all that wait each time
}

// lowest returns the limit of the root, and keeps what follows from it. The caller holds l.mu.
func (l *Limiter) lowest() int64 {
	limit := l.set
	if l.line > 0 && (limit == 0 || l.line < limit) {
		limit = l.line
	}
	// A modem queues what leaves at once, and the line's limit is there to keep its queue short.
	l.tree.Often(limit > 0 && limit == l.line)
	l.far.Store(l.line > 0 && l.set == 0)
	l.all.Store(limit)
	return limit
}

// Limit returns the limit of the engine.
func (l *Limiter) Limit() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.set
}

// Group is the part of a torrent.
type Group struct {
	l    *Limiter
	node *rate.Node
	all  atomic.Int64 // limit of the torrent; 0 means no limit
	each atomic.Int64 // limit of each of its peers; 0 means the engine's
}

// Group returns a new group for a torrent. It need not be released.
func (l *Limiter) Group() *Group {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Group{l: l, node: l.tree.Add(l.tree.Root())}
}

// SetLimit sets the limit of the torrent, and that of each of its peers, as Limiter.SetLimit does.
func (g *Group) SetLimit(all, each int64) {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	if g.l.closed {
		return
	}
	now := g.l.beats.Now()
	g.l.tree.SetLimit(now, g.node, all)
	g.all.Store(all)
	g.each.Store(each)
	g.l.fit(now, g.node)
	g.l.settle(now)
}

// Ceiling returns the limit, in bytes a second, for all peers of the torrent together: the smaller
// of the torrent's and the engine's; 0 without either.
func (g *Group) Ceiling() int64 {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	all, own := g.l.set, g.node.Limit()
	if all == 0 || own > 0 && own < all {
		return own
	}
	return all
}

// Expect returns what the torrent can expect while others share the limit, 0 for no limit, and
// whether one of its peers waits now.
func (g *Group) Expect() (limit int64, waits bool) {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	return g.node.Expect(g.l.beats.Now())
}

// peer returns the limit of a single peer.
func (g *Group) peer() int64 {
	if each := g.each.Load(); each > 0 {
		return each
	}
	return g.l.each.Load()
}

// fit updates the peer limits of the claims that wait at or below a node.
func (l *Limiter) fit(now mono.Time, n *rate.Node) {
	for leaf := range l.tree.Waiting(n) {
		leaf.Owner.(*seat).fit(now)
	}
}

// seat is a connection's place in the tree.
type seat struct {
	g    *Group
	node *rate.Node
	c    chan struct{} // capacity 1: the claim is granted
}

func (s *seat) fit(now mono.Time) {
	if each := s.g.peer(); each != s.node.Limit() {
		s.g.l.tree.SetLimit(now, s.node, each)
	}
}

// Turn is the place of one connection. The zero Turn has no limits. One goroutine uses it, and it
// costs nothing before the first claim under a limit.
type Turn struct {
	g    *Group
	seat *seat        // nil before the first claim
	near *atomic.Bool // whether the connection leads to a machine nearby; nil: no
}

// Near tells whether the connection leads to a machine nearby. Another goroutine may change that.
func (t *Turn) Near(near *atomic.Bool) { t.near = near }

// Turn returns a turn in the group; a nil group has no limits.
func (g *Group) Turn() Turn { return Turn{g: g} }

// Quantum returns how many bytes to move at once for a smooth flow; 0 without a limit.
func (t *Turn) Quantum() int {
	if t.g == nil || t.g.all.Load() == 0 && t.g.peer() == 0 && (t.g.l.all.Load() == 0 || t.isNear() && t.g.l.far.Load()) {
		return 0
	}
	l := t.g.l
	l.mu.Lock()
	defer l.mu.Unlock()
	t.join()
	t.seat.fit(l.beats.Now())
	return int(l.tree.Quantum(t.seat.node))
}

func (t *Turn) isNear() bool { return t.near != nil && t.near.Load() }

// Ask reports whether n bytes may pass at once; otherwise C signals when they may. Until then only
// Leave may be called.
func (t *Turn) Ask(n int) bool {
	if t.g == nil {
		return true
	}
	l := t.g.l
	now := l.beats.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	t.join()
	t.seat.fit(now)
	ok := l.tree.Claim(now, t.seat.node, int64(n))
	if !ok {
		l.arm(now)
	}
	return ok
}

// C signals, once, that the claim is granted.
func (t *Turn) C() <-chan struct{} { return t.seat.c }

// Take waits until n bytes may pass. It returns false when done is closed first.
func (t *Turn) Take(n int, done <-chan struct{}) bool {
	if t.Ask(n) {
		return true
	}
	select {
	case <-t.C():
		return true
	case <-done:
		t.Leave()
		return false
	}
}

// Charge counts n bytes that have already passed, for small messages.
func (t *Turn) Charge(n int) {
	if t.g == nil || n <= 0 {
		return
	}
	l := t.g.l
	l.mu.Lock()
	defer l.mu.Unlock()
	t.join()
	l.tree.Charge(t.seat.node, int64(n))
}

// Leave withdraws the claim.
func (t *Turn) Leave() {
	if t.seat == nil {
		return
	}
	l := t.g.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tree.Cancel(t.seat.node)
	select {
	case <-t.seat.c:
	default:
	}
}

// join adds the connection to the tree, once. The caller holds the limiter's mutex.
func (t *Turn) join() {
	if t.seat == nil {
		t.seat = &seat{g: t.g, node: t.g.l.tree.Add(t.g.node), c: make(chan struct{}, 1)}
		t.seat.node.Owner = t.seat
	}
}

// settle wakes the connections whose turn it is. The caller holds l.mu.
func (l *Limiter) settle(now mono.Time) {
	for _, n := range l.tree.Grant(now) {
		n.Owner.(*seat).c <- struct{}{} // never blocks: a seat has one claim at a time
	}
	l.arm(now)
}

// arm sets the alarm for the next beat at which a turn can come. The caller holds l.mu.
func (l *Limiter) arm(now mono.Time) {
	due := l.tree.Deadline(now)
	if due == l.due {
		return
	}
	if l.due = due; due == mono.Never {
		l.beats.Clear(&l.alarm)
		return
	}
	l.beats.Set(&l.alarm, due)
}

// fire is called at the beat.
func (l *Limiter) fire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due = mono.Never
	l.settle(l.beats.Now())
}
