package swarm

import (
	"slices"
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// An unchoke is for peers that take something. One that asks for nothing, or asks and does
// not read what we send, or takes a byte at a time, would hold its slot for as long as it
// likes; so the choker learns how each unchoked peer uses its slot (decision 0160).
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
	// excuseMost is how much longer a block may take where our own line is slow.
	excuseMost = 20 * time.Second
	// slowLine is the least that a line carries which counts as slow: with less the peers
	// refuse to take, or the line is dead.
	slowLine = 16 << 10
	// outpace is how many bytes others take on average, while a peer takes no block, until it is
	// not our line that it waits for. A slow connection takes its bytes in bursts of a third of
	// the socket's buffer, about 30 KiB.
	outpace = 4 * block.Size
	// lookAtExcused is how often the use of a slot is looked at while our line is the excuse.
	lookAtExcused = time.Second
	// moverFor is how long a peer counts as one that takes something after its latest block.
	moverFor = 10 * time.Second
	// swallowMost is what the buffers of two kernels take without the peer: what Linux gives a
	// socket at most.
	swallowMost = 4 << 20
	// waversFor is the same for a peer that lost its interest in a seed and took nothing.
	waversFor = 30 * time.Second
	// mostAgain is how many bytes a peer may get again.
	mostAgain = 16 * block.Size
	// vainFor is how long a peer that left its slot unused comes behind others: four turns
	// of a slot. After that it waits as any peer.
	vainFor = 2 * time.Minute
)

// slotUse is how a peer uses its unchoke (decision 0124).
type slotUse struct {
	asked   mono.Time // when it was unchoked, or had nothing to ask for last
	moved   mono.Time // when it was unchoked, asked after a pause, or had taken another block
	took    mono.Time // when it had taken another block; zero if never
	taken   int64     // bytes it had taken when moved was set
	all     int64     // bytes that all peers had taken by then
	renewed bool      // moved was set for a request, and it has taken no block since
	vain    mono.Time // until when it comes behind others; zero for not at all

	fresh  int64       // bytes handed over for it that it had not got a moment ago
	again  int64       // bytes that it had
	latest *[64]uint64 // blocks that it got lately; nil: none since its unchoke
	next   int         // the oldest of them
}

// slotWatch is when the use of slots is looked at.
type slotWatch struct {
	at    mono.Time // when an unchoked peer may have become idle; Never while nobody waits
	stale bool      // at has to be found again

	counted        mono.Time // when movers and backlog were counted
	movers         int       // unchoked peers that took a block lately
	backlog, queue int       // unchoked peers that wait for a block; of these, movers
}

// useBegins starts the clocks of a peer that is unchoked, or learns of something to ask for.
func (s *Swarm) useBegins(p *peer) {
	p.upload.use.asked, p.upload.use.renewed, p.upload.use.latest = s.now, false, nil
	s.useMoved(p)
	s.slots.watch.stale = true
}

func (s *Swarm) useMoved(p *peer) {
	p.upload.use.moved, p.upload.use.taken, p.upload.use.all = s.now, s.useTaken(p), s.sentToAll()
}

// useTaken is how many bytes p took that count: the same block again brings it nothing, and
// nobody needs more than a whole copy.
func (s *Swarm) useTaken(p *peer) int64 {
	return min(p.upload.up.Total(), p.upload.use.fresh, s.cfg.Geometry.Total)
}

func (s *Swarm) sentToAll() int64 {
	_, up := s.Moved()
	return up
}

// useAsked notes a request, before it is in the queue. A request for less than a block, unless
// it is the end of a piece, does not stop the clock; nor does a second one while nothing was
// taken after the first, which may have been cancelled.
func (s *Swarm) useAsked(p *peer, ref block.Ref) {
	whole := ref.Length >= block.Size || ref.Begin+ref.Length == s.cfg.Geometry.PieceSize(ref.Piece)
	if whole && !p.upload.use.renewed && p.asksNothing() {
		s.useMoved(p)
		p.upload.use.renewed = true
	}
}

// useOffered notes blocks that are handed to the writer.
func (s *Swarm) useOffered(p *peer, refs []block.Ref) {
	u := &p.upload.use
	if u.latest == nil {
		u.latest = new([len(u.latest)]uint64)
	}
	for _, r := range refs {
		if u.gotLately(r) {
			u.again += int64(r.Length)
			continue
		}
		u.latest[u.next] = blockKey(r)
		u.next = (u.next + 1) % len(u.latest)
		u.fresh += int64(r.Length)
	}
}

// blockKey names a block; it is never 0.
func blockKey(r block.Ref) uint64 { return uint64(r.Piece)<<32 | uint64(r.Begin) + 1 }

func (u *slotUse) gotLately(r block.Ref) bool {
	return u.latest != nil && slices.Contains(u.latest[:], blockKey(r))
}

// asksAgain reports whether a request is one of many for what p got a moment ago, so that it
// uses our upload up for nothing. A peer that found a piece bad asks for each block again once.
func (s *Swarm) asksAgain(p *peer, ref block.Ref) bool {
	return p.upload.use.again >= mostAgain && p.upload.use.again > p.upload.use.fresh && p.upload.use.gotLately(ref)
}

