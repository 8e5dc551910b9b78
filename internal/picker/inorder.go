package picker

import "shoal/internal/bitfield"

const (
	// orderShare: of the pieces that are begun in order, every so many-th is begun as if
	// there were none, so that a swarm of people who all read the same does not lack its
	// end.
	orderShare = 4
	// orderLooks bounds how far from the first missing piece on one is looked for.
	orderLooks = 4096
)

// chooseInOrder gives the first free piece that the peer has, unless it is the turn of the
// rest of the swarm.
func (p *Picker) chooseInOrder(level uint8, has *bitfield.Bitfield) (uint32, bool) {
	for p.first < p.have.Len() && p.have.Has(p.first) {
		p.first++
	}
	if p.ordered == orderShare-1 {
		p.ordered = 0
		return 0, false
	}
	for i := p.first; i < p.have.Len() && i < p.first+orderLooks; i++ {
		pc := &p.pieces[i]
		if pc.level == level && p.isFree(i) && has.Has(i) && pc.rank == 0 && !pc.suspect {
			p.ordered++
			return i, true
		}
	}
	return 0, false
}
