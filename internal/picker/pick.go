package picker

import (
	"slices"
	"time"

	"shoal/internal/bitfield"
	"shoal/internal/block"
	"shoal/internal/mono"
	"shoal/internal/why"
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
// part of that (such as the allowed fast pieces while it chokes us, BEP 6).
func (p *Picker) Pick(now mono.Time, peer Peer, has *bitfield.Bitfield, n int, dst []Choice) []Choice {
	q := p.peer(peer)
	if n <= 0 || p.have.All() || len(p.urges) == 0 && p.isDry(q, has) {
		return dst
	}
	if len(p.urges) > 0 {
		n, dst = p.duplicateUrgent(now, peer, has, n, dst)
	}
	for n > 0 {
		slot, reason := p.choose(now, peer, has)
		if slot == none {
			break
		}
		st := &p.slots[slot]
		owners := int32(p.Availability(st.piece))
		for ; n > 0 && st.free > 0; n-- {
			index := st.nextFree()
			p.useBlock(slot)
			p.ask(now, peer, slot, index)
			dst = append(dst, Choice{p.ref(st.piece, index), reason, owners})
		}
	}
	if n > 0 && p.Endgame() {
		n, dst = p.duplicate(now, peer, has, n, dst)
	}
	if n > 0 && p.owned == 0 && !p.full() && !(p.Endgame() && p.cfg.EndgameAfter > 0) {
		q.dry, q.dryHas, q.dryCount, q.dryEndgame = p.generation, has, has.Count(), p.Endgame()
	}
	return dst
}

// isDry reports whether the last Pick for the peer emptied what there is for it,
// and nothing has changed since: then searching again would find nothing.
func (p *Picker) isDry(q *peerState, has *bitfield.Bitfield) bool {
	return q.dry == p.generation && q.dryHas == has && q.dryCount == has.Count() && q.dryEndgame == p.Endgame()
}

// choose gives a started piece with a free block for the peer; it starts one
// when need be. It gives none when there is none.
func (p *Picker) choose(now mono.Time, peer Peer, has *bitfield.Bitfield) (int32, why.Why) {
	if len(p.urges) > 0 {
		if p.choices++; p.choices%commonShare != 0 {
			if slot := p.chooseUrgent(peer, has); slot != none {
				return p.claim(now, peer, slot, why.Urgent)
			}
		}
	}
	if slot := p.chooseStarted(peer, has); slot != none {
		return p.claim(now, peer, slot, why.Started)
	}
	if !p.full() {
		if i, reason, ok := p.chooseNew(peer, has); ok {
			return p.claim(now, peer, p.start(i), reason)
		}
	}
	if p.owned > 0 {
		if slot := p.chooseHeldTooLong(now, has); slot != none {
			return p.claim(now, peer, slot, why.Started)
		}
	}
	return none, why.None
}

// claim gives the peer a slot to work on; a suspect piece becomes its own.
func (p *Picker) claim(now mono.Time, peer Peer, slot int32, reason why.Why) (int32, why.Why) {
	st := &p.slots[slot]
	if !p.pieces[st.piece].suspect {
		return slot, reason
	}
	if !st.hasOwner || st.owner != peer {
		p.own(slot, peer, now)
	}
	return slot, why.Suspect
}

// full reports whether no further piece may be started.
func (p *Picker) full() bool { return p.busyCount >= minStarted && p.busy >= p.cfg.MaxStarted }

// chooseStarted prefers the piece that the peer last worked on, then the one
// with the fewest blocks to ask for, then the oldest.
func (p *Picker) chooseStarted(peer Peer, has *bitfield.Bitfield) int32 {
	if q := &p.peers[peer]; q.worked {
		if slot := p.pieces[q.piece].slot; slot != none && p.mayServe(slot, peer, has) {
			return slot
		}
	}
	best := int32(none)
	for _, slot := range p.open {
		if p.mayServe(slot, peer, has) && (best == none || p.slots[slot].before(&p.slots[best])) {
			best = slot
		}
	}
	return best
}

func (p *Picker) mayServe(slot int32, peer Peer, has *bitfield.Bitfield) bool {
	st := &p.slots[slot]
	return st.free > 0 && has.Has(st.piece) && (!st.hasOwner || st.owner == peer)
}

func (st *started) before(other *started) bool {
	if st.free != other.free {
		return st.free < other.free
	}
	return st.sequence < other.sequence
}

// chooseNew gives a free piece that the peer has.
func (p *Picker) chooseNew(peer Peer, has *bitfield.Bitfield) (uint32, why.Why, bool) {
	lowest := 0
	if p.seeds == 0 {
		lowest = 1 // nobody has what is below
	}
	spare := p.have.Len() // no piece
	for prio := High; prio > Skip; prio-- {
		if !p.ranked {
			prio = 0 // all are alike
		}
		if p.randomFirst() {
			if i, ok := p.search(p.order.free(lowest), peer, has, prio, &spare); ok {
				return i, why.RandomFirst, true
			}
		} else {
			for a := lowest; a < p.order.buckets(); a++ {
				if i, ok := p.search(p.order.bucket(a), peer, has, prio, &spare); ok {
					return i, why.Rarest, true
				}
			}
		}
		if prio == 0 {
			break
		}
	}
	return spare, why.Suspect, spare < p.have.Len()
}

func (p *Picker) randomFirst() bool {
	return p.have.Len() > randomFirstPieces && int64(p.have.Count()) < int64(p.cfg.RandomFirst)
}

// search looks from a random place on for a piece that the peer has, of a priority
// when one is given. A suspect
// piece whose failed copy came from this peer in part is kept as spare.
func (p *Picker) search(among []uint32, peer Peer, has *bitfield.Bitfield, prio uint8, spare *uint32) (uint32, bool) {
	if len(among) == 0 {
		return 0, false
	}
	at := 0
	if len(among) > 1 {
		at = p.rng.IntN(len(among))
	}
	for _, part := range [2][]uint32{among[at:], among[:at]} {
		for _, i := range part {
			if !has.Has(i) || prio > 0 && p.pieces[i].prio != prio {
				continue
			}
			if p.pieces[i].suspect && p.contributed(peer, i) {
				*spare = i
				continue
			}
			return i, true
		}
	}
	return 0, false
}

// contributed reports whether the peer sent part of the failed copy of a piece.
func (p *Picker) contributed(peer Peer, i uint32) bool {
	sender := p.peers[peer].sender
	if sender == 0 {
		return false
	}
	_, found := slices.BinarySearch(p.failures[i], sender)
	return found
}

// chooseHeldTooLong gives a suspect piece that another peer has kept to itself
// for longer than suspectPatience.
func (p *Picker) chooseHeldTooLong(now mono.Time, has *bitfield.Bitfield) int32 {
	best := int32(none)
	for _, slot := range p.open {
		st := &p.slots[slot]
		if !st.hasOwner || now.Sub(st.since) < suspectPatience || !has.Has(st.piece) {
			continue
		}
		if best == none || st.before(&p.slots[best]) {
			best = slot
		}
	}
	return best
}

// duplicate asks for blocks that other peers were asked for and have not sent.
// First comes the peer that has kept us waiting longest; of its requests the
// newest, since it will get to that one last. So a peer that has stalled is
// replaced first, and two that both send meet in the middle of what is left
// instead of sending the same blocks. A request that is too young is left to the
// peer that has it: most likely its block is on the way.
func (p *Picker) duplicate(now mono.Time, peer Peer, has *bitfield.Bitfield, n int, dst []Choice) (int, []Choice) {
	if p.cfg.EndgameCopies == 1 {
		return n, dst
	}
	p.visit++
	p.peers[peer].visit = p.visit
	last := p.newest // what this call adds is not looked at
	for id := p.oldest; n > 0 && id != none && p.ripe(id) <= now; id = p.requests[id].newer {
		q := &p.peers[p.requests[id].peer]
		if q.visit != p.visit {
			q.visit = p.visit
			n, dst = p.duplicateOf(now, q, peer, has, n, dst)
		}
		if id == last {
			break
		}
	}
	return n, dst
}

func (p *Picker) duplicateOf(now mono.Time, q *peerState, peer Peer, has *bitfield.Bitfield, n int, dst []Choice) (int, []Choice) {
	for id := q.last; n > 0 && id != none; id = p.requests[id].prev {
		r := p.requests[id]
		st := &p.slots[r.slot]
		b := &st.blocks[r.index]
		if p.ripe(id) > now || int(b.n) >= p.cfg.EndgameCopies || !has.Has(st.piece) || p.pieces[st.piece].suspect || p.find(b, peer) != none {
			continue
		}
		p.ask(now, peer, r.slot, r.index)
		dst = append(dst, Choice{p.ref(st.piece, r.index), why.Endgame, int32(p.Availability(st.piece))})
		n--
	}
	return n, dst
}

// ripe is when a request is old enough for its block to be asked of another peer.
func (p *Picker) ripe(id int32) mono.Time { return p.requests[id].at.Add(p.cfg.EndgameAfter) }

// NextRipe is when the next request becomes old enough for its block to be asked
// of another peer in endgame; mono.Never when all are, or there are none.
func (p *Picker) NextRipe(now mono.Time) mono.Time {
	for id := p.oldest; id != none; id = p.requests[id].newer {
		if t := p.ripe(id); t > now {
			return t
		}
	}
	return mono.Never
}
