package picker

import "shoal/internal/block"

// Priorities of a piece. Between two pieces that a peer has the higher one comes
// first, whatever is begun and however rare the other is.
const (
	Skip   uint8 = iota // not asked for, unless a reader wants it
	Low                 // after all others
	Normal              // what every piece is until it is said otherwise
	High                // before all others
)

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
	if p.prio == nil || piece >= p.have.Len() {
		return Normal
	}
	return p.prio[piece]
}

// Ranked reports whether some piece is of another priority than Normal.
func (p *Picker) Ranked() bool { return p.prio != nil }

// SetPriorities gives each piece its priority; more than High is High. nil, and
// what is missing at the end, means Normal. What was begun of pieces that are left
// out from now on is given up, but for a piece of which every block is here (decision 0070).
func (p *Picker) SetPriorities(prio []uint8) (c Change) {
	same := true
	for _, x := range prio {
		same = same && x == Normal
	}
	p.prio = nil
	p.chosen = p.have.Len()
	if !same {
		p.prio = make([]uint8, p.have.Len())
		for i := range p.prio {
			p.prio[i] = Normal
			if i < len(prio) {
				p.prio[i] = min(prio[i], High)
			}
			if p.prio[i] == Skip {
				p.chosen--
			}
		}
	}
	if p.pieces == nil {
		return c
	}
	p.lacking = 0
	for i := range p.have.Len() {
		if !p.have.Has(i) && p.Priority(i) != Skip {
			p.lacking++
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
		if level == Skip && pc.slot != none && !p.slots[pc.slot].whole() {
			p.giveUp(i, c)
		}
		p.offer(i, -p.offeredOf(i))
		if p.isFree(i) {
			p.orders[was].take(p.pieces, i)
		}
		pc.level = level
		if p.isFree(i) {
			p.orders[level].put(p.pieces, i)
		}
		p.offer(i, p.offeredOf(i))
		if (was == Skip) == (level == Skip) {
			continue
		}
		c.Wants = true
		switch {
		case p.have.Has(i):
		case level == Skip:
			p.seeking--
		default:
			p.seeking++
		}
	}
}

// whole reports whether every block of a started piece has been received.
func (st *started) whole() bool { return int(st.received) == len(st.blocks) }

// giveUp makes a started piece free again, whatever was received and asked of it.
func (p *Picker) giveUp(i uint32, c *Change) {
	slot := p.pieces[i].slot
	st := &p.slots[slot]
	for index := range st.blocks {
		for _, id := range st.blocks[index].copies[:st.blocks[index].n] {
			c.Taken = append(c.Taken, Taken{p.requests[id].peer, p.ref(i, uint32(index))})
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
