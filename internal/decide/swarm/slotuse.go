package swarm

import (
	"slices"
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// An unchoke is for peers that take data. A peer that requests nothing, does not read what we
// send, or takes a byte at a time would hold its slot forever. So we tell the choker how each
// unchoked peer uses its slot (decision 0160).
const (
	// asksAfter is how long an unchoked peer may request nothing before its slot counts as
	// unused: a round trip, and a second for a retransmission (RFC 6298).
	asksAfter = 2 * time.Second
	// movesAfter is how long a peer may take for a whole block before we unchoke another peer
	// as well, which costs the slow one nothing.
	movesAfter = 3 * time.Second
	// takesAfter is how long a peer may take for a block before it loses its slot. The writer
	// hands over at least four blocks, so this is a peer that takes less than 7 KiB a second.
	takesAfter = 10 * time.Second
	// excuseMost is how much longer a block may take when our own line is slow.
	excuseMost = 20 * time.Second
	// slowLine, in bytes a second, is the least that a slow line carries: below it the peers
	// refuse to read, or the line is dead.
	slowLine = 16 << 10
	// outpace is how many bytes other peers take on average, while one peer takes no block,
	// before we rule out our line as the cause. A slow connection takes its bytes in bursts
	// of a third of the socket's buffer, about 30 KiB.
	outpace = 4 * block.Size
	// lookAtExcused is how often we check a slot whose peer our own line excuses.
	lookAtExcused = time.Second
	// moverFor is how long after its latest block a peer counts as a mover.
	moverFor = 10 * time.Second
	// swallowMost is what the buffers of two kernels take without the peer reading: the most
	// that Linux lets a socket buffer.
	swallowMost = 4 << 20
	// waversFor is vainFor for a peer that lost its interest in a seed and took nothing.
	waversFor = 30 * time.Second
	// mostAgain is how many bytes of blocks that it already got a peer may get again.
	mostAgain = 16 * block.Size
	// vainFor is how long a peer that left its slot unused ranks behind others: four turns of
	// a slot. After that it waits like any peer.
	vainFor = 2 * time.Minute
)

// slotUse is how a peer uses its unchoke (decision 0124).
type slotUse struct {
	asked   mono.Time // latest time when it was unchoked or had nothing requested
	moved   mono.Time // latest time when it was unchoked, requested after a pause, or had taken another block
	took    mono.Time // latest time when it had taken another block; zero: never
	taken   int64     // bytes it had taken at moved
	all     int64     // bytes that all peers had taken at moved
	renewed bool      // a request set moved, and the peer has taken no block since
	vain    mono.Time // end of the time in which it ranks behind others; zero: it does not

	fresh  int64       // bytes handed to its writer, without blocks it got recently
	again  int64       // bytes handed over again: blocks it got recently
	latest *[64]uint64 // blocks that it got recently; nil: none since its unchoke
	next   int         // index of the oldest of them
}

// slotWatch is when to check the use of slots, and the counts of the last check.
type slotWatch struct {
	at    mono.Time // when an unchoked peer may become idle; Never while no peer waits
	stale bool      // at must be computed again

	counted        mono.Time // when we counted movers, backlog and queue
	movers         int       // unchoked peers that took a block recently
	backlog, queue int       // unchoked peers that wait for a block; of these, movers
}

// useBegins starts the clocks of a peer that we unchoked, or to which we revealed something
// to request.
func (s *Swarm) useBegins(p *peer) {
	p.upload.use.asked, p.upload.use.renewed, p.upload.use.latest = s.now, false, nil
	s.useMoved(p)
	s.slots.watch.stale = true
}

func (s *Swarm) useMoved(p *peer) {
	p.upload.use.moved, p.upload.use.taken, p.upload.use.all = s.now, s.useTaken(p), s.sentToAll()
}

// useTaken returns how many useful bytes p took: a block sent again is not useful, and no
// peer needs more than a whole copy.
func (s *Swarm) useTaken(p *peer) int64 {
	return min(p.upload.up.Total(), p.upload.use.fresh, s.cfg.Geometry.Total)
}

func (s *Swarm) sentToAll() int64 {
	_, up := s.Moved()
	return up
}

// useAsked notes a request, before it is in the queue. A request for less than a block,
// unless it is the end of a piece, does not restart the clock; nor does a second request when
// nothing was taken after the first, which the peer may have cancelled.
func (s *Swarm) useAsked(p *peer, ref block.Ref) {
	whole := ref.Length >= block.Size || ref.Begin+ref.Length == s.cfg.Geometry.PieceSize(ref.Piece)
	if whole && !p.upload.use.renewed && p.asksNothing() {
		s.useMoved(p)
		p.upload.use.renewed = true
	}
}

// useOffered notes blocks that we hand to the writer.
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

// blockKey returns a key for a block; it is never 0.
func blockKey(r block.Ref) uint64 { return uint64(r.Piece)<<32 | uint64(r.Begin) + 1 }

func (u *slotUse) gotLately(r block.Ref) bool {
	return u.latest != nil && slices.Contains(u.latest[:], blockKey(r))
}

// asksAgain reports whether a request is one of many for blocks that p got recently, which
// wastes our upload. A peer that found a piece bad requests each of its blocks again once.
func (s *Swarm) asksAgain(p *peer, ref block.Ref) bool {
	return p.upload.use.again >= mostAgain && p.upload.use.again > p.upload.use.fresh && p.upload.use.gotLately(ref)
}

// useSent notes that the writer wrote something to p.
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

// useCancelled notes a cancelled request: a peer that cancels most of its requests must take
// more blocks to count as a mover. A few in a row are a change of mind.
func (s *Swarm) useCancelled(p *peer, ref block.Ref) {
	p.upload.use.taken = min(p.upload.use.taken+int64(ref.Length)/4, max(p.upload.use.taken, s.useTaken(p)+4*block.Size))
}

// useEnds notes a choke.
func (s *Swarm) useEnds(p *peer, w why.Why) {
	switch {
	case w == why.SlotUnused:
		p.upload.use.vain = s.now.Add(vainFor)
	case w == why.NotInterested && p.mask == nil && p.upload.use.took < p.ours.unchokedAt && !s.wants():
		p.upload.use.vain = s.now.Add(waversFor) // a seed has everything it wanted a moment ago
	case p.theirs.interested:
		p.upload.use.vain = 0
	}
}

func (p *peer) asksNothing() bool { return p.upload.queue.len() == 0 && p.upload.flight == 0 }

// idleAt returns when the slot of an unchoked peer counts as unused, if nothing happens until
// then. A peer that uploads to us keeps its slot, and a peer to which we reveal nothing has
// nothing to request. takes is how long a block may take.
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

// excuse returns how much longer a block may take for p because of our limit or our line. The
// bytes that others take meanwhile tell peers that wait for us from peers that do not read.
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
	return 0 // nothing goes to any peer, so p does not wait for the others' turns
}

