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

	"shoal/internal/value/mono"
)

const (
	// idle is how much of a limit accumulates while no leaf waits: enough to answer an
	// occasional request at once.
	idle = 100 * time.Millisecond
	// late is how much accumulates while a leaf waits: how late Grant may be called on a busy
	// machine without loss.
	late = 250 * time.Millisecond
	// grain is the least time between two rounds of grants: it bounds the work when claims
	// are small and limits high.
	grain = time.Millisecond
	// quantum is how much of a limit one claim should ask for: as smooth as possible without
	// waking any reader or writer more often than this.
	quantum = time.Second / 128

	// grace is how many quanta others may have had while a node is away with a grant before
	// that costs it a turn: a connection that claims again sooner keeps its position.
	grace = 4

	leastQuantum = 512
	mostQuantum  = 256 << 10
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

	// Fair shares. A node's position among its parent's children is what it has had; the
	// lowest position comes next.
	stands  int64   // its position
	turn    int64   // position of the child that came last: newcomers start there
	waiting []*Node // children that wait, or have a waiting node below
	claim   int64   // claim of a waiting leaf; else 0
}

// Limit returns the allowed bytes a second; 0: no limit.
func (n *Node) Limit() int64 { return n.limit }

// Expect returns the rate that a node with claims can expect under its own limit and that of
// its parent, which the waiting children share; 0: no limit. waits tells whether a leaf at or
// below it waits now.
func (n *Node) Expect() (limit int64, waits bool) {
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
	granted []*Node // grants to return next
	told    []*Node // grants returned last; their memory is used again
}

// Root returns the engine's node.
func (t *Tree) Root() *Node { return &t.root }

// Add returns a new node below parent. A node that is no longer used needs no cleanup, except
// Cancel if it may wait.
func (t *Tree) Add(parent *Node) *Node { return &Node{parent: parent} }

// SetLimit sets a limit; 0 lifts it. Saved and owed bytes are dropped. Grants may be due
// after it.
func (t *Tree) SetLimit(now mono.Time, n *Node, limit int64) {
	n.limit = min(max(limit, 0), mostLimit)
	n.tokens, n.owed, n.rest, n.at = 0, 0, 0, now
}

// Quantum returns how many bytes to claim at once under a limit; 0 without one. Claims may
// have any size.
func Quantum(limit int64) int64 {
	if limit <= 0 {
		return 0
	}
	return min(max(whole(limit, quantum), leastQuantum), mostQuantum)
}

// Claim asks for n bytes for a leaf that does not wait. It reports whether they may pass at
// once; else the leaf waits until Grant returns it, or Cancel.
func (t *Tree) Claim(now mono.Time, leaf *Node, n int64) bool {
	if n <= 0 {
		return true
	}
	for x := leaf; x != nil; x = x.parent {
		x.fill(now) // until now perhaps no leaf waited
	}
	leaf.claim = n
	t.wait(leaf)
	t.grant(now, leaf)
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
func (t *Tree) Grant(now mono.Time) []*Node {
	t.grant(now, nil)
	granted := t.granted
	t.granted, t.told = t.told[:0], granted
	return granted
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

// Deadline returns when to call Grant next; mono.Never while no leaf waits.
func (t *Tree) Deadline(now mono.Time) mono.Time {
	at := t.root.ready(now)
	if at == mono.Never {
		return at
	}
	return max(at, now.Add(grain))
}

// grant makes the grants that are possible. It does not list asking, whose Claim returns the
// result.
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
				// A node that its own limit held back has fallen behind the others. It does
				// not catch up.
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

// wait adds a leaf to the waiting nodes, and its parents if they did not wait.
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

// quantum returns the Quantum of the lowest limit from n up; 0 without any limit, when there
// is nothing to share.
func (n *Node) quantum() int64 {
	var lowest int64
	for x := n; x != nil; x = x.parent {
		if x.limit > 0 && (lowest == 0 || x.limit < lowest) {
			lowest = x.limit
		}
	}
	return Quantum(lowest)
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
		p.waiting = nil
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
		n.tokens, n.owed, n.rest = most, 0, 0 // longer than any debt can last
		return
	}
	q, rest := bits.Div64(hi, lo, uint64(time.Second))
	n.rest = rest
	add := int64(min(q, 1<<62))
	paid := min(n.owed, (add+1)/2)
	n.owed -= paid
	// A grant may need a single byte: every bucket has room for it.
	n.tokens = min(n.tokens+add-paid, max(most, 1))
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
