package picker

import (
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// Priorities of a piece. Between two pieces that a peer has the higher one comes
// first, whatever is begun and however rare the other is.
const (
	Skip   uint8 = iota // not asked for, unless a reader wants it
	Low                 // after all others
	Normal              // what every piece is until it is said otherwise
	High                // before all others
)

// wantedPieces is what the user and readers want of the torrent, in numbers.
//
//shoal:part
type wantedPieces struct {
	prio    []uint8 // nil: every piece is Normal
	chosen  uint32  // pieces of a priority above Skip
	lacking uint32  // of those, how many are missing
	seeking uint32  // missing pieces of a level above Skip: those that readers want, too
}

// allPieces is what is wanted of a torrent before anyone chooses: every piece.
func allPieces(have *bitfield.Bitfield) wantedPieces {
	missing := have.Len() - have.Count()
	return wantedPieces{chosen: have.Len(), lacking: missing, seeking: missing}
}

// Taken is a request that was taken back.
type Taken struct {
	Peer Peer
	Ref  block.Ref
}

// Change is what came of a change of what is wanted. Both lists are valid until
// the next one.
type Change struct {
	Taken []Taken  // requests taken back: each should get a CANCEL
	Given []uint32 // unfinished pieces given up: their blocks are to be forgotten
	Wants bool     // whether Lacks may be another for some piece
}

// Priority gives the piece's priority.
func (p *Picker) Priority(piece uint32) uint8 {
	if p.wanted.prio == nil || piece >= p.have.Len() {
		return Normal
	}
	return p.wanted.prio[piece]
}

// Ranked reports whether some piece is of another priority than Normal.
func (p *Picker) Ranked() bool { return p.wanted.prio != nil }

// SetPriorities gives each piece its priority; more than High is High. nil, and
// what is missing at the end, means Normal. What was begun of pieces that are left
// out from now on is given up, but for a piece of which every block is here (decision 0070).
func (p *Picker) SetPriorities(prio []uint8) (c Change) {
	same := true
	for _, x := range prio {
		same = same && x == Normal
	}
	p.wanted.prio = nil
	p.wanted.chosen = p.have.Len()
	if !same {
		p.wanted.prio = make([]uint8, p.have.Len())
		for i := range p.wanted.prio {
			p.wanted.prio[i] = Normal
			if i < len(prio) {
				p.wanted.prio[i] = min(prio[i], High)
			}
			if p.wanted.prio[i] == Skip {
				p.wanted.chosen--
			}
		}
	}
	if p.pieces == nil {
		return c
	}
	p.wanted.lacking = 0
	for i := range p.have.Len() {
		if !p.have.Has(i) && p.Priority(i) != Skip {
			p.wanted.lacking++
		}
	}
	p.relevel(0, p.have.Len(), &c)
	return c
}

// levelOf is the level that a piece should have: its priority, but for pieces that
// are skipped and that a reader wants.
func (p *Picker) levelOf(i uint32) uint8 {
	level := p.Priority(i)
	if level == Skip && p.isRead(i) {
		return Low
	}
	return level
}

// relevel brings the pieces from from to before to to their levels.
func (p *Picker) relevel(from, to uint32, c *Change) {
	for i := from; i < to; i++ {
		pc := &p.pieces[i]
		was, level := pc.level, p.levelOf(i)
		if level == was {
			continue
		}
		p.generation++
		if level == Skip && pc.slot != none && !p.begun.slots[pc.slot].whole() {
			p.giveUp(i, c)
		}
		p.offer(i, -p.offeredOf(i))
		if p.isFree(i) {
			p.avail.orders[was].take(p.pieces, i)
		}
		pc.level = level
		if p.isFree(i) {
			p.avail.orders[level].put(p.pieces, i)
		}
		p.offer(i, p.offeredOf(i))
		if (was == Skip) == (level == Skip) {
			continue
		}
		c.Wants = true
		switch {
		case p.have.Has(i):
		case level == Skip:
			p.wanted.seeking--
		default:
			p.wanted.seeking++
		}
	}
}

// whole reports whether every block of a started piece has been received.
func (st *started) whole() bool { return int(st.received) == len(st.blocks) }

// giveUp makes a started piece free again, whatever was received and asked of it.
func (p *Picker) giveUp(i uint32, c *Change) {
	slot := p.pieces[i].slot
	st := &p.begun.slots[slot]
	for index := range st.blocks {
		for _, id := range st.blocks[index].copies[:st.blocks[index].n] {
			c.Taken = append(c.Taken, Taken{p.requests.slab[id].peer, p.ref(i, uint32(index))})
		}
	}
	if st.received > 0 {
		c.Given = append(c.Given, i)
	}
	p.offer(i, -p.offeredOf(i))
	p.dropRequests(slot)
	p.releaseSlot(slot)
	p.offer(i, p.offeredOf(i))
}

// count adds n to the counts of missing pieces that this one is part of.
func (p *Picker) count(i uint32, n int32) {
	if p.Priority(i) != Skip {
		p.wanted.lacking += uint32(n)
	}
	if p.pieces[i].level != Skip {
		p.wanted.seeking += uint32(n)
	}
}