// turnOf returns how long it takes to send that many peers two blocks each at rate; at most
// most.
func (s *Swarm) turnOf(rate int64, peers int, most time.Duration) time.Duration {
	return min(time.Duration(2*block.Size*int64(max(peers, 1))*int64(time.Second)/rate), most)
}

// countUse counts how slots are used, once per instant.
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

// unused reports whether p does not use its slot, or did not use its last one.
func (s *Swarm) unused(p *peer) bool {
	return s.now >= s.idleAt(p, takesAfter) || s.now < p.upload.use.vain
}

// swallowed reports whether everything we sent to p may sit in buffers on the way: nothing
// has moved for at least half of the time of its slot.
func (s *Swarm) swallowed(p *peer) bool {
	took := max(p.upload.use.took, p.ours.unchokedAt)
	return s.now >= s.idleAt(p, movesAfter) && s.now.Sub(took) >= took.Sub(p.ours.unchokedAt) && p.upload.up.Total() < swallowMost
}

// watchSlots reassigns slots once a peer has become idle while others wait.
func (s *Swarm) watchSlots() {
	w := &s.slots.watch
	if w.stale {
		w.stale, w.at = false, s.nextIdle()
	}
	s.wakeBy(w.at)
}

// nextIdle returns when the next unchoked peer may become idle, if a peer waits for its slot.
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
				at = min(at, s.now.Add(lookAtExcused)) // other peers may outpace it sooner
			}
		}
	}
	if !waits {
		return mono.Never
	}
	return at
}
