package picker

import (
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// Priorities of a piece. Of two pieces that a peer has the one with the higher priority comes
// first, whatever is started and however rare the other is.
const (
	Skip   uint8 = iota // never requested, unless a reader wants it
	Low                 // after all others
	Normal              // priority of every piece until the user chooses
	High                // before all others
)

// wantedPieces counts what the user and readers want of the torrent.
//
//shoal:part
type wantedPieces struct {
	prio    []uint8 // nil: every piece is Normal
	chosen  uint32  // pieces of a priority above Skip
	lacking uint32  // of those, missing ones
	seeking uint32  // missing pieces of a level above Skip: also those that only readers want
}

// allPieces returns the counts while every piece is wanted.
func allPieces(have *bitfield.Bitfield) wantedPieces {
	missing := have.Len() - have.Count()
	return wantedPieces{chosen: have.Len(), lacking: missing, seeking: missing}
}

// Taken is a withdrawn request.
type Taken struct {
	Peer Peer
	Ref  block.Ref
}

// Change is the consequence of a change in what we want. Both lists are valid until the next
// one.
type Change struct {
	Taken []Taken  // withdrawn requests: each should get a CANCEL
	Given []uint32 // unfinished pieces given up: the caller drops their blocks
	Wants bool     // Lacks may have changed for some piece
}

// Priority returns the piece's priority.
func (p *Picker) Priority(piece uint32) uint8 {
	if p.wanted.prio == nil || piece >= p.have.Len() {
		return Normal
	}
	return p.wanted.prio[piece]
}

// Ranked reports whether some piece has another priority than Normal.
func (p *Picker) Ranked() bool { return p.wanted.prio != nil }

// SetPriorities sets the priority of each piece; values above High mean High. nil, and
// entries missing at the end, mean Normal. Started pieces that are now left out are given up,
// except those of which every block is here (decision 0070).
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

// levelOf returns the level that a piece should have: its priority, or Low for a skipped
// piece that a reader wants.
func (p *Picker) levelOf(i uint32) uint8 {
	level := p.Priority(i)
	if level == Skip && p.isRead(i) {
		return Low
	}
	return level
}

// relevel moves the pieces from from to before to to their levels.
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

// giveUp makes a started piece free again, with all its received blocks and requests.
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

// count adds n to the counts of missing pieces that include this one.
func (p *Picker) count(i uint32, n int32) {
	if p.Priority(i) != Skip {
		p.wanted.lacking += uint32(n)
	}
	if p.pieces[i].level != Skip {
		p.wanted.seeking += uint32(n)
	}
}
