package swarm

import (
	"shoal/internal/decide/swarm/ration"
	"shoal/internal/value/mono"
)

// SetDownLimit says how many bytes a second may come in, 0 for no limit, and whether this or
// a limit of single peers holds somebody back now. It is wanted before every Tick.
func (s *Swarm) SetDownLimit(now mono.Time, limit int64, bound bool) {
	s.ration.Set(now, limit, bound, s.asked())
}

// tickRation looks again soon where not all peers may be asked.
func (s *Swarm) tickRation() {
	if s.ration.Counts(s.peers.count) {
		s.freed = true
		s.due(s.now.Add(ration.Every))
	}
}

// mayAsk reports whether p may be asked for more under the limit of what comes in.
func (s *Swarm) mayAsk(p *peer) bool {
	return !s.ration.Counts(s.peers.count) || s.ration.May(s.asked(), p.download.requests.len() > 0)
}

// asked counts the peers that owe us blocks.
func (s *Swarm) asked() (n int) {
	for p := range s.peers.all() {
		if p.download.requests.len() > 0 {
			n++
		}
	}
	return n
}

// snubAt is when a peer that brings nothing counts as snubbing us.
func (s *Swarm) snubAt(p *peer) mono.Time {
	return p.download.lastBlock.Add(snubAfter + s.ration.Excused() - p.download.excused)
}

// lateAt is when a request counts as lost.
func (s *Swarm) lateAt(r request) mono.Time {
	return r.overdue().Add(s.ration.Excused() - r.excused)
}
