package picker

import "shoal/internal/value/bitfield"

const (
	// orderShare: of the pieces that are begun in order, every so many-th is begun as if
	// there were none, so that a swarm of people who all read the same does not lack its
	// end.
	orderShare = 4
	// orderLooks bounds how far from the first missing piece on one is looked for.
	orderLooks = 4096
)

// sequential is where a torrent stands that is fetched in order.
//
//shoal:part
type sequential struct {
	on    bool   // for the peer that is asked now
	first uint32 // no missing piece lies before
	row   int    // pieces begun in order since the swarm had its share
}

// asked says whether the peer that is asked now gets pieces in order.
func (s *sequential) asked(on bool) { s.on = on }

// lost says that a piece is missing again.
func (s *sequential) lost(piece uint32) { s.first = min(s.first, piece) }

// chooseInOrder gives the first free piece that the peer has, unless it is the turn of the
// rest of the swarm.
func (p *Picker) chooseInOrder(level uint8, has *bitfield.Bitfield) (uint32, bool) {
	for p.sequential.first < p.have.Len() && p.have.Has(p.sequential.first) {
		p.sequential.first++
	}
	if p.sequential.row == orderShare-1 {
		p.sequential.row = 0
		return 0, false
	}
	for i := p.sequential.first; i < p.have.Len() && i < p.sequential.first+orderLooks; i++ {
		pc := &p.pieces[i]
		if pc.level == level && p.isFree(i) && has.Has(i) && pc.rank == 0 && !pc.suspect {
			p.sequential.row++
			return i, true
		}
	}
	return 0, false
}
