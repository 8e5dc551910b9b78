package picker

import (
	"math/rand/v2"

	"shoal/internal/bitfield"
)

// order is all pieces in one array, the free ones sorted by availability:
//
//	| had or started | free, avail 0 | free, avail 1 | free, avail 2 | ...
//	                 ^start[0]       ^start[1]       ^start[2]
//
// A piece that one more peer has moves over one boundary by one swap, so
// counting a HAVE is O(1). Taking a piece out of the free ones costs a swap for
// each bucket below it: the rarest are taken first, so that is seldom many. The
// array is shuffled at the start; within a bucket no order is meant.
type order struct {
	pieces []uint32
	start  []uint32 // where bucket a begins; one more at the end, len(pieces)
}

func newOrder(n uint32, rng *rand.Rand) order {
	o := order{pieces: make([]uint32, n), start: []uint32{0, n}}
	for i := range o.pieces {
		o.pieces[i] = uint32(i)
	}
	rng.Shuffle(len(o.pieces), func(i, j int) {
		o.pieces[i], o.pieces[j] = o.pieces[j], o.pieces[i]
	})
	return o
}

// buckets is the number of buckets, some of which may be empty.
func (o *order) buckets() int { return len(o.start) - 1 }

// bucket gives the free pieces of availability a.
func (o *order) bucket(a int) []uint32 { return o.pieces[o.start[a]:o.start[a+1]] }

// free gives all free pieces of at least that availability.
func (o *order) free(a int) []uint32 {
	if a >= o.buckets() {
		return nil
	}
	return o.pieces[o.start[a]:]
}

// grow makes sure that there is a bucket of availability a.
func (o *order) grow(a uint32) {
	for o.buckets() <= int(a) {
		o.start = append(o.start, uint32(len(o.pieces)))
	}
}

// inc moves a free piece of availability a to the bucket above.
func (o *order) inc(ps []piece, i, a uint32) {
	o.start[a+1]--
	o.move(ps, i, o.start[a+1])
}

// dec moves a free piece of availability a to the bucket below.
func (o *order) dec(ps []piece, i, a uint32) {
	o.move(ps, i, o.start[a])
	o.start[a]++
}

// take moves a free piece to those that are had or started.
func (o *order) take(ps []piece, i uint32) {
	for a := int(ps[i].avail); a >= 0; a-- {
		o.dec(ps, i, uint32(a))
	}
}

// put makes a piece free again.
func (o *order) put(ps []piece, i uint32) {
	o.start[0]--
	o.move(ps, i, o.start[0])
	for a := range ps[i].avail {
		o.inc(ps, i, a)
	}
}

// move swaps piece i with whatever is at that place.
func (o *order) move(ps []piece, i, to uint32) {
	from, other := ps[i].pos, o.pieces[to]
	o.pieces[from], o.pieces[to] = other, i
	ps[other].pos, ps[i].pos = from, to
}

// PeerBits counts what a peer has: old is what was counted for it before, new
// what it has now; nil stands for nothing. A peer that joins brings new, one
// that leaves old, and a repeated bitfield both (BEP 3 allows one bitfield,
// deployed clients send more).
//
// A complete set costs O(1): it is counted in seeds, which stands for one on
// every piece. Whether a peer that is complete now was counted that way (it may
// have become so by HAVEs) does not matter, because taking one from seeds and
// taking one from every piece change every sum alike.
func (p *Picker) PeerBits(old, new *bitfield.Bitfield) {
	if new != nil {
		p.addBits(new)
	}
	if old != nil {
		p.removeBits(old)
	}
	p.generation++ // a set may have been replaced in place, see isDry
}

func (p *Picker) addBits(has *bitfield.Bitfield) {
	if has.All() {
		p.seeds++
		return
	}
	for i := range has.Pieces() {
		p.addOne(i)
	}
}

func (p *Picker) removeBits(has *bitfield.Bitfield) {
	if has.All() && p.seeds > 0 {
		p.seeds--
		return
	}
	for i := range has.Pieces() {
		p.removeOne(i)
	}
}

// PeerHas counts one HAVE. It must be news: the peer did not have the piece.
func (p *Picker) PeerHas(piece uint32) {
	if piece >= p.have.Len() {
		return
	}
	p.addOne(piece)
}

// Availability is the number of connected peers that have the piece.
func (p *Picker) Availability(piece uint32) int {
	if piece >= p.have.Len() {
		return 0
	}
	return int(p.seeds + p.pieces[piece].avail)
}

func (p *Picker) addOne(i uint32) {
	pc := &p.pieces[i]
	p.order.grow(pc.avail + 1)
	if pc.avail == 0 {
		p.orphaned -= p.offeredOf(i)
	}
	if p.isFree(i) {
		p.order.inc(p.pieces, i, pc.avail)
	}
	pc.avail++
}

func (p *Picker) removeOne(i uint32) {
	pc := &p.pieces[i]
	if pc.avail == 0 {
		panic("picker: a peer takes away a piece that was not counted for it")
	}
	if p.isFree(i) {
		p.order.dec(p.pieces, i, pc.avail)
	}
	pc.avail--
	if pc.avail == 0 {
		p.orphaned += p.offeredOf(i)
	}
}

// isFree reports whether a piece is neither had nor started.
func (p *Picker) isFree(i uint32) bool { return p.pieces[i].pos >= p.order.start[0] }

// offer counts n more blocks of piece i as on offer.
func (p *Picker) offer(i uint32, n int64) {
	p.offered += n
	if p.pieces[i].avail == 0 {
		p.orphaned += n
	}
}

// offeredOf is what piece i adds to offered.
func (p *Picker) offeredOf(i uint32) int64 {
	if p.have.Has(i) || p.pieces[i].shut {
		return 0
	}
	slot := p.pieces[i].slot
	if slot == none {
		return int64(p.cfg.Blocks(i))
	}
	if st := &p.slots[slot]; !st.hasOwner {
		return int64(st.free)
	}
	return 0
}

// obtainable is the number of blocks on offer that some connected peer has.
func (p *Picker) obtainable() int64 {
	if p.seeds > 0 {
		return p.offered
	}
	return p.offered - p.orphaned
}
