package picker

import (
	"slices"
	"time"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

const (
	// MaxReaders bounds the readers that may wait for pieces at once.
	MaxReaders = 64

	// reachBlocks is how far ahead of a reader pieces are urgent: 16 MiB, more than a second
	// of most links; but at least minReach pieces, and at most maxReach. What lies beyond is
	// fetched like any other piece until the reader comes near.
	reachBlocks = 1024
	minReach    = 8
	maxReach    = 64
	// maxUrgent bounds the urgent pieces of all readers, because every Pick looks through
	// them; but each reader may have two.
	maxUrgent = 256

	// swarmShare: of the read-ahead, one block in eight is chosen as if there were no reader,
	// so that a swarm in which everyone watches the same film does not lack its end. The
	// piece that a reader waits for is not shared.
	swarmShare = 8

	// A block is requested from a second peer if its piece is among the first standing, or
	// should be here within the horizon: later ones have time.
	standing = 2
	horizon  = 500 * time.Millisecond
	// copiesFree blocks, copiesJump more for each jump of a reader, and one in copiesShare of
	// all urgent ones may be requested from a second peer: that wastes at most about one
	// block of sixteen.
	copiesFree  = 16
	copiesJump  = 4
	copiesShare = 16
	// copyMargin is the least time that a copy should win.
	copyMargin = 50 * time.Millisecond

	// strangers is how many urgent blocks we request at once from a peer of unknown rate.
	strangers = 2
	// patience is how soon a peer of unknown rate should bring a block.
	patience = 500 * time.Millisecond
	// suspectShort replaces suspectPatience while a reader waits.
	suspectShort = 5 * time.Second
)

// Pace is the speed of one peer, and of the others. The zero Pace means that nothing is
// known.
type Pace struct {
	Wait  time.Duration // time until a block requested from this peer now is here; 0: unknown
	Block time.Duration // additional time for each further block
	Best  time.Duration // smallest Wait of any peer
	All   time.Duration // time that all peers together need for a block; 0: unknown

	InOrder bool // this peer gets pieces in order
}

// due returns when the n-th of the blocks requested now should be here.
func (pace *Pace) due(now mono.Time, n int) mono.Time {
	if pace.Wait <= 0 {
		return now.Add(patience)
	}
	return now.Add(pace.Wait + time.Duration(n)*pace.Block)
}

// by returns how soon a piece could be here, if missing blocks of it and of the pieces before
// it are missing and the work is well shared: the time that the fastest peer needs to begin,
// the time that all peers together need for the blocks, and a quarter more of the latter.
func (pace *Pace) by(missing int) time.Duration {
	return pace.Best + time.Duration(missing)*pace.All*5/4
}

// allows returns how many blocks of a piece, at most most, we may request from this peer,
// which already has n: those that it brings by the time that the piece could be here. A peer
// of unknown rate gets a few to show its rate. A peer that is too slow gets some when no
// other takes the piece: the time that the reader has waited there counts twice.
func (pace *Pace) allows(n, most, missing int, stood time.Duration) int {
	if pace.Wait <= 0 {
		return min(most, max(strangers-n, 0))
	}
	if pace.All <= 0 {
		return most
	}
	spare := pace.by(missing) + 2*stood - pace.Wait - time.Duration(n)*pace.Block
	switch {
	case spare < 0:
		return 0
	case pace.Block <= 0:
		return most
	}
	return int(min(int64(spare/pace.Block)+1, int64(most)))
}

// reading is what readers wait for, and what we did for them.
//
//shoal:part
type reading struct {
	readers []reader
	stale   bool  // progress.urgent must be computed again
	debt    int   // blocks read ahead since the swarm had its share
	jumps   int64 // jumps of readers since the start
	asked   int64 // urgent blocks requested since the start
	copied  int64 // urgent blocks requested from one more peer since the start
}

// changed makes the next rank compute the urgent pieces again.
func (r *reading) changed() { r.stale = true }

// lost makes each reader look again from where it began: a piece that it had passed is gone.
func (r *reading) lost() {
	for i := range r.readers {
		r.readers[i].first = r.readers[i].from
	}
	r.stale = true
}

// requested counts n urgent blocks that we requested. ahead says that no reader waits for
// their piece, so they count against the swarm's share.
func (r *reading) requested(n int, ahead bool) {
	r.asked += int64(n)
	if ahead {
		r.debt += n
	}
}

// repaid says that the swarm had its share of the read-ahead.
func (r *reading) repaid() { r.debt = 0 }

// reader is a user of the torrent that reads while we fetch.
type reader struct {
	id       uint32
	from, to uint32    // wanted: the pieces from..to-1, in order
	first    uint32    // we have every piece from from to before first
	front    uint32    // piece it waited for when urgent was computed
	since    mono.Time // time since when it waits for front
}

// urgent is a missing piece that a reader needs soon.
type urgent struct {
	piece uint32
	rank  uint8     // number of missing pieces before it
	since mono.Time // time since when its reader waits for the same piece
}

// Urge says that a reader wants the pieces from from to before to, first and in this order,
// whatever their priority; nothing more when they are equal. jumped tells that it now waits
// for a piece that was not urgent before. Urge ignores more than MaxReaders readers (decision
// 0071).
func (p *Picker) Urge(id, from, to uint32) (c Change, jumped bool) {
	to = min(to, p.have.Len())
	from = min(from, to)
	at := slices.IndexFunc(p.reading.readers, func(r reader) bool { return r.id == id })
	var old reader
	if at >= 0 {
		old = p.reading.readers[at]
	}
	r := reader{id: id, from: from, to: to, first: from, front: old.front, since: old.since}
	switch {
	case from == to && at < 0, at < 0 && len(p.reading.readers) == MaxReaders:
		return c, false
	case from == to:
		p.reading.readers = slices.Delete(p.reading.readers, at, at+1)
	case at < 0:
		r.front = p.have.Len()
		p.reading.readers = append(p.reading.readers, r)
	default:
		p.reading.readers[at] = r
	}
	p.reading.stale = true
	if p.pieces == nil {
		return c, false
	}
	if from < to {
		front := p.nextMissing(from, to)
		if jumped = front < to && p.pieces[front].rank == 0; jumped {
			p.reading.jumps++
		}
	}
	p.relevel(old.from, old.to, &c)
	p.relevel(from, to, &c)
	return c, jumped
}

// Reading reports whether a reader waits for a missing piece.
func (p *Picker) Reading(now mono.Time) bool {
	p.rank(now)
	return len(p.urgent) > 0
}

// Urgent reports whether a reader needs a piece soon.
func (p *Picker) Urgent(piece uint32) bool {
	return int(piece) < len(p.pieces) && p.pieces[piece].rank > 0
}

// Offers reports whether has holds a piece that a reader needs soon.
func (p *Picker) Offers(has *bitfield.Bitfield) bool {
	for k := range p.urgent {
		if has.Has(p.urgent[k].piece) {
			return true
		}
	}
	return false
}

// isRead reports whether a reader wants a piece, soon or later.
func (p *Picker) isRead(i uint32) bool {
	for k := range p.reading.readers {
		if r := &p.reading.readers[k]; r.from <= i && i < r.to {
			return true
		}
	}
	return false
}

// rank computes the list of urgent pieces again when it is stale: the first missing pieces of
// each reader, with those that a reader waits for at the top.
func (p *Picker) rank(now mono.Time) {
	if !p.reading.stale || p.pieces == nil {
		return
	}
	p.reading.stale = false
	p.generation++ // urgent pieces are left to peers that are fast enough
	for _, u := range p.urgent {
		p.pieces[u.piece].rank = 0
	}
	p.urgent = p.urgent[:0]
	reach := p.reach()
	for k := range p.reading.readers {
		r := &p.reading.readers[k]
		r.first = p.nextMissing(r.first, r.to)
		if r.first != r.front {
			r.front, r.since = r.first, now
		}
		i := r.first
		for n := 0; n < reach && i < r.to; n++ {
			p.urgent = append(p.urgent, urgent{piece: i, rank: uint8(n), since: r.since})
			i = p.nextMissing(i+1, r.to)
		}
	}
	slices.SortStableFunc(p.urgent, func(a, b urgent) int { return int(a.rank) - int(b.rank) })
	kept := p.urgent[:0]
	for _, u := range p.urgent {
		if pc := &p.pieces[u.piece]; pc.rank == 0 { // else another reader is nearer
			pc.rank = u.rank + 1
			kept = append(kept, u)
		}
	}
	p.urgent = kept
}

// nextMissing returns the first missing piece from i on; to when there is none below.
func (p *Picker) nextMissing(i, to uint32) uint32 {
	for i < to && p.have.Has(i) {
		i++
	}
	return i
}

// reach returns how many missing pieces are urgent for each reader.
func (p *Picker) reach() int {
	n := min(max(reachBlocks/int(p.cfg.Blocks(0)), minReach), maxReach)
	return min(n, max(maxUrgent/max(len(p.reading.readers), 1), 2))
}

// chooseUrgent returns a piece with free blocks that a reader needs soon and for which this
// peer is fast enough, and how many blocks of it to request, at most room. The peer has just
// been assigned n blocks. ahead tells that no reader waits for this piece yet.
func (p *Picker) chooseUrgent(now mono.Time, peer Peer, has *bitfield.Bitfield, pace *Pace, n, room int) (slot int32, most int, ahead bool) {
	missing := 0
	for k := range p.urgent {
		u := &p.urgent[k]
		pc := &p.pieces[u.piece]
		missing += p.missingOf(u.piece)
		if !has.Has(u.piece) {
			continue
		}
		alone := p.Availability(u.piece) == 1 // no other peer can bring it
		if pc.slot == none {
			if pc.suspect && !alone && p.contributed(peer, u.piece) {
				continue
			}
		} else if st := &p.begun.slots[pc.slot]; st.free == 0 ||
			st.hasOwner && st.owner != peer && now.Sub(st.since) < suspectShort {
			continue
		}
		most = room
		if !alone {
			most = pace.allows(n, room, missing, now.Sub(u.since))
		}
		if most == 0 {
			continue
		}
		if pc.slot == none {
			p.start(u.piece)
		}
		return pc.slot, most, u.rank > 0
	}
	return none, 0, false
}

// missingOf returns how many blocks of a missing piece we have not received.
func (p *Picker) missingOf(i uint32) int {
	n := int(p.cfg.Blocks(i))
	if slot := p.pieces[i].slot; slot != none {
		n -= int(p.begun.slots[slot].received)
	}
	return n
}

// copyUrgent requests blocks of the pieces that readers wait for and that another peer will
// bring too late, by its rate or because it is overdue. Too late is after the piece could be
// here, and after twice the time that this peer needs. Each block is requested from one more
// peer, and few enough of all urgent ones that the cost is small.
func (p *Picker) copyUrgent(now mono.Time, peer Peer, has *bitfield.Bitfield, pace *Pace, n int, dst []Choice) (int, []Choice) {
	if p.cfg.EndgameCopies == 1 {
		return n, dst
	}
	given, missing := len(dst), 0
	for k := range p.urgent {
		u := &p.urgent[k]
		missing += p.missingOf(u.piece)
		by := pace.by(missing)
		if n == 0 || int(u.rank) >= standing && by > horizon {
			break
		}
		pc := &p.pieces[u.piece]
		if pc.slot == none || pc.suspect || !has.Has(u.piece) || p.begun.slots[pc.slot].requests == 0 {
			continue
		}
		st := &p.begun.slots[pc.slot]
		for index := range st.blocks {
			b := &st.blocks[index]
			if n == 0 || p.reading.copied >= copiesFree+p.reading.jumps*copiesJump+p.reading.asked/copiesShare {
				return n, dst
			}
			if b.n != 1 || p.requests.slab[b.copies[0]].peer == peer {
				continue
			}
			mine := pace.due(now, len(dst)-given)
			if p.remains(now, b.copies[0]) <= max(by, 2*mine.Sub(now))+copyMargin {
				continue
			}
			p.reading.copied++
			p.ask(now, peer, pc.slot, uint32(index), mine)
			dst = append(dst, Choice{p.ref(u.piece, uint32(index)), why.UrgentLate, int32(p.Availability(u.piece))})
			n--
		}
	}
	return n, dst
}

// remains returns how long a request will probably still take. We assume that an overdue one
// needs as long again as it is overdue.
func (p *Picker) remains(now mono.Time, id int32) time.Duration {
	d := p.requests.slab[id].due.Sub(now)
	if d < 0 {
		return -d
	}
	return d
}
