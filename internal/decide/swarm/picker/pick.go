package picker

import (
	"slices"
	"time"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// suspectPatience is how long one peer may keep a suspect piece to itself while
// another has nothing to do: else a liar could stall it by sending slowly.
const suspectPatience = 60 * time.Second

// Choice is one block to request.
type Choice struct {
	Ref    block.Ref
	Why    why.Why
	Owners int32 // connected peers that have the piece
}

// Pick chooses up to n blocks to request of peer now, of the pieces in has, and
// appends them to dst. They count as requested of it until Received, Abandon or
// AbandonAll. has is what the peer has, as PeerBits and PeerHas were told, or a
// part of that (such as the allowed fast pieces while it chokes us, BEP 6). pace
// is of use where somebody reads, and in endgame.
func (p *Picker) Pick(now mono.Time, peer Peer, has *bitfield.Bitfield, n int, pace Pace, dst []Choice) []Choice {
	if n <= 0 || p.wanted.seeking == 0 {
		return dst
	}
	q := p.peer(peer)
	given := len(dst)
	p.sequential.asked(pace.InOrder)
	p.rank(now)
	if len(p.urgent) > 0 {
		n, dst = p.pickUrgent(now, peer, has, n, &pace, dst)
	}
	if n <= 0 || p.isDry(q, has) {
		return dst
	}
	for n > 0 {
		slot, reason := p.choose(now, peer, has)
		if slot == none {
			break
		}
		n, dst = p.take(now, peer, slot, reason, n, n, &pace, given, dst)
	}
	if n > 0 && p.Endgame() && (now >= q.barren || q.barrenAt != p.generation) {
		n, dst = p.duplicate(now, peer, has, n, &pace, given, dst)
		if n > 0 {
			q.barren, q.barrenAt = now.Add(p.cfg.EndgameAfter/8), p.generation // it looks at every request
		}
	}
	if n > 0 && p.begun.owned == 0 && !p.full() && !(p.Endgame() && p.cfg.EndgameAfter > 0) {
		q.dry, q.dryHas, q.dryCount, q.dryEndgame = p.generation, has, has.Count(), p.Endgame()
	}
	return dst
}

// take asks for up to most free blocks of a started piece, and for n at most. given
// is where dst begins for this Pick.
func (p *Picker) take(now mono.Time, peer Peer, slot int32, reason why.Why, n, most int, pace *Pace, given int, dst []Choice) (int, []Choice) {
	st := &p.begun.slots[slot]
	owners := int32(p.Availability(st.piece))
	for ; n > 0 && most > 0 && st.free > 0; n, most = n-1, most-1 {
		index := st.nextFree()
		p.useBlock(slot)
		p.ask(now, peer, slot, index, pace.due(now, len(dst)-given))
		dst = append(dst, Choice{p.ref(st.piece, index), reason, owners})
	}
	return n, dst
}

// pickUrgent chooses of what readers come to soon, and gives the swarm its share of
// what is read ahead.
func (p *Picker) pickUrgent(now mono.Time, peer Peer, has *bitfield.Bitfield, n int, pace *Pace, dst []Choice) (int, []Choice) {
	given := len(dst)
	n, dst = p.copyUrgent(now, peer, has, pace, n, dst)
	for n > 0 {
		slot, most, ahead := p.chooseUrgent(now, peer, has, pace, len(dst)-given, n)
		if slot == none {
			break
		}
		if ahead {
			if p.reading.debt >= swarmShare-1 {
				p.reading.repaid()
				if common, reason := p.choose(now, peer, has); common != none {
					n, dst = p.take(now, peer, common, reason, n, 1, pace, given, dst)
					p.settle(slot) // it may have been begun just now
					continue
				}
			}
			most = min(most, swarmShare-1-p.reading.debt)
		}
		slot, reason := p.claim(now, peer, slot, why.Urgent)
		before := n
		n, dst = p.take(now, peer, slot, reason, n, most, pace, given, dst)
		p.reading.requested(before-n, ahead)
	}
	return n, dst
}

// isDry reports whether the last Pick for the peer emptied what there is for it,
// and nothing has changed since: then searching again would find nothing.
func (p *Picker) isDry(q *peerState, has *bitfield.Bitfield) bool {
	return q.dry == p.generation && q.dryHas == has && q.dryCount == has.Count() && q.dryEndgame == p.Endgame()
}

// choose gives a started piece with a free block for the peer; it starts one
// when need be. It gives none when there is none. What is urgent is not looked at:
// it was, and either it has no free block or the peer is too slow for it.
func (p *Picker) choose(now mono.Time, peer Peer, has *bitfield.Bitfield) (int32, why.Why) {
	spare := p.have.Len() // no piece
	if p.requests.peers[peer].trial {
		if slot, reason, done := p.chooseOnTrial(peer, has, &spare); slot != none {
			return p.claim(now, peer, slot, reason)
		} else if done {
			return none, why.None
		}
	}
	started := p.chooseStarted(peer, has, false)
	for level := High; level > Skip; level-- {
		if started != none && p.pieces[p.begun.slots[started].piece].level == level {
			return p.claim(now, peer, started, why.Started)
		}
		if p.full() || len(p.avail.orders[level].pieces) == 0 {
			continue
		}
		if i, reason, ok := p.chooseNew(level, peer, has, &spare); ok {
			return p.claim(now, peer, p.start(i), reason)
		}
	}
	if p.begun.onTrial > 0 {
		if slot := p.chooseStarted(peer, has, true); slot != none {
			return p.claim(now, peer, slot, why.Started)
		}
	}
	if spare < p.have.Len() {
		return p.claim(now, peer, p.start(spare), why.Suspect)
	}
	if p.begun.owned > 0 {
		if slot := p.chooseHeldTooLong(now, has); slot != none {
			return p.claim(now, peer, slot, why.Started)
		}
	}
	return none, why.None
}

// claim gives the peer a slot to work on; a suspect piece becomes its own.
func (p *Picker) claim(now mono.Time, peer Peer, slot int32, reason why.Why) (int32, why.Why) {
	st := &p.begun.slots[slot]
	if !p.pieces[st.piece].suspect {
		return slot, reason
	}
	if !st.hasOwner || st.owner != peer {
		p.own(slot, peer, now)
	}
	return slot, why.Suspect
}

// full reports whether no further piece may be started.
func (p *Picker) full() bool {
	return p.begun.busyCount >= minStarted && p.begun.busy >= p.cfg.MaxStarted
}

// chooseStarted prefers the highest priority; then the piece that the peer last
// worked on, then the one with the fewest blocks to ask for, then the oldest. What
// others have, too, it leaves to them while this peer has something that nobody else
// can bring, and what a peer on trial works on to that, but with all.
func (p *Picker) chooseStarted(peer Peer, has *bitfield.Bitfield, all bool) int32 {
	own := int32(none)
	scarce := p.Scarce(has) && !p.full()
	if q := &p.requests.peers[peer]; q.worked {
		if slot := p.pieces[q.piece].slot; slot != none && p.mayServe(slot, peer, has) && !(scarce && p.common(q.piece)) &&
			(all || !p.leftTo(slot, peer)) {
			own = slot
			if p.wanted.prio == nil || p.levelAt(own) == High {
				return own
			}
		}
	}
	best := int32(none)
	for _, slot := range p.begun.open {
		if p.mayServe(slot, peer, has) && (best == none || p.before(slot, best)) &&
			!(scarce && p.common(p.begun.slots[slot].piece)) && (all || !p.leftTo(slot, peer)) {
			best = slot
		}
	}
	if own != none && p.levelAt(own) == p.levelAt(best) {
		return own
	}
	return best
}

func (p *Picker) levelAt(slot int32) uint8 { return p.pieces[p.begun.slots[slot].piece].level }

func (p *Picker) mayServe(slot int32, peer Peer, has *bitfield.Bitfield) bool {
	st := &p.begun.slots[slot]
	return st.free > 0 && has.Has(st.piece) && (!st.hasOwner || st.owner == peer) &&
		p.pieces[st.piece].rank == 0
}

func (p *Picker) before(a, b int32) bool {
	if la, lb := p.levelAt(a), p.levelAt(b); la != lb {
		return la > lb
	}
	x, y := &p.begun.slots[a], &p.begun.slots[b]
	if x.free != y.free {
		return x.free < y.free
	}
	return x.sequence < y.sequence
}

// chooseNew gives a free piece of that level that the peer has.
func (p *Picker) chooseNew(level uint8, peer Peer, has *bitfield.Bitfield, spare *uint32) (uint32, why.Why, bool) {
	lowest := 0
	if p.avail.seeds == 0 {
		lowest = 1 // nobody has what is below
	}
	o := &p.avail.orders[level]
	if p.sequential.on {
		if i, ok := p.chooseInOrder(level, has); ok {
			return i, why.InOrder, true
		}
	}
	if i, ok := p.chooseSuggested(level, peer, has, lowest); ok {
		return i, why.Suggested, true
	}
	if p.randomFirst() {
		i, ok := p.search(o.from(lowest), peer, has, spare)
		return i, why.RandomFirst, ok
	}
	for a := lowest; a < o.buckets(); a++ {
		if i, ok := p.search(o.bucket(a), peer, has, spare); ok {
			return i, why.Rarest, true
		}
	}
	return 0, why.None, false
}

// chooseSuggested gives a free piece that the peer suggests, when at most one more peer
// has it than have the rarest piece: suggestions help to tell apart what is alike, and
// must not undo rarest first.
func (p *Picker) chooseSuggested(level uint8, peer Peer, has *bitfield.Bitfield, lowest int) (uint32, bool) {
	suggested := p.requests.peers[peer].suggested
	if len(suggested) == 0 {
		return 0, false
	}
	o := &p.avail.orders[level]
	for lowest < o.buckets() && len(o.bucket(lowest)) == 0 {
		lowest++
	}
	for _, i := range suggested {
		pc := &p.pieces[i]
		if p.isFree(i) && pc.level == level && int(pc.avail) <= lowest+1 && has.Has(i) && pc.rank == 0 && !pc.suspect {
			return i, true
		}
	}
	return 0, false
}

func (p *Picker) randomFirst() bool {
	return p.have.Len() > randomFirstPieces && int64(p.have.Count()) < int64(p.cfg.RandomFirst)
}

// search looks from a random place on for a piece that the peer has and that is not
// urgent. A suspect piece whose failed copy came from this peer in part is kept as
// spare.
func (p *Picker) search(among []uint32, peer Peer, has *bitfield.Bitfield, spare *uint32) (uint32, bool) {
	if len(among) == 0 {
		return 0, false
	}
	at := 0
	if len(among) > 1 {
		at = p.rng.IntN(len(among))
	}
	for _, part := range [2][]uint32{among[at:], among[:at]} {
		for _, i := range part {
			if !has.Has(i) || p.pieces[i].rank > 0 {
				continue
			}
			if p.pieces[i].suspect && p.contributed(peer, i) {
				if *spare == p.have.Len() {
					*spare = i
				}
				continue
			}
			return i, true
		}
	}
	return 0, false
}

// contributed reports whether the peer sent part of the failed copy of a piece.
func (p *Picker) contributed(peer Peer, i uint32) bool {
	sender := p.requests.peers[peer].sender
	if sender == 0 {
		return false
	}
	_, found := slices.BinarySearch(p.begun.failures[i], sender)
	return found
}

// chooseHeldTooLong gives a suspect piece that another peer has kept to itself
// for longer than suspectPatience.
func (p *Picker) chooseHeldTooLong(now mono.Time, has *bitfield.Bitfield) int32 {
	best := int32(none)
	for _, slot := range p.begun.open {
		st := &p.begun.slots[slot]
		if !st.hasOwner || now.Sub(st.since) < suspectPatience || !has.Has(st.piece) {
			continue
		}
		if best == none || p.before(slot, best) {
			best = slot
		}
	}
	return best
}

// duplicate asks for blocks that other peers were asked for and have not sent.
// First comes the peer that has kept us waiting longest; of its requests the
// newest, since it will get to that one last. So a peer that has stalled is
// replaced first, and two that both send meet in the middle of what is left
// instead of sending the same blocks. A request that is too young, or that is likely
// to be answered before ours would be, is left to the peer that has it (decision 0031).
func (p *Picker) duplicate(now mono.Time, peer Peer, has *bitfield.Bitfield, n int, pace *Pace, given int, dst []Choice) (int, []Choice) {
	if p.cfg.EndgameCopies == 1 {
		return n, dst
	}
	p.requests.beginVisit(peer)
	last := p.requests.newest // what this call adds is not looked at
	for id := p.requests.oldest; n > 0 && id != none && p.ripe(id) <= now; id = p.requests.slab[id].newer {
		q := &p.requests.peers[p.requests.slab[id].peer]
		if q.visit != p.requests.visit {
			q.visit = p.requests.visit
			n, dst = p.duplicateOf(now, q, peer, has, n, pace, given, dst)
		}
		if id == last {
			break
		}
	}
	return n, dst
}

func (p *Picker) duplicateOf(now mono.Time, q *peerState, peer Peer, has *bitfield.Bitfield, n int, pace *Pace, given int, dst []Choice) (int, []Choice) {
	for id := q.last; n > 0 && id != none; id = p.requests.slab[id].prev {
		r := p.requests.slab[id]
		st := &p.begun.slots[r.slot]
		b := &st.blocks[r.index]
		if p.ripe(id) > now || int(b.n) >= p.cfg.EndgameCopies || !has.Has(st.piece) || p.pieces[st.piece].suspect || p.find(b, peer) != none {
			continue
		}
		mine := pace.due(now, len(dst)-given)
		if pace.Wait > 0 && p.remains(now, id) <= mine.Sub(now) {
			continue // it will be here before ours
		}
		p.ask(now, peer, r.slot, r.index, mine)
		dst = append(dst, Choice{p.ref(st.piece, r.index), why.Endgame, int32(p.Availability(st.piece))})
		n--
	}
	return n, dst
}

// ripe is when a request is old enough for its block to be asked of another peer (decision 0072).
func (p *Picker) ripe(id int32) mono.Time { return p.requests.slab[id].at.Add(p.cfg.EndgameAfter) }
