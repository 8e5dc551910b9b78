// Package rate decides which connections may move bytes now, under limits of bytes a second
// for an engine, a torrent, and a peer. Each limit is a token bucket. The buckets form a
// tree: the engine is the root, torrents are below it, and peers are leaves. Each direction
// has a tree of its own.
//
// A leaf claims bytes and waits for its grant. A grant is always for the whole claim. It is
// made as soon as no bucket between the leaf and the root is empty, and may take them into
// debt: the next grant waits until the debt is paid. So every claim is granted some time,
// even one larger than a second's worth, and over seconds the limit is exact.
//
// Waiting nodes have equal shares: of all whose buckets allow it, the next grant goes to the
// one that has had least since it began to wait (start-time fair queueing). Torrents share
// the engine equally, and peers their torrent, whatever the sizes of their claims.
//
// Claims that wait are granted at every second beat (mono.Beat), all of them together, so that a limit
// wakes the machine ten times a second at most, however many connections wait (decision 0201). Often
// makes a tree grant at every beat. A claim that nobody has to wait for is granted at once.
//
// Small messages never wait: they are charged after they went. At most half of a limit pays
// for them, so they cannot starve payload either.
//
// A Tree has one owner and is not safe for concurrent use. The caller passes the time. No BEP
// covers this (decision 0096).
package rate

