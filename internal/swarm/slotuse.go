package swarm

import (
	"time"

	"shoal/internal/block"
	"shoal/internal/mono"
	"shoal/internal/why"
)

// An unchoke is for peers that take something. One that asks for nothing, or asks and does
// not read what we send, or takes a byte at a time, would hold its slot for as long as it
// likes; so the choker learns how each unchoked peer uses its slot.
const (
	// asksAfter is how long an unchoked peer may have nothing to ask for before its slot
	// counts as unused: a round trip, and a second for a packet that has to be sent again
	// (RFC 6298).
	asksAfter = 2 * time.Second
	// movesAfter is how long a whole block may take to be taken until another peer is unchoked
	// besides, which costs the slow one nothing.
	movesAfter = 3 * time.Second
	// takesAfter is how long it may take until the peer loses its slot. The writer hands over
	// four blocks at least, so that is a peer that takes less than 7 KiB a second.
	takesAfter = 10 * time.Second
	// vainFor is how long a peer that left its slot unused comes behind others: four turns
	// of a slot. After that it waits as any peer.
	vainFor = 2 * time.Minute
)

// slotUse is how a peer uses its unchoke (decision 0124).
type slotUse struct {
	asked mono.Time // when it was unchoked, or had nothing to ask for last
	moved mono.Time // when it was unchoked, asked after a pause, or had taken another block
	taken int64     // bytes it had taken by then
	vain  mono.Time // until when it comes behind others; zero for not at all
}

// slotWatch is when the use of slots is looked at.
type slotWatch struct {
	at    mono.Time // when an unchoked peer may have become idle; Never while nobody waits
	stale bool      // at has to be found again
}

// useBegins starts the clocks of a peer that is unchoked, or learns of something to ask for.
func (s *Swarm) useBegins(p *peer) {
	p.use.asked, p.use.moved, p.use.taken = s.now, s.now, p.up.Total()
	s.slotWatch.stale = true
}

// useAsked notes a request, before it is in the queue. A request for less than a block, unless
// it is the end of a piece, does not stop the clock.
func (s *Swarm) useAsked(p *peer, ref block.Ref) {
	whole := ref.Length >= block.Size || ref.Begin+ref.Length == s.cfg.Geometry.PieceSize(ref.Piece)
	if whole && p.asksNothing() {
		p.use.moved, p.use.taken = s.now, p.up.Total()
	}
}

// useSent notes that something was written to p.
func (s *Swarm) useSent(p *peer) {
	if p.up.Total()-p.use.taken >= block.Size {
		p.use.moved, p.use.taken = s.now, p.up.Total()
	}
	if p.asksNothing() {
		p.use.asked = s.now
		s.slotWatch.at = min(s.slotWatch.at, s.now.Add(asksAfter))
	}
}

// useEnds notes a choke.
func (s *Swarm) useEnds(p *peer, w why.Why) {
	switch {
	case w == why.SlotUnused:
		p.use.vain = s.now.Add(vainFor)
	case p.interested:
		p.use.vain = 0
	}
}

func (p *peer) asksNothing() bool { return p.queue.len() == 0 && p.flight == 0 }

// idleAt is when the slot of an unchoked peer counts as unused, if nothing happens until
// then. A peer that gives has its slot for that, and one to which we show nothing has nothing
// to ask for. takes is how long a block may take.
func (s *Swarm) idleAt(p *peer, takes time.Duration) mono.Time {
	if p.choked || !p.snubbed && p.down.Rate(s.now) > 0 || p.mask != nil && !p.mask.off && p.mask.lacks == 0 {
		return mono.Never
	}
	at := p.use.moved.Add(takes + s.turnOfLimit())
	if p.asksNothing() {
		at = min(at, p.use.asked.Add(asksAfter))
	}
	return at
}

// turnOfLimit is how long our own limit of the upload may keep a peer waiting: for two blocks
// to each peer that may be unchoked.
func (s *Swarm) turnOfLimit() time.Duration {
	if s.upLimit <= 0 {
		return 0
	}
	return min(time.Duration(2*block.Size*int64(max(s.allSlots(), 1))*int64(time.Second)/s.upLimit), time.Minute)
}

// unused reports whether p makes no use of its slot, or made none of its last one.
func (s *Swarm) unused(p *peer) bool { return s.now >= s.idleAt(p, takesAfter) || s.now < p.use.vain }

// watchSlots has slots given away once a peer has become idle while others wait.
func (s *Swarm) watchSlots() {
	w := &s.slotWatch
	if w.stale {
		w.stale, w.at = false, s.nextIdle()
	}
	s.due(w.at)
}

// nextIdle is when the next of the unchoked peers becomes idle, if a peer waits for its slot.
func (s *Swarm) nextIdle() mono.Time {
	waits, at := false, mono.Never
	for _, p := range s.peers {
		switch {
		case p == nil || !p.interested:
		case p.choked:
			waits = waits || s.now >= p.use.vain
		default:
			if t := s.idleAt(p, movesAfter); t > s.now {
				at = min(at, t)
			}
		}
	}
	if !waits {
		return mono.Never
	}
	return at
}
