package swarm

import (
	"time"

	"shoal/internal/decide/swarm/picker"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// strangerWait is how much later than from the fastest peer we expect a block from a peer of
// unknown rate.
const strangerWait = 250 * time.Millisecond

// shortQueue is how long requests should wait at a peer while a reader waits, or when the
// peer has what no leecher has, instead of a second.
const shortQueue = 300 * time.Millisecond

// SetPriorities sets how much we want each piece: 0 skip, 1 low, 2 normal, 3 high; nil means
// normal for all. The torrent is complete when we have every piece that is not skipped. It
// drops started pieces that are now skipped, unless all their blocks are here.
//
// To peers and trackers a torrent that skips pieces is a partial seed (BEP 21): once complete
// it announces upload_only to peers, and "left" to trackers counts all missing bytes.
func (s *Swarm) SetPriorities(now mono.Time, prio []uint8) {
	s.now = now
	s.changed(s.picker.SetPriorities(prio))
	if !s.started {
		s.goal.rebase(s.Complete(), s.needs())
		return
	}
	s.reconsider()
}

// Urge says that a reader wants the pieces from from to before to now, in this order,
// whatever their priority, even when skipped. It wants nothing more when the two are equal.
// At most picker.MaxReaders count. When the reader jumps to another place, we withdraw
// requests elsewhere to make room.
func (s *Swarm) Urge(now mono.Time, reader uint32, from, to uint32) {
	s.now = now
	c, jumped := s.picker.Urge(reader, from, to)
	s.changed(c)
	s.freed = true
	s.reconsider()
	if jumped && s.wants() && !s.files.held {
		s.makeRoom()
	}
}

// SetInOrder sets whether we request three of four new pieces in order, as Config.InOrder does.
// Started pieces stay as they are.
func (s *Swarm) SetInOrder(on bool) { s.cfg.InOrder = on }

// inOrder reports whether we request pieces from p in order. While there are leechers we do
// not if p is a seed with pieces that no leecher has: otherwise all leechers would request
// the same.
func (s *Swarm) inOrder(p *peer) bool {
	return s.cfg.InOrder && !(s.peers.count > s.picker.Seeds() && s.picker.Scarce(p.theirs.have))
}

// changed withdraws and drops what we no longer want, and recounts every peer when what we
// lack has changed.
func (s *Swarm) changed(c picker.Change) {
	for _, t := range c.Taken {
		if p := s.peerAt(t.Peer); p != nil {
			s.cancel(p, t.Ref, why.Unwanted)
		}
	}
	for _, piece := range c.Given {
		s.effect(Effect{Kind: Forget, Piece: piece})
	}
	s.freed = true
	if !c.Wants {
		return
	}
	for p := range s.peers.all() {
		s.recount(p)
		s.interest(p)
	}
}

// reconsider announces changes in what we have and want: that the torrent is complete, and to
// peers whether we want anything (BEP 21).
func (s *Swarm) reconsider() {
	if s.goal.completes(s.Complete()) {
		if s.tracing() {
			s.note(trace.Did, trace.Torrent, nil, "complete", record(why.None))
		}
		s.effect(Effect{Kind: Complete})
	}
	if s.picker.Missing() == 0 && s.goal.fetched() {
		s.trackers.Completed(s.now)
	}
	needs := s.needs()
	if !s.goal.turns(needs) {
		return
	}
	s.slots.nextRound(s.now) // the choker follows other rules from now on
	s.wakeBy(s.now + 1)
	if needs {
		s.wake()
	}
	for p := range s.peers.all() {
		if needs {
			s.interest(p)
			s.sayExtensions(p, why.WantsMore)
		} else {
			s.sayExtensions(p, why.Finished)
			s.partIfUseless(p)
		}
	}
}

// wake looks for peers at once: those we parted from have something for us again.
func (s *Swarm) wake() {
	s.book.Recall(s.now)
	s.peers.nobodyParts()
	if s.searches() && s.started && !s.files.suspended {
		s.search.at, s.search.gap = s.now, 0
	}
}

// makeRoom withdraws requests that are not urgent from peers that have urgent pieces, except
// blocks on the way: otherwise the urgent ones would wait behind them, for a second or so.
func (s *Swarm) makeRoom() {
	if !s.picker.Reading(s.now) {
		return
	}
	if s.web != nil {
		s.web.plan.MakeRoom(s.now)
	}
	for p := range s.peers.all() {
		if p.theirs.choking || p.download.requests.len() == 0 || !s.picker.Offers(p.theirs.have) {
			continue
		}
		for i := p.download.window.OnTheWay(); i < p.download.requests.len(); {
			ref := p.download.requests.live()[i].ref
			if s.picker.Urgent(ref.Piece) {
				i++
				continue
			}
			s.picker.Abandon(p.slot, ref)
			s.cancel(p, ref, why.MakesRoom)
		}
	}
	s.freed = true
}

// pacing is the speed of the peers that we may ask, for the picker.
type pacing struct {
	on   bool
	pace picker.Pace // Best and All
}

// measure sets the pacing, once for a batch of inputs.
func (s *Swarm) measure() {
	s.pacing = pacing{on: s.wants() && s.picker.Reading(s.now)}
	if !s.pacing.on {
		return
	}
	var rate int64
	for p := range s.peers.all() {
		if p.theirs.choking || p.download.snubbed {
			continue
		}
		wait, _ := p.download.window.Expect()
		if wait == 0 {
			continue
		}
		rate += p.download.window.Rate()
		if s.pacing.pace.Best == 0 || wait < s.pacing.pace.Best {
			s.pacing.pace.Best = wait
		}
	}
	if rate > 0 {
		s.pacing.pace.All = time.Duration(float64(block.Size) / float64(rate) * float64(time.Second))
	}
}

// paceOf returns the speed of one peer.
func (s *Swarm) paceOf(p *peer) picker.Pace {
	pace := s.pacing.pace
	pace.InOrder = s.inOrder(p)
	pace.Wait, pace.Block = p.download.window.Expect()
	switch {
	case p.download.snubbed && !s.pacing.on:
		pace.Wait = 0 // in endgame it may show that it answers again
	case p.download.snubbed:
		pace.Wait, pace.Block = snubAfter, snubAfter
	case pace.Wait == 0 && pace.Best > 0:
		// Its speed is unknown, and that of others is known.
		pace.Wait, pace.Block = pace.Best+strangerWait, strangerWait
	}
	return pace
}