import (
	"iter"
	"math/bits"
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

const (
	// idle is how much of a limit accumulates while no leaf waits: enough to answer an
	// occasional request at once.
	idle = 100 * time.Millisecond
	// late is how much accumulates while a leaf waits: how late Grant may be called on a busy
	// machine without loss.
	late = 250 * time.Millisecond
	// lately is for how long a limit does not count as the one that holds data back after it has
	// not been used up.
	lately = 2 * time.Second

	// grace is how far behind the others a node may be and still catch up, in bytes: what they had
	// while it was away with a grant.
	grace = block.Size

	// usual is how much of a limit one claim takes while that is less than usualBlocks. Below a
	// block a claim takes a part of one: a reader that waits for its turn sees nothing else that
	// the peer says.
	usual        = 100 * time.Millisecond
	usualBlocks  = 3
	mostBlocks   = 15
	leastQuantum = 512
	// mostCredit bounds what is granted to a leaf in advance, and with it the work of Grant.
	mostCredit = 2 * mostBlocks * block.Size
	// growth is the part of what a leaf already has in advance that it gets at least as the next. A peer
	// can make claims of a few bytes, and 80 grants then suffice for mostCredit; whole quanta would be
	// fewer, and less exact where the limit is low.
	growth = 8
	// mostLimit bounds a limit: a terabyte a second is no limit in practice.
	mostLimit = 1 << 40
)

// Node is one bucket of a tree: the engine's, a torrent's, a peer's.
type Node struct {
	// Owner is for the caller, because Grant returns nodes.
	Owner any

	parent *Node

	// The bucket.
	limit  int64 // bytes a second; 0: no limit
	tokens int64 // below zero: debt
	owed   int64 // bytes of small messages, not yet subtracted
	rest   uint64
	at     mono.Time // time when tokens were last added
	lostAt mono.Time // time when it last was too full to add any

	// Fair shares. A node's position among its parent's children is what it has had; the
	// lowest position comes next.
	stands  int64   // its position
	turn    int64   // position of the child that came last: newcomers start there
	waiting []*Node // children that wait, or have a waiting node below
	claim   int64   // claim of a waiting leaf; else 0
	credit  int64   // bytes that a leaf may claim at once until the next beat
	granted bool    // Grant has granted its claim, and grants more in advance
}

// Limit returns the allowed bytes a second; 0: no limit.
func (n *Node) Limit() int64 { return n.limit }

// Expect returns the rate that a node with claims can expect under its own limit and that of
// its parent, which the waiting children share; 0: no limit. waits tells whether a limit
// holds a leaf at or below it back now: a leaf that waits for the next beat only does not count.
func (n *Node) Expect(now mono.Time) (limit int64, waits bool) {
	limit, waits = n.limit, len(n.waiting) > 0 || n.claim > 0
	if p := n.parent; p != nil && p.limit > 0 {
		sharers := int64(len(p.waiting))
		if !waits {
			sharers++
		}
		if part := max(p.limit/sharers, 1); limit == 0 || part < limit {
			limit = part
		}
	}
	return limit, waits && n.held(now)
}

// held reports whether no bucket from n up has lost anything lately: a leaf that waits does so because of
// a limit, and not just for a beat.
func (n *Node) held(now mono.Time) bool {
	for x := n; x != nil; x = x.parent {
		if x.fill(now); x.lostAt > 0 && now < x.lostAt.Add(lately) {
			return false
		}
	}
	return true
}

// Tree is the buckets of one direction.
type Tree struct {
	root    Node
	often   bool    // grants come at every beat
	granted []*Node // grants returned last; the memory is used again
	ahead   []*Node // leaves with a credit
}

// Often makes grants come at every beat, or at every second one. Twice as often costs twice the
// wake-ups, and what leaves at once is half as long a queue on the line.
func (t *Tree) Often(yes bool) { t.often = yes }

// beats returns at every which beat grants come.
func (t *Tree) beats() int {
	if t.often {
		return 1
	}
	return 2
}

// Root returns the engine's node.
func (t *Tree) Root() *Node { return &t.root }

// Add returns a new node below parent. A node that is no longer used needs no cleanup, except
// Cancel if it may wait.
func (t *Tree) Add(parent *Node) *Node { return &Node{parent: parent} }

// SetLimit sets a limit; 0 lifts it. Grants may be due after it. A limit that replaces another takes
// over its debt, as far as it pays it soon: otherwise each change would give something away.
func (t *Tree) SetLimit(now mono.Time, n *Node, limit int64) {
	limit = min(max(limit, 0), mostLimit)
	if limit == n.limit && limit > 0 {
		return
	}
	t.refund()
	n.fill(now)
	n.tokens = max(n.tokens, -whole(limit, late))
	n.tokens, n.owed = min(n.tokens, whole(limit, idle)), min(n.owed, limit)
	if n.limit == 0 || limit == 0 {
		n.tokens, n.owed = 0, 0
	}
	n.limit, n.rest, n.at = limit, 0, now
}

// Quantum returns how many bytes a leaf should claim at once, 0 without a limit: its share until the
// next beat, since it gets one grant at a beat. From one block up these are whole blocks. Claims may
// have any size.
func (t *Tree) Quantum(leaf *Node) int64 { return t.quantum(leaf.lowest(), leaf.share()) }

// quantum is Quantum for the lowest limit and the share of it.
func (t *Tree) quantum(limit, share int64) int64 {
	if limit == 0 {
		return 0
	}
	if n := whole(limit, usual); n < block.Size {
		return max(n, leastQuantum)
	}
	beat := (whole(share, time.Duration(t.beats())*mono.Beat) + block.Size - 1) / block.Size
	return max(min(max(beat, min(whole(share, usual)/block.Size, usualBlocks)), mostBlocks), 1) * block.Size
}

// lowest returns the lowest limit from n up; 0 without any.
func (n *Node) lowest() int64 {
	var lowest int64
	for x := n; x != nil; x = x.parent {
		if x.limit > 0 && (lowest == 0 || x.limit < lowest) {
			lowest = x.limit
		}
	}
	return lowest
}

// share returns the part of the limits from n up that n can expect; 0 without any limit.
func (n *Node) share() int64 {
	share := n.limit
	if p := n.parent; p != nil {
		sharers := int64(len(p.waiting))
		if len(n.waiting) == 0 && n.claim == 0 {
			sharers++
		}
		if part := p.share(); part > 0 && (share == 0 || part/sharers < share) {
			share = max(part/sharers, 1)
		}
	}
	return share
}

// Claim asks for n bytes for a leaf that does not wait. It reports whether they may pass at
// once; else the leaf waits until Grant returns it, or Cancel.
func (t *Tree) Claim(now mono.Time, leaf *Node, n int64) bool {
	if n <= leaf.credit {
		leaf.credit -= max(n, 0)
		return true
	}
	for x := leaf; x != nil; x = x.parent {
		x.fill(now) // until now perhaps no leaf waited
	}
	atOnce := t.root.next(now) == nil // else others come first, at the next beat
	leaf.claim = n
	t.wait(leaf)
	if atOnce && t.root.next(now) == leaf {
		leaf.claim = 0
		leaf.move(n)
		leaf.leave()
	}
	return leaf.claim == 0
}

// Charge subtracts n bytes that have passed already, without waiting, from the buckets.
func (t *Tree) Charge(leaf *Node, n int64) {
	for x := leaf; x != nil; x = x.parent {
		if x.limit > 0 {
			// We remember at most a second's worth: after a flood of small messages payload
			// must not run at half speed for long.
			x.owed = min(x.owed+n, x.limit)
		}
	}
}

// Cancel ends the wait of a leaf, if it waits.
func (t *Tree) Cancel(leaf *Node) {
	if leaf.claim > 0 {
		leaf.claim = 0
		leaf.leave()
	}
}

// Grant returns the leaves whose claims may pass by now, in their order. The slice is valid
// until the next call.
//
// It also grants in advance what these leaves can claim until the next beat, as if each claimed
// the same again and again in its turn, and a part more where its claims are small: so all have equal
// shares without a wake-up for each claim, and with little work.
func (t *Tree) Grant(now mono.Time) []*Node {
	t.refund()
	t.granted = t.granted[:0]
	for t.step(now) {
	}
	for _, leaf := range t.granted {
		leaf.granted = false
		if leaf.credit > 0 {
			t.ahead = append(t.ahead, leaf)
		}
		if leaf.claim > 0 {
			leaf.claim = 0
			leaf.leave()
		}
	}
	return t.granted
}

// step makes one grant, if there is one to make: of a claim, or in advance.
func (t *Tree) step(now mono.Time) bool {
	if len(t.root.waiting) == 0 {
		return false
	}
	leaf := t.root.next(now)
	if leaf == nil {
		return false
	}
	n := leaf.claim
	if leaf.granted {
		n = max(n, leaf.credit/growth)
		leaf.credit += n
	} else {
		leaf.granted = true
		t.granted = append(t.granted, leaf)
	}
	leaf.move(n)
	if leaf.credit+n > mostCredit || leaf.lowest() == 0 {
		leaf.claim = 0
		leaf.leave()
	}
	return true
}

// refund takes back what was granted in advance and not claimed.
func (t *Tree) refund() {
	for i, leaf := range t.ahead {
		leaf.move(-leaf.credit)
		leaf.credit, t.ahead[i] = 0, nil
	}
	t.ahead = t.ahead[:0]
}

// Waiting yields the waiting leaves at or below a node. Meanwhile the caller may change their
// limits, and nothing else.
func (t *Tree) Waiting(n *Node) iter.Seq[*Node] {
	return func(yield func(*Node) bool) { n.each(yield) }
}

func (n *Node) each(yield func(*Node) bool) bool {
	if n.claim > 0 {
		return yield(n)
	}
	for _, c := range n.waiting {
		if !c.each(yield) {
			return false
		}
	}
	return true
}

// Deadline returns when to call Grant next, which is a beat; mono.Never while no leaf waits.
func (t *Tree) Deadline(now mono.Time) mono.Time {
	at := t.root.ready(now)
	if at == mono.Never {
		return at
	}
	return max(at-1, now).NextBeats(t.beats())
}

// move counts n bytes of a leaf; below zero it takes them back.
func (n *Node) move(bytes int64) {
	for x := n; x != nil; x = x.parent {
		if x.limit > 0 {
			x.tokens -= bytes
		}
		if p := x.parent; p != nil {
			// A node that its own limit held back has fallen behind the others. It does not
			// catch up with more than its grace.
			x.stands = max(x.stands, p.turn-grace)
			if bytes > 0 {
				p.turn = max(p.turn, x.stands)
			}
			x.stands += bytes
		}
	}
}

// wait adds a leaf to the waiting nodes, and its parents if they did not wait.
func (t *Tree) wait(leaf *Node) {
	for x := leaf; x.parent != nil; x = x.parent {
		p := x.parent
		x.stands = max(x.stands, p.turn-grace)
		p.waiting = append(p.waiting, x)
		if len(p.waiting) > 1 {
			return
		}
	}
}

// leave removes a node from the waiting ones, and its parents if no leaf below them waits.
func (n *Node) leave() {
	for x := n; x.parent != nil; x = x.parent {
		p := x.parent
		for i, c := range p.waiting {
			if c == x {
				p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
				break
			}
		}
		if len(p.waiting) > 0 {
			return
		}
		p.waiting = p.waiting[:0]
	}
}

// next returns the leaf at or below n that comes next; nil when all must wait. Of equal
// positions the one that has waited longer is first.
func (n *Node) next(now mono.Time) *Node {
	if n.fill(now); n.limit > 0 && n.tokens <= 0 {
		return nil
	}
	if n.claim > 0 {
		return n
	}
	var first, leaf *Node
	for _, c := range n.waiting {
		if first == nil || c.stands < first.stands {
			if l := c.next(now); l != nil {
				first, leaf = c, l
			}
		}
	}
	return leaf
}

// ready returns when a waiting leaf at or below n can pass, as far as we can tell now.
func (n *Node) ready(now mono.Time) mono.Time {
	if n.parent == nil && len(n.waiting) == 0 {
		return mono.Never
	}
	at := now
	if n.fill(now); n.limit > 0 && n.tokens <= 0 {
		at = n.at.Add(lasts(1-n.tokens, n.limit))
	}
	if n.claim > 0 {
		return at
	}
	first := mono.Never
	for _, c := range n.waiting {
		if first = min(first, c.ready(now)); first <= at {
			break
		}
	}
	return max(at, first)
}

// fill adds the tokens of the time that has passed. Half of them pay for small messages, as
// far as these owe.
func (n *Node) fill(now mono.Time) {
	if n.limit == 0 || now <= n.at {
		return
	}
	most := whole(n.limit, idle)
	if len(n.waiting) > 0 || n.claim > 0 {
		most = whole(n.limit, late)
	}
	hi, lo := bits.Mul64(uint64(n.limit), uint64(now.Sub(n.at)))
	lo, carry := bits.Add64(lo, n.rest, 0)
	n.at = now
	if hi += carry; hi >= uint64(time.Second) {
		n.tokens, n.owed, n.rest, n.lostAt = most, 0, 0, now // longer than any debt can last
		return
	}
	q, rest := bits.Div64(hi, lo, uint64(time.Second))
	n.rest = rest
	add := int64(min(q, 1<<62))
	paid := min(n.owed, (add+1)/2)
	n.owed -= paid
	// A grant may need a single byte: every bucket has room for it.
	if n.tokens += add - paid; n.tokens > max(most, 1) {
		n.tokens, n.lostAt = max(most, 1), now
	}
}

// whole returns the bytes that a limit allows in d.
func whole(limit int64, d time.Duration) int64 {
	hi, lo := bits.Mul64(uint64(limit), uint64(d))
	q, _ := bits.Div64(hi, lo, uint64(time.Second))
	return int64(q)
}

// lasts returns how long a limit takes to allow this many bytes, rounded up.
func lasts(bytes, limit int64) time.Duration {
	hi, lo := bits.Mul64(uint64(bytes), uint64(time.Second))
	if hi >= uint64(limit) {
		return 1 << 62
	}
	q, rest := bits.Div64(hi, lo, uint64(limit))
	if rest > 0 {
		q++
	}
	return time.Duration(min(q, 1<<62))
}
