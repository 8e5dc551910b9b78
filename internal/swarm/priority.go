package swarm

import (
	"shoal/internal/mono"
	"shoal/internal/why"
)

// SetPriorities gives each piece its priority, from 0, not wanted, by 1 (low) and 2
// (normal) to 3 (high); nil means normal for all. A torrent is complete when every piece
// is had that is wanted. To peers and trackers one that skips pieces is a part: it says
// what it has, and that it only uploads when it is complete (BEP 21).
func (s *Swarm) SetPriorities(now mono.Time, prio []uint8) {
	s.now = now
	s.scratch.taken, s.scratch.given = s.picker.SetPriorities(prio, s.scratch.taken[:0], s.scratch.given[:0])
	for _, t := range s.scratch.taken {
		if p := s.peers[t.Peer]; p != nil {
			s.cancel(p, t.Ref, why.Unwanted)
		}
	}
	for _, piece := range s.scratch.given {
		s.effect(Effect{Kind: Forget, Piece: piece})
	}
	s.rejudge()
	switch {
	case !s.picker.Complete():
		s.completed = false
		s.book.Recall(now) // those we parted from have something for us again
	case s.started:
		s.complete()
	default:
		s.completed = true
	}
}

// Urge says that a reader waits for the pieces from from to before to, and wants them
// first and in order, skipped ones too; none when the two are equal. A share of the
// requests stays as it is for everybody else: rarest first.
func (s *Swarm) Urge(now mono.Time, reader, from, to uint32) {
	s.now = now
	s.picker.Urge(reader, from, to)
	s.rejudge()
	s.due(now)
}

// rejudge looks at every peer anew: what we lack has changed.
func (s *Swarm) rejudge() {
	s.freed = true
	for _, p := range s.peers {
		if p != nil {
			s.recount(p)
			s.interest(p)
			p.hungry = true
		}
	}
}