// useSent notes that something was written to p.
func (s *Swarm) useSent(p *peer) {
	if s.useTaken(p)-p.upload.use.taken >= block.Size {
		s.useMoved(p)
		p.upload.use.took, p.upload.use.renewed = s.now, false
	}
	if p.asksNothing() {
		p.upload.use.asked = s.now
		s.slots.watch.at = min(s.slots.watch.at, s.now.Add(asksAfter))
	}
}

// useCancelled notes a request that was taken back: a peer that takes most of them back has to
// take more blocks until it counts as one that moves. A few in a row are a change of mind.
func (s *Swarm) useCancelled(p *peer, ref block.Ref) {
	p.upload.use.taken = min(p.upload.use.taken+int64(ref.Length)/4, max(p.upload.use.taken, s.useTaken(p)+4*block.Size))
}

// useEnds notes a choke.
func (s *Swarm) useEnds(p *peer, w why.Why) {
	switch {
	case w == why.SlotUnused:
		p.upload.use.vain = s.now.Add(vainFor)
	case w == why.NotInterested && p.mask == nil && p.upload.use.took < p.ours.unchokedAt && !s.wants():
		p.upload.use.vain = s.now.Add(waversFor) // a seed has all that it wanted a moment ago
	case p.theirs.interested:
		p.upload.use.vain = 0
	}
}

func (p *peer) asksNothing() bool { return p.upload.queue.len() == 0 && p.upload.flight == 0 }

// idleAt is when the slot of an unchoked peer counts as unused, if nothing happens until
// then. A peer that gives has its slot for that, and one to which we show nothing has nothing
// to ask for. takes is how long a block may take.
func (s *Swarm) idleAt(p *peer, takes time.Duration) mono.Time {
	if p.ours.choked || !p.download.snubbed && p.download.down.Rate(s.now) > 0 || p.shownNothing() {
		return mono.Never
	}
	at := p.upload.use.moved.Add(takes)
	if s.now >= at {
		at = at.Add(s.excuse(p))
	}
	if p.asksNothing() {
		at = min(at, p.upload.use.asked.Add(asksAfter))
	}
	return at
}

// excuse is how much longer a block may take for p because of us: by our limit, or our line.
// What others take meanwhile tells the peers that wait for us from those that do not read.
func (s *Swarm) excuse(p *peer) time.Duration {
	w := s.countUse()
	if w.movers > 0 && (s.sentToAll()-p.upload.use.all)/int64(w.movers) >= outpace {
		return 0
	}
	if s.slots.upLimit > 0 {
		return s.turnOf(s.slots.upLimit, s.allSlots(), time.Minute)
	}
	if rate := int64(s.lateUp()); w.movers > 1 && rate >= slowLine && s.now.Sub(s.traffic.flows.up.Last()) < s.turnOf(rate, 3, excuseMost) {
		return s.turnOf(rate, w.backlog, excuseMost)
	}
	return 0 // nothing goes to anybody: that is no turn of the others
}

// turnOf is how long so many peers wait for two blocks each at a rate.
func (s *Swarm) turnOf(rate int64, peers int, most time.Duration) time.Duration {
	return min(time.Duration(2*block.Size*int64(max(peers, 1))*int64(time.Second)/rate), most)
}

// countUse counts how slots are used, once for each instant.
func (s *Swarm) countUse() *slotWatch {
	w := &s.slots.watch
	if w.counted == s.now {
		return w
	}
	w.counted, w.movers, w.backlog, w.queue = s.now, 0, 0, 0
	for p := range s.peers.all() {
		if p.ours.choked {
			continue
		}
		moves := !p.upload.use.took.IsZero() && s.now < p.upload.use.took.Add(moverFor)
		w.movers += one(moves)
		w.backlog += one(!p.asksNothing())
		w.queue += one(moves && !p.asksNothing())
	}
	return w
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// unused reports whether p makes no use of its slot, or made none of its last one.
func (s *Swarm) unused(p *peer) bool {
	return s.now >= s.idleAt(p, takesAfter) || s.now < p.upload.use.vain
}

// swallowed reports whether all that went to p may have vanished in the buffers on the way:
// nothing has gone for at least half of the time of its slot.
func (s *Swarm) swallowed(p *peer) bool {
	took := max(p.upload.use.took, p.ours.unchokedAt)
	return s.now >= s.idleAt(p, movesAfter) && s.now.Sub(took) >= took.Sub(p.ours.unchokedAt) && p.upload.up.Total() < swallowMost
}

// watchSlots has slots given away once a peer has become idle while others wait.
func (s *Swarm) watchSlots() {
	w := &s.slots.watch
	if w.stale {
		w.stale, w.at = false, s.nextIdle()
	}
	s.due(w.at)
}

// nextIdle is when the next of the unchoked peers may become idle, if a peer waits for its slot.
func (s *Swarm) nextIdle() mono.Time {
	waits, at := false, mono.Never
	for p := range s.peers.all() {
		switch {
		case !p.theirs.interested:
		case p.ours.choked:
			waits = waits || s.now >= p.upload.use.vain
		default:
			t := s.idleAt(p, movesAfter)
			if t > s.now {
				at = min(at, t)
			}
			if t > s.now && t < mono.Never && s.now >= p.upload.use.moved.Add(movesAfter) {
				at = min(at, s.now.Add(lookAtExcused)) // others may outpace it sooner
			}
		}
	}
	if !waits {
		return mono.Never
	}
	return at
}
