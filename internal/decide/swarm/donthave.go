package swarm

import (
	"fmt"

	"shoal/internal/format/wire"
)

// theirDontHave removes a piece that a peer had announced (BEP 54).
func (s *Swarm) theirDontHave(p *peer, body []byte) error {
	piece, err := wire.ParseDontHave(body)
	if err != nil {
		return err
	}
	if s.magnet != nil {
		p.theirs.early.lost(piece)
		return nil
	}
	if piece >= s.cfg.Geometry.Pieces {
		return fmt.Errorf("%w: lt_donthave of piece %d of %d", wire.ErrExtension, piece, s.cfg.Geometry.Pieces)
	}
	if !p.theirs.have.Has(piece) {
		return nil
	}
	s.picker.PeerLost(p.theirs.have, piece)
	p.fast.loses(piece)
	p.mask.count(p.theirs.have)
	if s.dealing.dealer != nil {
		s.dealing.dealer.Lost(piece)
		s.dealing.stale = true
	}
	s.withdrawn(p, p.theirs.have)
	if p.download.wanted > 0 && s.picker.Lacks(piece) {
		p.download.oneLess()
	}
	s.interest(p)
	s.touch(p)
	return nil
}
