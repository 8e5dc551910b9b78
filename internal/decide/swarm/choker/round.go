package choker

import (
	"cmp"
	"slices"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Round is the decision of every ten seconds. It appends what is to change to
// dst: chokes first, in the order of peers, then unchokes, the best first.
func (c *Choker) Round(now mono.Time, seeding bool, peers []Peer, dst []Change) []Change {
	r := c.begin(now, seeding, peers)
	r.room = c.roomOfRound(r)
	r.keepNew()
	if seeding {
		r.give(r.slots, why.Gratitude, func(p *Peer) bool { return p.Owes <= -debt && !p.unused() }, byCredit)
		r.seedSlots()
	} else {
		r.reciprocate()
		r.optimistic()
		r.shareRest(why.FreeSlot)
	}
	r.keepIdle()
	c.closeRound(r)
	return r.changes(dst)
}

// Fill gives free slots to peers that wait, so that nobody waits for a round
// while a slot is free. Peers that have lost interest make room; others are not
// choked, unless there are more of them than slots.
func (c *Choker) Fill(now mono.Time, seeding bool, peers []Peer, dst []Change) []Change {
	t := count(now, peers)
	room := c.open(t, seeding)
	if t.busy+t.content <= room && (t.waiting == 0 || t.busy >= c.slots && (t.untried == 0 || t.busy == room)) {
		return dst // at little cost: nothing is to change
	}
	r := c.begin(now, seeding, peers)
	r.room = room
	best := byDown
	if seeding {
		best = byUp
	}
	r.give(room, why.None, func(p *Peer) bool { return p.Unchoked }, best)
	if !seeding {
		r.give(room, why.FreeSlot, (*Peer).gives, best)
	}
	r.fillRest()
	r.keepIdle()
	return r.changes(dst)
}

// round is one decision in the making. Slots are given by take, one after the
// other; who is unchoked and has none at the end is choked.
type round struct {
	*Choker
	now     mono.Time
	seeding bool
	peers   []Peer
	before  uint64 // the optimistic unchoke until now
	room    int    // peers that may be unchoked: the slots, and those above them
}

// state is what a round has decided for one peer of the input.
type state uint8

const (
	without  state = iota // it has no slot
	hasSlot               // it has one
	rewarded              // it has one for what it gives
)

// choice is a slot given: to whom, by its place in the input, and why.
type choice struct {
	peer int32
	why  why.Why
}

func (c *Choker) begin(now mono.Time, seeding bool, peers []Peer) *round {
	c.chosen = c.chosen[:0]
	c.states = slices.Grow(c.states[:0], len(peers))[:len(peers)]
	clear(c.states)
	c.round = round{c, now, seeding, peers, c.favourite, c.slots}
	return &c.round
}

// take gives a slot, if one is left.
func (r *round) take(i int, s state, w why.Why) bool {
	if len(r.chosen) >= r.room || r.states[i] != without {
		return false
	}
	r.states[i] = s
	r.chosen = append(r.chosen, choice{int32(i), w})
	return true
}

// give gives up to n slots to interested peers without one that fit, in order.
func (r *round) give(n int, w why.Why, fits func(*Peer) bool, compare func(r *round, a, b *Peer) int) {
	order := r.order[:0]
	for i := range r.peers {
		if p := &r.peers[i]; p.Interested && r.states[i] == without && fits(p) {
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return compare(r, &r.peers[a], &r.peers[b]) })
	r.order = order
	s := hasSlot
	if w == why.Reciprocation {
		s = rewarded
	}
	for _, i := range order[:min(max(n, 0), len(order))] {
		r.take(int(i), s, w)
	}
}

func anyPeer(*Peer) bool { return true }

// keepNew: a peer is not choked within five seconds of its unchoke.
func (r *round) keepNew() {
	r.give(r.room, why.None, func(p *Peer) bool { return p.Unchoked && r.held(p) < minHold }, byTurn)
}

// held is for how long an unchoked peer has been so.
func (r *round) held(p *Peer) time.Duration { return r.now.Sub(p.UnchokedAt) }

// reciprocate gives all slots but the optimistic one to those that give most.
// With a single slot that is the one.
func (r *round) reciprocate() {
	regular := max(r.slots-1, 1) + r.room - r.slots
	for _, c := range r.chosen {
		if r.peers[c.peer].Key != r.favourite {
			regular--
		}
	}
	r.give(regular, why.Reciprocation, (*Peer).gives, byDown)
}

// gives reports whether a peer has earned a slot by what it sends. One that has
// snubbed us has not (BEP 3, anti-snubbing): it may get the optimistic slot.
func (p *Peer) gives() bool { return p.Down > 0 && !p.Snubbed }

// byDown: who gives most. A peer that is unchoked counts an eighth more, so that
// two of about the same rate do not change places in every round.
func byDown(_ *round, a, b *Peer) int { return cmp.Compare(b.worth(), a.worth()) }

func (p *Peer) worth() int64 {
	if p.Unchoked {
		return p.Down + p.Down/8
	}
	return p.Down
}

// optimistic keeps the optimistic unchoke for its turn, and then finds another.
func (r *round) optimistic() {
	was := slices.IndexFunc(r.peers, func(p Peer) bool {
		return p.Key == r.favourite && p.Interested && p.Unchoked && !(p.Idle && r.othersUntried())
	})
	r.turns++
	if was >= 0 && r.states[was] != rewarded && r.turns < r.optimisticTurn(was) {
		r.take(was, hasSlot, why.None)
		return
	}
	if i := r.draw(); i >= 0 && r.take(i, hasSlot, why.Optimistic) {
		r.favourite, r.turns = r.peers[i].Key, 0
		return
	}
	if was >= 0 {
		r.take(was, hasSlot, why.None) // nobody else wants the turn
	}
}

// optimisticTurn is how many rounds the optimistic unchoke lasts for a peer.
func (r *round) optimisticTurn(i int) int {
	if r.peers[i].debts() > 0 {
		return vainRounds
	}
	return optimisticRounds
}

// draw gives a choked and interested peer at random, or -1.
func (r *round) draw() int {
	total := 0
	for i := range r.peers {
		total += r.weight(i)
	}
	if total == 0 {
		return -1
	}
	n := r.rng.IntN(total)
	for i := range r.peers {
		if n -= r.weight(i); n < 0 {
			return i
		}
	}
	return -1
}

func (r *round) weight(i int) int {
	switch p := &r.peers[i]; {
	case !p.Interested || p.Unchoked || r.states[i] != without:
		return 0
	case p.debts() > 0, p.vain():
		return debtorWeight
	case p.Fresh:
		return freshWeight
	}
	return anybodyWeight
}

// keepFast leaves half of a seed's slots with those that take fastest.
func (r *round) keepFast() {
	r.give(r.slots/2, why.SeedRate, func(p *Peer) bool {
		return p.Unchoked && p.Up > 0 && !p.Idle && !p.Hoards && r.held(p) < seedHold
	}, byUp)
}

// byCredit: whom we owe most.
func byCredit(_ *round, a, b *Peer) int { return cmp.Compare(a.Owes, b.Owes) }

// byUp: who takes fastest.
func byUp(_ *round, a, b *Peer) int { return cmp.Compare(b.Up, a.Up) }

// shareRest gives the slots left to those who have not earned one: first those
// whose turn is not over, then those who wait, who owe us least and have waited longest
// first, then those who had their turn. Peers that snubbed us come last.
func (r *round) shareRest(w why.Why) { r.give(r.room, w, anyPeer, byTurn) }

func byTurn(r *round, a, b *Peer) int {
	if c := cmp.Compare(r.class(a), r.class(b)); c != 0 {
		return c
	}
	if !r.seeding && !a.Unchoked && !b.Unchoked {
		if a.Open != b.Open {
			if a.Open {
				return -1
			}
			return 1
		}
		if c := cmp.Compare(a.debts(), b.debts()); c != 0 {
			return c
		}
	}
	if a.Unchoked && b.Unchoked {
		return cmp.Compare(b.UnchokedAt, a.UnchokedAt) // who began last has most left
	}
	return cmp.Compare(a.waitsSince(), b.waitsSince())
}

func (r *round) class(p *Peer) int {
	switch {
	case p.Idle && r.held(p) < turn:
		return 5
	case p.Idle:
		return 7
	case !p.Unchoked && p.vain():
		return 6
	case p.Snubbed && !r.seeding, p.Hoards && r.seeding:
		return 4
	case r.seeding && p.Owes <= -debt:
		return 0
	case p.Unchoked && r.held(p) < turn:
		return 1
	case !p.Unchoked:
		return 2
	}
	return 3
}

// keepIdle leaves peers without interest unchoked while nobody needs the slot.
func (r *round) keepIdle() {
	for i := range r.peers {
		if p := &r.peers[i]; p.Unchoked && !p.Interested {
			r.take(i, hasSlot, why.None)
		}
	}
}

// changes appends what differs from how things are.
func (r *round) changes(dst []Change) []Change {
	for i := range r.peers {
		if p := &r.peers[i]; p.Unchoked && r.states[i] == without {
			dst = append(dst, Change{p.Key, false, r.reason(p)})
		}
	}
	for _, c := range r.chosen {
		if p := &r.peers[c.peer]; !p.Unchoked {
			dst = append(dst, Change{p.Key, true, c.why})
		}
	}
	return dst
}

// reason says why a peer loses its slot.
func (r *round) reason(p *Peer) why.Why {
	switch {
	case !p.Interested:
		return why.NotInterested
	case p.Idle:
		return why.SlotUnused
	case r.seeding && p.Hoards:
		return why.Hoards
	case r.seeding:
		return why.SeedTurn
	case p.Snubbed:
		return why.Snubbed
	case p.Key == r.before, !p.gives():
		return why.OptimisticEnded
	}
	return why.Outbid
}
