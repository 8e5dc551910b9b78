package swarm

import (
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// chatterBeats is how long what a peer sends can wait that chokes us and owes us nothing. A hundred
// such peers that send ten HAVEs a second each would otherwise wake the machine for each of them.
const chatterBeats = 4

// A connection on which blocks flow is read at beats while there is enough to do for four times as long:
// a beat until our reader looks, a beat until what follows from it is read at the other end, and twice
// that to be sure. flowBeats is the most while blocks come to us: other peers wait for the pieces in
// them. What a peer says that only takes blocks can wait as long as chatter.
const (
	lasting   = 4
	flowBeats = 2
)

// newcomer is how long a peer is new. What it says first (its pieces, and an unchoke) comes one
// message after the other, and the first block waits for all of them.
const newcomer = 2 * time.Second

// patience returns for how many beats everything that p may send now can wait: no block that we
// wait for, no request that it would wait for, and no piece that we have been waiting for to ask for.
// HAVE and CANCEL can wait, and so can an unchoke of a peer that sends HAVE all the time; the unchoke
// of a silent peer is read at once all the same (decision 0200).
func (s *Swarm) patience(p *peer) int {
	if s.magnet != nil || s.now.Sub(p.joined) < newcomer {
		return 0
	}
	up := chatterBeats
	if !p.ours.choked && p.theirs.interested {
		up = beatsIn(chatterBeats, func(d time.Duration) bool { return p.upload.lasts(s.now, d) })
	}
	switch {
	case p.download.requests.len() > 0:
		if s.pacing.on || s.picker.Endgame() {
			return 0
		}
		return min(up, beatsIn(flowBeats, p.download.window.Lasts))
	case p.theirs.choking, !s.wants():
		return up
	}
	return 0
}

// beatsIn returns for how many beats a flow of blocks can wait: at most this many.
func beatsIn(most int, lasts func(time.Duration) bool) int {
	for n := most; n > 0; n-- {
		if lasts(time.Duration(n) * lasting * mono.Beat) {
			return n
		}
	}
	return 0
}

// lasts reports whether the peer has requested so much that the writer is busy for d. The rate is known
// where more waits than the writer gets at once, and for a peer that has been found to be slow.
func (v *upload) lasts(now mono.Time, d time.Duration) bool {
	n := v.queue.len() + v.flight
	known := n > v.writer || n > 0 && v.writer == leastUploads
	return known && float64(n)*block.Size >= v.up.Rate(now)*d.Seconds()
}
