package swarm

import (
	"shoal/internal/decide/swarm/inflight"
	"shoal/internal/value/mono"
)

// SetDownLimit sets the download limit in bytes a second, 0 for none, and whether this limit
// or one of single peers holds data back now. The caller sets it before every Tick.
func (s *Swarm) SetDownLimit(now mono.Time, limit int64, bound bool) {
	s.spread.Set(now, limit, bound, s.asked())
}

// tickSpread looks again soon when the limit lets us ask only some peers.
func (s *Swarm) tickSpread() {
	if s.spread.Counts(s.peers.count) {
		s.freed = true
		s.wakeBy(s.now.Add(inflight.Every))
	}
}

// mayAsk reports whether we may request more from p under the download limit.
func (s *Swarm) mayAsk(p *peer) bool {
	return !s.spread.Counts(s.peers.count) || s.spread.May(s.asked(), p.download.requests.len() > 0)
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

// snubAt returns when a peer that sends nothing counts as snubbing us.
func (s *Swarm) snubAt(p *peer) mono.Time {
	return p.download.lastBlock.Add(snubAfter + s.spread.Excused() - p.download.excused)
}

// lateAt returns when a request counts as lost.
func (s *Swarm) lateAt(r request) mono.Time {
	return r.overdue().Add(s.spread.Excused() - r.excused)
}
