package picker

import "shoal/internal/value/bitfield"

const (
	// orderShare: when pieces are started in order, every fourth one is chosen as usual, so
	// that a swarm in which everyone reads the same does not lack the end of the file.
	orderShare = 4
	// orderLooks bounds how far from the first missing piece we look for a free one.
	orderLooks = 4096
)

// sequential is the state of a download in order.
//
//shoal:part
type sequential struct {
	on    bool   // whether the peer that we ask now gets pieces in order
	first uint32 // no missing piece lies before this one
	row   int    // pieces started in order since the last one that was not
}

// asked sets whether the peer that we ask now gets pieces in order.
func (s *sequential) asked(on bool) { s.on = on }

// lost says that a piece is missing again.
func (s *sequential) lost(piece uint32) { s.first = min(s.first, piece) }

// chooseInOrder returns the first free piece that the peer has, unless it is the turn of the
// usual choice.
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
