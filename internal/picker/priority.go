package picker

import (
	"shoal/internal/bitfield"
	"shoal/internal/block"
	"shoal/internal/mono"
	"shoal/internal/why"
)

// Priorities of a piece. Among pieces that are new a higher one comes first, whatever
// their availability; one that is begun is finished before either, so that changing
// one's mind does not leave pieces half done.
const (
	Skip uint8 = iota // not asked for, unless a reader waits for it
	Low
	Normal
	High
)

const (
	// maxReaders bounds those who may have pieces urged.
	maxReaders = 64
	// commonShare: of so many choices one is made as if nobody waited, so that a swarm
	// of people who all watch the same film does not lack its end.
	commonShare = 8
	// urgentDuplicates is how many pieces at the head of a window may have late blocks
	// asked of a second peer.
	urgentDuplicates = 2
)

// urge is what one reader waits for: pieces from to before, in order.
type urge struct {
	reader   uint32
	from, to uint32
}

// Taken is a request that was taken back.
type Taken struct {
	Peer Peer
	Ref  block.Ref
}

// Lacks reports whether a piece is missing and asked for.
func (p *Picker) Lacks(piece uint32) bool {
	return !p.have.Has(piece) && (p.pieces[piece].prio > Skip || p.isUrged(piece))
}

// Priority gives the piece's priority.
func (p *Picker) Priority(piece uint32) uint8 { return p.pieces[piece].prio }

// SetPriorities gives each piece its priority; nil means Normal for all. What was
// received of pieces that are skipped from now on is given up: they are appended to
// given, and the requests for them to taken.
func (p *Picker) SetPriorities(prio []uint8, taken []Taken, given []uint32) ([]Taken, []uint32) {
	p.ranked = false
	for i := range p.have.Len() {
		pc := &p.pieces[i]
		was := pc.prio
		pc.prio = Normal
		if prio != nil {
			pc.prio = min(prio[i], High)
		}
		p.ranked = p.ranked || pc.prio == Low || pc.prio == High
		if !p.have.Has(i) {
			p.lacking += wanted(pc.prio) - wanted(was)
		}
		if pc.slot != none && pc.prio == Skip && was != Skip && !p.isUrged(i) {
			taken, given = p.giveUp(i, taken), append(given, i)
		}
		p.refresh(i)
	}
	p.generation++
	return taken, given
}

func wanted(prio uint8) int {
	if prio > Skip {
		return 1
	}
	return 0
}

// giveUp makes a started piece free again, whatever was received and asked of it.
func (p *Picker) giveUp(i uint32, taken []Taken) []Taken {
	slot := p.pieces[i].slot
	st := &p.slots[slot]
	for b := range st.blocks {
		for _, id := range st.blocks[b].copies[:st.blocks[b].n] {
			taken = append(taken, Taken{p.requests[id].peer, p.ref(i, uint32(b))})
		}
	}
	p.disown(slot)
	p.offer(i, -p.offeredOf(i))
	p.dropRequests(slot)
	p.releaseSlot(slot)
	p.offer(i, int64(p.cfg.Blocks(i)))
	return taken
}

// refresh shuts a piece out of what may be chosen, or lets it in again.
func (p *Picker) refresh(i uint32) {
	pc := &p.pieces[i]
	shut := pc.prio == Skip && !p.isUrged(i) && pc.slot == none && !p.have.Has(i)
	switch {
	case shut == pc.shut:
	case shut:
		p.offer(i, -int64(p.cfg.Blocks(i)))
		p.order.take(p.pieces, i)
		pc.shut = true
	case p.have.Has(i):
		pc.shut = false
	default:
		pc.shut = false
		p.order.put(p.pieces, i)
		p.offer(i, int64(p.cfg.Blocks(i)))
	}
}

// Urge says that a reader waits for the pieces from from to before to, and wants them
// in this order; none when they are equal. Beyond maxReaders it is not heard.
func (p *Picker) Urge(reader uint32, from, to uint32) {
	to = min(to, p.have.Len())
	old := urge{}
	at := -1
	for k := range p.urges {
		if p.urges[k].reader == reader {
			at, old = k, p.urges[k]
		}
	}
	switch {
	case from >= to && at < 0:
		return
	case from >= to:
		p.urges = append(p.urges[:at], p.urges[at+1:]...)
	case at >= 0:
		p.urges[at] = urge{reader, from, to}
	case len(p.urges) < maxReaders:
		p.urges = append(p.urges, urge{reader, from, to})
	}
	for i := old.from; i < old.to; i++ {
		p.refresh(i)
	}
	for i := from; i < to; i++ {
		p.refresh(i)
	}
	p.generation++
}

// Urged reports whether a reader waits for a piece that is missing.
func (p *Picker) Urged() bool {
	for _, u := range p.urges {
		for i := u.from; i < u.to; i++ {
			if !p.have.Has(i) {
				return true
			}
		}
	}
	return false
}

func (p *Picker) isUrged(i uint32) bool {
	for _, u := range p.urges {
		if u.from <= i && i < u.to {
			return true
		}
	}
	return false
}

// chooseUrgent gives the piece with a free block that a reader comes to first.
func (p *Picker) chooseUrgent(peer Peer, has *bitfield.Bitfield) int32 {
	best, nearest := p.have.Len(), p.have.Len()
	for _, u := range p.urges {
		for i := u.from; i < u.to && i-u.from < nearest; i++ {
			if p.have.Has(i) || !has.Has(i) {
				continue
			}
			slot := p.pieces[i].slot
			if slot == none && !p.full() && !(p.pieces[i].suspect && p.contributed(peer, i)) || slot != none && p.mayServe(slot, peer, has) {
				best, nearest = i, i-u.from
				break
			}
		}
	}
	switch {
	case best == p.have.Len():
		return none
	case p.pieces[best].slot != none:
		return p.pieces[best].slot
	}
	return p.start(best)
}

// duplicateUrgent asks for blocks that a reader waits for, and that another peer has
// been asked for and is late with.
func (p *Picker) duplicateUrgent(now mono.Time, peer Peer, has *bitfield.Bitfield, n int, dst []Choice) (int, []Choice) {
	for _, u := range p.urges {
		left := urgentDuplicates
		for i := u.from; i < u.to && left > 0 && n > 0; i++ {
			if p.have.Has(i) {
				continue
			}
			left--
			slot := p.pieces[i].slot
			if slot == none || !has.Has(i) || p.pieces[i].suspect {
				continue
			}
			st := &p.slots[slot]
			for k := range st.blocks {
				b := &st.blocks[k]
				if n == 0 || b.received || b.n == 0 || int(b.n) >= p.cfg.EndgameCopies || !p.late(now, b) || p.find(b, peer) != none {
					continue
				}
				p.ask(now, peer, slot, uint32(k))
				dst = append(dst, Choice{p.ref(i, uint32(k)), why.UrgentLate, int32(p.Availability(i))})
				n--
			}
		}
	}
	return n, dst
}

// late reports whether a block was asked for so long ago that a reader should not go
// on waiting for that peer alone.
func (p *Picker) late(now mono.Time, b *blockState) bool {
	for _, id := range b.copies[:b.n] {
		if now < p.requests[id].at.Add(p.cfg.UrgentAfter) {
			return false
		}
	}
	return true
}
