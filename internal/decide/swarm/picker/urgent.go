package picker

import (
	"slices"
	"time"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

const (
	// MaxReaders bounds those who may wait for pieces at once.
	MaxReaders = 64

	// reachBlocks is how far before a reader pieces are urgent: 16 MiB, more than a
	// second of most links; but minReach pieces at least, and maxReach at most. What
	// lies beyond is fetched like any other piece until the reader comes near.
	reachBlocks = 1024
	minReach    = 8
	maxReach    = 64
	// maxUrgent bounds the urgent pieces of all readers, which every Pick looks
	// through; but each reader may have two.
	maxUrgent = 256

	// swarmShare: of what is read ahead, one block in so many is taken as if nobody
	// read, so that a swarm of people who all watch the same film does not lack its
	// end. What a reader stands before is not shared.
	swarmShare = 8

	// A block is asked of a second peer where its piece is one of the first standing,
	// or comes within the horizon: later ones have time.
	standing = 2
	horizon  = 500 * time.Millisecond
	// copiesFree blocks, copiesJump more for each jump of a reader, and one in
	// copiesShare of all urgent ones may be asked of a second peer: what that can
	// waste of a stream is about one in sixteen.
	copiesFree  = 16
	copiesJump  = 4
	copiesShare = 16
	// copyMargin is what a copy should win at least.
	copyMargin = 50 * time.Millisecond

	// strangers is how many urgent blocks are asked at once of a peer of which nothing
	// is known.
	strangers = 2
	// patience is the time in which a peer of unknown rate should bring a block.
	patience = 500 * time.Millisecond
	// suspectShort is suspectPatience where a reader waits.
	suspectShort = 5 * time.Second
)

// Pace says how quick a peer is, and how quick the others are. The zero Pace says
// that nothing is known.
type Pace struct {
	Wait  time.Duration // until a block asked of this peer now is here; 0: unknown
	Block time.Duration // and so much more for each one after it
	Best  time.Duration // the least Wait of any peer
	All   time.Duration // that all peers together need for a block; 0: unknown

	InOrder bool // pieces are wanted in order, of this peer
}

// due is when the n-th of the blocks asked for now should be here.
func (pace *Pace) due(now mono.Time, n int) mono.Time {
	if pace.Wait <= 0 {
		return now.Add(patience)
	}
	return now.Add(pace.Wait + time.Duration(n)*pace.Block)
}

// by is how soon a piece could be here when so many blocks are missing of it and of
// what is read before it, and the work is well shared: what the quickest peer needs to
// begin, and all peers together for the blocks, and a quarter more.
func (pace *Pace) by(missing int) time.Duration {
	return pace.Best + time.Duration(missing)*pace.All*5/4
}

// allows is how many blocks, most at most, this peer may be asked for of a piece that
// could be here by then, being given n blocks already: those that it brings in time. A
// peer of which nothing is known gets a few to show its rate. Who is too slow is let in
// all the same when nobody else takes the piece: the time that the reader has stood
// there counts twice.
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

// reading is what readers wait for, and what was done for them.
//
//shoal:part
type reading struct {
	readers []reader
	stale   bool  // progress.urgent must be made again
	debt    int   // blocks read ahead since the swarm had its share
	jumps   int64 // of readers, ever
	asked   int64 // urgent blocks, ever
	copied  int64 // urgent blocks requested from one more peer, ever
}

// changed makes the next look at the readers rank the pieces again.
func (r *reading) changed() { r.stale = true }

// lost makes each reader look again from where it began: a piece that it was past is gone.
func (r *reading) lost() {
	for i := range r.readers {
		r.readers[i].first = r.readers[i].from
	}
	r.stale = true
}

// requested counts n urgent blocks that a peer was asked for. ahead: no reader stands
// before them, so that they are shared with the swarm.
func (r *reading) requested(n int, ahead bool) {
	r.asked += int64(n)
	if ahead {
		r.debt += n
	}
}

// repaid says that the swarm had its share of what is read ahead.
func (r *reading) repaid() { r.debt = 0 }

// reader is somebody who reads the torrent while it is fetched.
type reader struct {
	id       uint32
	from, to uint32    // what is wanted: the pieces from..to-1, in order
	first    uint32    // every piece from from to here is had
	front    uint32    // the piece it stood before when urgent was made
	since    mono.Time // since when
}

// urgent is a missing piece that a reader comes to soon.
type urgent struct {
	piece uint32
	rank  uint8     // how many missing pieces lie before it
	since mono.Time // since when its reader has stood before the same piece
}

// Urge says that a reader wants the pieces from from to before to, first and in
// this order, whatever their priority; nothing more when they are equal. jumped
// tells that it stands before pieces now that were not urgent until now. More than
// MaxReaders are not heard (decision 0071).
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

// Reading reports whether a reader waits for a piece that is missing.
func (p *Picker) Reading(now mono.Time) bool {
	p.rank(now)
	return len(p.urgent) > 0
}

// Urgent reports whether a piece is one that a reader comes to soon.
func (p *Picker) Urgent(piece uint32) bool {
	return int(piece) < len(p.pieces) && p.pieces[piece].rank > 0
}

// Offers reports whether has holds a piece that a reader comes to soon.
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

// rank makes the list of urgent pieces anew when it is stale: the first missing
// pieces of each reader, those that one stands before at the top.
func (p *Picker) rank(now mono.Time) {
	if !p.reading.stale || p.pieces == nil {
		return
	}
	p.reading.stale = false
	p.generation++ // what is urgent is left to those who are quick enough
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

// nextMissing gives the first missing piece from i on; to when there is none below.
func (p *Picker) nextMissing(i, to uint32) uint32 {
	for i < to && p.have.Has(i) {
		i++
	}
	return i
}

// reach is how many missing pieces are urgent before each reader.
func (p *Picker) reach() int {
	n := min(max(reachBlocks/int(p.cfg.Blocks(0)), minReach), maxReach)
	return min(n, max(maxUrgent/max(len(p.reading.readers), 1), 2))
}

// chooseUrgent gives a piece with free blocks that a reader comes to soon and that
// this peer is quick enough for, and how many blocks of it, room at most. It has
// been given n blocks just now. ahead tells that no reader stands before the piece.
func (p *Picker) chooseUrgent(now mono.Time, peer Peer, has *bitfield.Bitfield, pace *Pace, n, room int) (slot int32, most int, ahead bool) {
	missing := 0
	for k := range p.urgent {
		u := &p.urgent[k]
		pc := &p.pieces[u.piece]
		missing += p.missingOf(u.piece)
		if !has.Has(u.piece) {
			continue
		}
		alone := p.Availability(u.piece) == 1 // nobody else can bring it
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

// missingOf is how many blocks of a missing piece have not been received.
func (p *Picker) missingOf(i uint32) int {
	n := int(p.cfg.Blocks(i))
	if slot := p.pieces[i].slot; slot != none {
		n -= int(p.begun.slots[slot].received)
	}
	return n
}

// copyUrgent asks for blocks that a reader stands before, and that another peer was
// asked for and will bring too late: by what its rate promised, or because what it
// promised is over. Too late is after the piece could be here, and after twice the time
// that this peer needs. Each is asked of one more peer, and of all that are urgent so
// few that it costs little.
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

// remains is how long a request is likely to take from now on. One that is overdue
// is taken to need as long again as it is overdue.
func (p *Picker) remains(now mono.Time, id int32) time.Duration {
	d := p.requests.slab[id].due.Sub(now)
	if d < 0 {
		return -d
	}
	return d
}
