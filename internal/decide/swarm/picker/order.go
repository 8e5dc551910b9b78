package picker

import "shoal/internal/value/bitfield"

// availability counts which of the missing pieces connected peers have.
//
//shoal:part
type availability struct {
	orders [High + 1]order // free pieces by level, then by availability
	seeds  uint32          // peers counted as one on every piece; see PeerBits

	// Blocks on offer: missing, neither received nor requested, not reserved for the owner of
	// a suspect piece, and not of pieces that are left out.
	offered  int64
	orphaned int64 // of those, in pieces that only seeds can have
}

// order is the free pieces of one priority in one array, sorted by availability, the most
// common first:
//
//	| ...
//
// avail 2
// avail 1
// avail 0
// |~            ^begin[2] ^begin[1] ^begin[0]
//
// Raising a piece by one peer moves it over one boundary by one swap, so counting a HAVE is
// O(1). Removing a piece costs a swap for each bucket behind it; the rarest leave first, so
// these are usually few. Pieces come in shuffled; within a bucket the order has no meaning.
type order struct {
	pieces []uint32
	begin  []uint32 // start of each bucket; what lies before it has a higher availability
}

// buckets returns the number of buckets, some of which may be empty.
func (o *order) buckets() int { return len(o.begin) }

// bucket returns the pieces of availability a.
func (o *order) bucket(a int) []uint32 {
	if a == 0 {
		return o.pieces[o.begin[0]:]
	}
	return o.pieces[o.begin[a]:o.begin[a-1]]
}

// from returns all pieces of availability a or more, for a of 0 or 1.
func (o *order) from(a int) []uint32 {
	if a == 0 || len(o.begin) == 0 {
		return o.pieces
	}
	return o.pieces[:o.begin[a-1]]
}

// grow makes sure that bucket a exists. No piece may have a higher availability.
func (o *order) grow(a uint32) {
	for len(o.begin) <= int(a) {
		o.begin = append(o.begin, 0)
	}
}

// inc moves a piece of availability a to the bucket above.
func (o *order) inc(ps []piece, i, a uint32) {
	o.grow(a + 1)
	o.move(ps, i, o.begin[a])
	o.begin[a]++
}

// dec moves a piece of availability a to the bucket below.
func (o *order) dec(ps []piece, i, a uint32) {
	o.begin[a-1]--
	o.move(ps, i, o.begin[a-1])
}

// take removes a piece.
func (o *order) take(ps []piece, i uint32) {
	for a := ps[i].avail; a > 0; a-- {
		o.dec(ps, i, a)
	}
	last := uint32(len(o.pieces) - 1)
	o.move(ps, i, last)
	o.pieces = o.pieces[:last]
}

// put adds a piece.
func (o *order) put(ps []piece, i uint32) {
	o.grow(0)
	ps[i].pos = uint32(len(o.pieces))
	o.pieces = append(o.pieces, i)
	for a := range ps[i].avail {
		o.inc(ps, i, a)
	}
}

// move swaps piece i with the piece at that position.
func (o *order) move(ps []piece, i, to uint32) {
	from, other := ps[i].pos, o.pieces[to]
	o.pieces[from], o.pieces[to] = other, i
	ps[other].pos, ps[i].pos = from, to
}

// PeerBits counts what a peer has: old is what we counted for it before, new what it has now;
// nil stands for nothing. A peer that joins has only new, one that leaves only old, and a
// repeated bitfield both (BEP 3 allows one bitfield, deployed clients send more). While we
// have every piece nothing is counted; see Lost.
//
// A complete set costs O(1): it is counted in seeds, which stands for one on every piece. A
// peer that is complete now may have become so by HAVEs and not be counted in seeds. That
// does not matter, because taking one from seeds and taking one from every piece change every
// sum alike.
func (p *Picker) PeerBits(old, new *bitfield.Bitfield) {
	if p.pieces == nil {
		return
	}
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
		p.avail.seeds++
		return
	}
	for i := range has.Pieces() {
		p.addOne(i)
	}
}

func (p *Picker) removeBits(has *bitfield.Bitfield) {
	if has.All() && p.avail.seeds > 0 {
		p.avail.seeds--
		return
	}
	for i := range has.Pieces() {
		p.removeOne(i)
	}
}

// PeerHas counts one HAVE. The peer must not have had the piece before.
func (p *Picker) PeerHas(piece uint32) {
	if int(piece) >= len(p.pieces) {
		return
	}
	p.addOne(piece)
}

// PeerLost counts that a peer no longer has a piece (BEP 54), and removes it from has, the
// peer's set.
func (p *Picker) PeerLost(has *bitfield.Bitfield, piece uint32) {
	if p.pieces != nil && has.Has(piece) {
		if has.All() && p.avail.seeds > 0 {
			// An incomplete set is counted piece by piece.
			p.avail.seeds--
			for i := range has.Pieces() {
				p.addOne(i)
			}
		}
		p.removeOne(piece)
		p.generation++ // the set's count no longer proves that it is the same set, see isDry
	}
	has.Clear(piece)
}

// Availability returns the number of connected peers that have the piece; 0 while we have
// every piece.
func (p *Picker) Availability(piece uint32) int {
	if int(piece) >= len(p.pieces) {
		return 0
	}
	return int(p.avail.seeds + p.pieces[piece].avail)
}

func (p *Picker) addOne(i uint32) {
	pc := &p.pieces[i]
	if pc.avail == 0 {
		p.avail.orphaned -= p.offeredOf(i)
	}
	if p.isFree(i) {
		p.avail.orders[pc.level].inc(p.pieces, i, pc.avail)
	}
	pc.avail++
}

func (p *Picker) removeOne(i uint32) {
	pc := &p.pieces[i]
	if pc.avail == 0 {
		panic("picker: a peer loses a piece that was not counted for it")
	}
	if p.isFree(i) {
		p.avail.orders[pc.level].dec(p.pieces, i, pc.avail)
	}
	pc.avail--
	if pc.avail == 0 {
		p.avail.orphaned += p.offeredOf(i)
	}
}

// isFree reports whether a piece is wanted and missing and not started: it is in the order of
// its level.
func (p *Picker) isFree(i uint32) bool {
	pc := &p.pieces[i]
	return pc.level != Skip && pc.slot == none && !p.have.Has(i)
}

// offer counts n more blocks of piece i as on offer.
func (p *Picker) offer(i uint32, n int64) {
	if p.pieces[i].level == Skip {
		return
	}
	p.avail.offered += n
	if p.pieces[i].avail == 0 {
		p.avail.orphaned += n
	}
}

// offeredOf returns how many blocks piece i adds to offered.
func (p *Picker) offeredOf(i uint32) int64 {
	if p.have.Has(i) || p.pieces[i].level == Skip {
		return 0
	}
	slot := p.pieces[i].slot
	if slot == none {
		return int64(p.cfg.Blocks(i))
	}
	if st := &p.begun.slots[slot]; !st.hasOwner {
		return int64(st.free)
	}
	return 0
}

// obtainable returns the number of blocks on offer that some connected peer has.
func (p *Picker) obtainable() int64 {
	if p.avail.seeds > 0 {
		return p.avail.offered
	}
	return p.avail.offered - p.avail.orphaned
}
