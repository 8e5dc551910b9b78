package swarm

import (
	"shoal/internal/decide/swarm/picker"
	"shoal/internal/value/mono"
)

// Stand is how a swarm stands with its sources: what says why it does not move.
type Stand struct {
	Useful  int // connected peers that have something we want
	Choking int // of these, those that choke us and let us ask for nothing
	Asked   int // of these, those that have a request of ours

	// Nobody is how many wanted pieces no connected peer and no web seed has. It is counted
	// only while nothing comes, or web seeds are the only sources.
	Nobody uint32
}

// stand looks at every peer; still says that nothing comes, which is when people ask.
func (s *Swarm) stand(still bool) (st Stand) {
	if !s.wants() || s.bare != nil {
		return st
	}
	for p := range s.peers.all() {
		if !p.ours.interesting {
			continue
		}
		st.Useful++
		switch {
		case p.download.requests.len() > 0:
			st.Asked++
		case p.theirs.choking:
			st.Choking++
		}
	}
	if !still {
		return st
	}
	for i := range s.cfg.Geometry.Pieces {
		if !s.picker.Have(i) && s.picker.Priority(i) != picker.Skip && s.picker.Availability(i) == 0 && !s.web.has(i) {
			st.Nobody++
		}
	}
	return st
}

// has reports whether a web seed that is still asked has a piece, as far as is known.
func (w *web) has(piece uint32) bool {
	if w == nil {
		return false
	}
	for i := range w.seeds {
		if _, given := w.plan.GivenUp(i); !given && w.plan.Has(i, piece) {
			return true
		}
	}
	return false
}

// nextDial is when an address is dialled next; mono.Never when none is.
func (s *Swarm) nextDial() mono.Time {
	if len(s.dials) > 0 {
		return s.now
	}
	return s.book.Deadline()
}
