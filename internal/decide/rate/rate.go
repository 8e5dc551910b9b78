// Package rate decides who may move bytes now, where limits of bytes a second are
// set: for an engine, for a torrent, and for a peer. Each is a token bucket; a tree of
// them has the engine at the root, torrents below it, and peers as leaves. There is
// one tree for each direction.
//
// A leaf claims bytes and waits for its grant. A grant is given whole as soon as no
// bucket between the leaf and the root is empty, and may take them into debt: the
// next one waits until that is paid. So any claim is granted some time, also one that
// is larger than a second's worth, and over seconds the limit is kept to the byte.
//
// Those that wait have equal shares: of all whose buckets allow it, whoever has had
// least since it began to wait comes next (start-time fair queueing). Torrents share
// the engine equally, and peers their torrent, whatever the sizes of their claims.
//
// Small messages never wait: they are charged after they went, and what they cost is
// paid with at most half of what a limit allows, so that they cannot starve payload
// either.
//
// A Tree is owned by whoever drives it and not safe for concurrent use. Time is given.
// It is no matter of any BEP.
// Decision 0096 says why.
package rate

import (
	"iter"
	"math/bits"
	"time"

	"shoal/internal/value/mono"
)

const (
	// idle is how much of a limit may be saved up while nobody waits: enough that a
	// request now and then is answered at once.
	idle = 100 * time.Millisecond
	// late is how much may be saved up while somebody does: as late as Grant may be
	// called on a busy machine without a loss.
	late = 250 * time.Millisecond
	// grain is the least time between two rounds of grants: it bounds the work where
	// claims are small and limits high.
	grain = time.Millisecond
	// quantum is how much of a limit should be claimed at once: as smooth as can be
	// without waking anybody more often than this.
	quantum = time.Second / 128

	// grace is how many quanta others may have had while somebody is away with a grant
	// until that costs a turn: who comes back soon keeps its place.
	grace = 4

	leastQuantum = 512
	mostQuantum  = 256 << 10
	// mostLimit bounds a limit: a terabyte a second is none.
	mostLimit = 1 << 40
)

// Node is one bucket of a tree: the engine's, a torrent's, a peer's.
type Node struct {
	// Owner is for whoever drives the tree: grants are told by node.
	Owner any

	parent *Node

	// The bucket.
	limit  int64 // bytes a second; 0: none
	tokens int64 // below zero: debt
	owed   int64 // by small messages, not yet taken off
	rest   uint64
	at     mono.Time // when tokens were added last

	// Fair shares. A node stands where it is among its parent's by what it has had;
	// whoever stands lowest comes next.
	stands  int64
	turn    int64   // where the child stood that came last: newcomers begin there
	waiting []*Node // children that wait, or below which somebody does
	claim   int64   // of a leaf that waits; else 0
}

// Limit gives the bytes a second that are allowed; 0 means no limit.
func (n *Node) Limit() int64 { return n.limit }

// Share gives what a node that has claims may expect of its limit and of that of its parent,
// which those that wait there share, and whether somebody at or below it waits now; 0 for no
// limit.
func (n *Node) Share() (limit int64, waits bool) {
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
	return limit, waits
}

// Tree is the buckets of one direction.
type Tree struct {
	root    Node
	granted []*Node // to be told
	told    []*Node // and those of the time before, whose room is used again
}

// Root gives the engine's node.
func (t *Tree) Root() *Node { return &t.root }

// Add makes a node below another one. Nothing need be done when it is not used any
// more, but Cancel where it may wait.
func (t *Tree) Add(parent *Node) *Node { return &Node{parent: parent} }

// SetLimit changes a limit; 0 lifts it. What was saved up or owed is forgotten. Grants
// may be due after it.
func (t *Tree) SetLimit(now mono.Time, n *Node, limit int64) {
	n.limit = min(max(limit, 0), mostLimit)
	n.tokens, n.owed, n.rest, n.at = 0, 0, 0, now
}

// Quantum gives how many bytes should be claimed at once under a limit; 0 when there is
// none. Claims may have any size.
func Quantum(limit int64) int64 {
	if limit <= 0 {
		return 0
	}
	return min(max(whole(limit, quantum), leastQuantum), mostQuantum)
}

