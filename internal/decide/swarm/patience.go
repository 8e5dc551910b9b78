package swarm

import (
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// patience is for how long there must be enough to do before a connection may be read by beats: a
// beat until our reader looks, a beat until what follows from it is read at the other end, and twice
// that to be sure.
const patience = 4 * mono.Beat

// patient reports whether everything that p may send now can wait for the next beat: no block that
// we wait for, no request that it would wait for, and no piece that we have been waiting for to ask
// for. HAVE can wait, and so can an unchoke of a peer that sends HAVE all the time; the unchoke of a
// silent peer is read at once all the same (decision 0200).
func (s *Swarm) patient(p *peer) bool {
	switch {
	case s.magnet != nil:
		return false
	case !p.ours.choked && p.theirs.interested && !p.upload.lasts(s.now, patience):
		return false
	case p.download.requests.len() > 0:
		return !s.pacing.on && !s.picker.Endgame() && p.download.window.Lasts(patience)
	}
	return p.theirs.choking || !s.wants()
}

// lasts reports whether the peer has requested so much that the writer is busy for d.
func (v *upload) lasts(now mono.Time, d time.Duration) bool {
	n := v.queue.len() + v.flight
	return n > v.writer && float64(n)*block.Size >= v.up.Rate(now)*d.Seconds()
}
