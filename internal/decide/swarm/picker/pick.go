package picker

import (
	"slices"
	"time"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// suspectPatience is how long one peer may keep a suspect piece to itself while another has
// nothing to do: otherwise a liar could stall the piece by sending slowly.
const suspectPatience = 60 * time.Second

// Choice is one block to request.
type Choice struct {
	Ref    block.Ref
	Why    why.Why
	Owners int32 // connected peers that have the piece
}

// Pick chooses up to n blocks of the pieces in has to request from peer now, and appends them
// to dst. They count as requested from it until Received, Abandon or AbandonAll. has is what
// the peer has, as counted by PeerBits and PeerHas, or a part of that (such as the allowed
// fast pieces while it chokes us, BEP 6). pace matters while a reader waits, and in endgame.
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
			q.barren, q.barrenAt = now.Add(p.cfg.EndgameAfter/8), p.generation // duplicate looks at every request
		}
	}
	if n > 0 && p.begun.owned == 0 && !p.full() && !(p.Endgame() && p.cfg.EndgameAfter > 0) {
		q.dry, q.dryHas, q.dryCount, q.dryEndgame = p.generation, has, has.Count(), p.Endgame()
	}
	return dst
}

// take requests up to most free blocks of a started piece, and at most n. given is the length
// of dst before this Pick.
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

// pickUrgent chooses among the pieces that readers need soon, and leaves the swarm its share
// of the read-ahead.
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
					p.settle(slot) // it may have been started just now
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

// isDry reports whether the last Pick for the peer exhausted its blocks, and nothing has
// changed since: another search would find nothing.
func (p *Picker) isDry(q *peerState, has *bitfield.Bitfield) bool {
	return q.dry == p.generation && q.dryHas == has && q.dryCount == has.Count() && q.dryEndgame == p.Endgame()
}

// choose returns a started piece with a free block for the peer, and starts one when
// necessary; none when there is none. It skips urgent pieces: pickUrgent has looked at them,
// and either they have no free block or the peer is too slow for them.
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

// claim assigns a slot to the peer; a suspect piece becomes its own.
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

// chooseStarted prefers the highest priority; then the piece that the peer last worked on,
// then the one with the fewest free blocks, then the oldest. While this peer has pieces that
// no other can bring, it leaves common pieces to the others. Without all, it leaves a piece
// that a peer on trial has started to that peer.
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

// chooseNew returns a free piece of that level that the peer has.
func (p *Picker) chooseNew(level uint8, peer Peer, has *bitfield.Bitfield, spare *uint32) (uint32, why.Why, bool) {
	lowest := 0
	if p.avail.seeds == 0 {
		lowest = 1 // nobody has the pieces below
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

// chooseSuggested returns a free piece that the peer suggests, if at most one more peer has
// it than the rarest piece: suggestions may choose among pieces of equal rarity, and must not
// undo rarest first.
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

// search looks from a random position for a piece that the peer has and that is not urgent.
// It keeps in spare the first suspect piece to whose failed copy this peer contributed.
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

// chooseHeldTooLong returns a suspect piece that another peer has kept to itself for longer
// than suspectPatience.
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

// duplicate requests blocks that other peers owe us. It begins with the peer that has kept us
// waiting longest, and of that peer's requests with the newest, which the peer will serve
// last. So a stalled peer is replaced first, and two peers that both send meet in the middle
// of what is left instead of sending the same blocks. duplicate skips a request that is too
// young, or whose answer will probably come before ours would (decision 0031).
func (p *Picker) duplicate(now mono.Time, peer Peer, has *bitfield.Bitfield, n int, pace *Pace, given int, dst []Choice) (int, []Choice) {
	if p.cfg.EndgameCopies == 1 {
		return n, dst
	}
	p.requests.beginVisit(peer)
	last := p.requests.newest // it skips the requests that this call adds
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
			continue // the other copy will be here first
		}
		p.ask(now, peer, r.slot, r.index, mine)
		dst = append(dst, Choice{p.ref(st.piece, r.index), why.Endgame, int32(p.Availability(st.piece))})
		n--
	}
	return n, dst
}

// ripe returns when a request is old enough for us to ask another peer for its block
// (decision 0072).
func (p *Picker) ripe(id int32) mono.Time { return p.requests.slab[id].at.Add(p.cfg.EndgameAfter) }
