package swarm

import (
	"shoal/internal/decide/swarm/picker"
	"shoal/internal/value/mono"
)

// Sources is how well the sources of a torrent serve it. It explains why a download stalls.
type Sources struct {
	Useful  int // connected peers that have a piece we want
	Choking int // of these, those that choke us and have no request of ours
	Asked   int // of these, those that have a request of ours

	// Nobody counts the wanted pieces that no connected peer and no web seed has. It is
	// counted only while nothing arrives, or while web seeds are the only sources.
	Nobody uint32
}

// sources looks at every peer; still says that nothing arrives, so Nobody is worth counting.
func (s *Swarm) sources(still bool) (st Sources) {
	if !s.wants() || s.magnet != nil {
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

// has reports whether a web seed that we have not given up has a piece, as far as we know.
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

// nextDial returns the time of the next dial; mono.Never when none is due.
func (s *Swarm) nextDial() mono.Time {
	if len(s.dials) > 0 {
		return s.now
	}
	return s.book.Deadline()
}
