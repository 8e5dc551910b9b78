package choker

import (
	"cmp"
	"slices"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Round makes the decision of every ten seconds. It appends the changes to dst: chokes first,
// in the order of peers, then unchokes, the best first.
func (c *Choker) Round(now mono.Time, seeding bool, peers []Peer, dst []Change) []Change {
	r := c.begin(now, seeding, peers)
	r.room = c.roomOfRound(r)
	r.keepNew()
	if seeding {
		r.assign(r.slots, why.Gratitude, func(p *Peer) bool { return p.Owes <= -debt && !p.unused() }, byCredit)
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

// Fill assigns free slots to waiting peers, so that no peer waits for a round while a slot is
// free. Peers that have lost interest make room; others are not choked, unless there are more
// of them than slots.
func (c *Choker) Fill(now mono.Time, seeding bool, peers []Peer, dst []Change) []Change {
	t := count(now, peers)
	room := c.slotsFor(t, seeding)
	if t.busy+t.content <= room && (t.waiting == 0 || t.busy >= c.slots && (t.untried == 0 || t.busy == room)) {
		return dst // nothing can change: the cheap and common case
	}
	r := c.begin(now, seeding, peers)
	r.room = room
	best := byDown
	if seeding {
		best = byUp
	}
	r.assign(room, why.None, func(p *Peer) bool { return p.Unchoked }, best)
	if !seeding {
		r.assign(room, why.FreeSlot, (*Peer).earns, best)
	}
	r.fillRest()
	r.keepIdle()
	return r.changes(dst)
}

// round is one decision in progress. take assigns slots one after the other; an unchoked peer
// that has none at the end is choked.
type round struct {
	*Choker
	now     mono.Time
	seeding bool
	peers   []Peer
	before  uint64 // optimistic unchoke until now
	room    int    // peers that may be unchoked: the slots, and those above them
}

// state is what a round has decided for one peer of the input.
type state uint8

const (
	without  state = iota // it has no slot
	hasSlot               // it has one
	rewarded              // it has one in return for what it sends
)

// choice is an assigned slot: index of the peer in the input, and the reason.
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

// take assigns a slot, if one is left.
func (r *round) take(i int, s state, w why.Why) bool {
	if len(r.chosen) >= r.room || r.states[i] != without {
		return false
	}
	r.states[i] = s
	r.chosen = append(r.chosen, choice{int32(i), w})
	return true
}

// assign assigns up to n slots to interested peers without one that fit, in order.
func (r *round) assign(n int, w why.Why, fits func(*Peer) bool, compare func(r *round, a, b *Peer) int) {
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

// keepNew: a peer is not choked within minHold of its unchoke.
func (r *round) keepNew() {
	r.assign(r.room, why.None, func(p *Peer) bool { return p.Unchoked && r.held(p) < minHold }, byTurn)
}

// held returns how long a peer has been unchoked.
func (r *round) held(p *Peer) time.Duration { return r.now.Sub(p.UnchokedAt) }

// reciprocate assigns all slots but the optimistic one to the peers that give most. With a
// single slot it assigns that one.
func (r *round) reciprocate() {
	regular := max(r.slots-1, 1) + r.room - r.slots
	for _, c := range r.chosen {
		if r.peers[c.peer].Key != r.favourite {
			regular--
		}
	}
	r.assign(regular, why.Reciprocation, (*Peer).earns, byDown)
}

// earns reports whether a peer has earned a slot by what it sends. A peer that has snubbed us
// has not (BEP 3, anti-snubbing): it can get the optimistic slot.
func (p *Peer) earns() bool { return p.Down > 0 && !p.Snubbed }

// byDown orders by what peers give. An unchoked peer counts an eighth more, so that two of
// about the same rate do not swap slots in every round.
func byDown(_ *round, a, b *Peer) int { return cmp.Compare(b.worth(), a.worth()) }

func (p *Peer) worth() int64 {
	if p.Unchoked {
		return p.Down + p.Down/8
	}
	return p.Down
}

// optimistic keeps the optimistic unchoke for its turn, and then draws another.
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
		r.take(was, hasSlot, why.None) // no other peer wants the turn
	}
}

// optimisticTurn returns how many rounds the optimistic unchoke of a peer lasts.
func (r *round) optimisticTurn(i int) int {
	if r.peers[i].debts() > 0 {
		return vainRounds
	}
	return optimisticRounds
}

// draw returns a random choked and interested peer, or -1.
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

// keepFast leaves half of a seed's slots to the peers that take fastest.
func (r *round) keepFast() {
	r.assign(r.slots/2, why.SeedRate, func(p *Peer) bool {
		return p.Unchoked && p.Up > 0 && !p.Idle && !p.Hoards && r.held(p) < seedHold
	}, byUp)
}

// byCredit orders by what we owe, most first.
func byCredit(_ *round, a, b *Peer) int { return cmp.Compare(a.Owes, b.Owes) }

// byUp orders by how fast peers take, fastest first.
func byUp(_ *round, a, b *Peer) int { return cmp.Compare(b.Up, a.Up) }

// shareRest assigns the remaining slots to peers that have not earned one: first those whose
// turn is not over, then those that wait, least debt and longest wait first, then those that
// had their turn. Peers that snubbed us come last.
func (r *round) shareRest(w why.Why) { r.assign(r.room, w, anyPeer, byTurn) }

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
		return cmp.Compare(b.UnchokedAt, a.UnchokedAt) // the latest to begin has most time left
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

// keepIdle leaves peers without interest unchoked while no other needs the slot.
func (r *round) keepIdle() {
	for i := range r.peers {
		if p := &r.peers[i]; p.Unchoked && !p.Interested {
			r.take(i, hasSlot, why.None)
		}
	}
}

// changes appends what differs from the current state.
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

// reason returns why a peer loses its slot.
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
	case p.Key == r.before, !p.earns():
		return why.OptimisticEnded
	}
	return why.Outbid
}