// Claim asks for n bytes on behalf of a leaf that does not wait. It reports whether
// they may pass at once; else the leaf waits until Grant gives it, or Cancel.
func (t *Tree) Claim(now mono.Time, leaf *Node, n int64) bool {
	if n <= 0 {
		return true
	}
	for x := leaf; x != nil; x = x.parent {
		x.fill(now) // up to now it may be that nobody waited
	}
	leaf.claim = n
	t.wait(leaf)
	t.grant(now, leaf)
	return leaf.claim == 0
}

// Charge takes n bytes that have passed already, and did not wait, from the buckets.
func (t *Tree) Charge(leaf *Node, n int64) {
	for x := leaf; x != nil; x = x.parent {
		if x.limit > 0 {
			// A second's worth is remembered at most: after a flood of small messages
			// payload is not to go at half speed for long.
			x.owed = min(x.owed+n, x.limit)
		}
	}
}

// Cancel ends the wait of a leaf; nothing when it does not wait.
func (t *Tree) Cancel(leaf *Node) {
	if leaf.claim > 0 {
		leaf.claim = 0
		leaf.leave()
	}
}

// Grant gives the leaves whose claims may pass by now, in their order. The slice is
// good until the next call.
func (t *Tree) Grant(now mono.Time) []*Node {
	t.grant(now, nil)
	granted := t.granted
	t.granted, t.told = t.told[:0], granted
	return granted
}

// Waiting gives the leaves at or below a node that wait. They may be given other limits
// meanwhile, and nothing else may be done.
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

// Deadline is when Grant is wanted next; mono.Never while nobody waits.
func (t *Tree) Deadline(now mono.Time) mono.Time {
	at := t.root.ready(now)
	if at == mono.Never {
		return at
	}
	return max(at, now.Add(grain))
}

// grant gives what may be given. asking is told by Claim, and not once more.
func (t *Tree) grant(now mono.Time, asking *Node) {
	for len(t.root.waiting) > 0 {
		leaf := t.root.next(now)
		if leaf == nil {
			return
		}
		n := leaf.claim
		leaf.claim = 0
		for x := leaf; x != nil; x = x.parent {
			if x.limit > 0 {
				x.tokens -= n
			}
			if p := x.parent; p != nil {
				// Who was held back by a limit of its own has stayed behind. That is
				// not made up for.
				p.turn = max(p.turn, x.stands)
				x.stands = p.turn + n
			}
		}
		leaf.leave()
		if leaf != asking {
			t.granted = append(t.granted, leaf)
		}
	}
}

// wait puts a leaf among those that wait, and its parents where they were not.
func (t *Tree) wait(leaf *Node) {
	for x := leaf; x.parent != nil; x = x.parent {
		p := x.parent
		x.stands = max(x.stands, p.turn-grace*p.quantum())
		p.waiting = append(p.waiting, x)
		if len(p.waiting) > 1 {
			return
		}
	}
}

// quantum gives the Quantum of the lowest limit from n up; without any there is nothing to
// be shared.
func (n *Node) quantum() int64 {
	var lowest int64
	for x := n; x != nil; x = x.parent {
		if x.limit > 0 && (lowest == 0 || x.limit < lowest) {
			lowest = x.limit
		}
	}
	return Quantum(lowest)
}

// leave takes a node off those that wait, and its parents where nobody is left below.
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
		p.waiting = nil
	}
}

// next gives the leaf at or below n that comes next; nil when all have to wait. Of
// those that stand alike the one that has waited longer is first.
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

// ready is when somebody at or below n who waits may pass, as far as can be said now.
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

// fill adds what time has brought. Half of it pays for small messages, where they owe.
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
		n.tokens, n.owed, n.rest = most, 0, 0 // longer ago than anybody counts
		return
	}
	q, rest := bits.Div64(hi, lo, uint64(time.Second))
	n.rest = rest
	add := int64(min(q, 1<<62))
	paid := min(n.owed, (add+1)/2)
	n.owed -= paid
	// A grant may need a single byte's worth: no bucket is without room for it.
	n.tokens = min(n.tokens+add-paid, max(most, 1))
}

// whole gives the bytes that a limit allows in d.
func whole(limit int64, d time.Duration) int64 {
	hi, lo := bits.Mul64(uint64(limit), uint64(d))
	q, _ := bits.Div64(hi, lo, uint64(time.Second))
	return int64(q)
}

// lasts is how long it takes until a limit has allowed so many bytes: never too short.
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
