package swarm

import (
	"shoal/internal/decide/swarm/inflight"
	"shoal/internal/decide/swarm/picker"
	"shoal/internal/format/wire"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// ask fills the request window of p.
func (s *Swarm) ask(p *peer) {
	p.download.filled(s.files.held)
	if s.files.held {
		return
	}
	offers := p.offers()
	if offers == nil || !p.ours.interesting || !s.wants() {
		return
	}
	room := s.limit(p) - p.download.requests.len()
	if p.theirs.choking {
		room = min(room, s.limitChoked(p)-p.download.requests.len())
	}
	if room <= 0 {
		return
	}
	if !s.mayAsk(p) {
		p.download.lookAgain()
		return
	}
	s.buffers().choices = s.picker.Pick(s.now, p.slot, offers, room, s.paceOf(p), s.buffers().choices[:0])
	if p.download.requests.len() == 0 && len(s.buffers().choices) > 0 {
		p.download.progress(s.now, s.spread.Excused())
		s.wakeBy(s.now.Add(snubAfter))
	}
	for _, c := range s.buffers().choices {
		if p.theirs.choking {
			c.Why = why.Allowed
		}
		r := request{ref: c.Ref, at: s.now, excused: s.spread.Excused()}
		if old, owed := s.owed(p, c.Ref); owed {
			r.at, r.owed, r.giveUp = old.at, true, old.giveUp
			p.download.requests.push(r)
			continue
		}
		p.download.requests.push(r)
		record := onBlock(c.Why, c.Ref)
		record.Owners = c.Owners
		s.say(p, wire.AppendRequest(p.out.bytes, c.Ref), "request", record)
	}
	p.download.window.Sent(s.now, len(s.buffers().choices))
	p.download.filled(len(s.buffers().choices) < room)
}

// owed returns the withdrawn request for a block that p must still answer, with the block or
// a reject (BEP 6). A second request would bring the block twice if our cancel came too late,
// since bytes handed to a socket can't be called back. We wait for such an answer once, and
// briefly: not every client keeps to the rule. Without the fast extension we can't tell
// whether an answer is due.
func (s *Swarm) owed(p *peer, ref block.Ref) (request, bool) {
	if p.fast == nil {
		return request{}, false
	}
	r, late := p.download.late.take(ref)
	switch {
	case !late:
		return request{}, false
	case r.owed, s.now >= r.giveUp:
		// Its answer may still come: a reject that comes first answers the old request, not
		// the one that we send now.
		r.owed = true
		p.keepLate(r)
		return request{}, false
	}
	if s.tracing() {
		s.note(trace.Did, trace.Peer, p, "wait", onBlock(why.Owed, ref))
	}
	return r, true
}

// limit returns how many requests p should have. It is lower while a reader waits, so that
// the reader's next pieces do not queue behind others. It is lower, too, when p has pieces
// that no leecher has: other peers that request from p can't know what we have requested and
// not received.
func (s *Swarm) limit(p *peer) int {
	n := p.download.window.Limit()
	if s.pacing.on || s.peers.count > s.picker.Seeds() && s.picker.Scarce(p.theirs.have) {
		if few := p.download.window.Within(shortQueue); few > 0 {
			n = min(n, few)
		}
	}
	return n
}

// limitChoked returns how many requests p should have while it chokes us. The allowed-fast
// set depends on the network, so p allows our neighbours the same pieces. If p has what no
// leecher has, it better spends its upload on unchoked peers, which get different pieces and
// pass them on. But after starvesAfter without a piece we fetch one this way, to have
// something to trade.
func (s *Swarm) limitChoked(p *peer) int {
	switch {
	case !s.picker.Scarce(p.theirs.have):
		return inflight.HardMax
	case s.picker.HaveCount() > 0 || s.now < p.joined.Add(starvesAfter):
		return 0
	}
	return int(s.cfg.Geometry.Blocks(0))
}

// cancel withdraws one request. Its block may still be on its way.
func (s *Swarm) cancel(p *peer, ref block.Ref, w why.Why) {
	r, ok := p.download.requests.take(ref)
	if !ok {
		return
	}
	s.sayCancel(p, r, w)
	r.owed = r.owed || w == why.TimedOut // we have waited long enough
	s.expectLate(p, r)
	p.download.window.Lost(s.now)
	s.touch(p)
}

// sayCancel sends a cancel, unless the peer got one for this block before.
func (s *Swarm) sayCancel(p *peer, r request, w why.Why) {
	if r.owed {
		return
	}
	s.say(p, wire.AppendCancel(p.out.bytes, r.ref), "cancel", onBlock(w, r.ref))
}

// expectLate remembers a withdrawn request for a while. It forgets the oldest when there are
// more than a peer can have on its way to us.
func (s *Swarm) expectLate(p *peer, r request) {
	wait, _ := p.download.window.Expect()
	r.giveUp = s.now.Add(max(passedTimeout, 2*wait))
	p.keepLate(r)
}

func (p *peer) keepLate(r request) {
	if p.download.late.len() >= maxLate {
		p.download.late.pop()
	}
	p.download.late.push(r)
}

// takeBack withdraws every request in flight to p, so that we can ask others.
func (s *Swarm) takeBack(p *peer) {
	for _, r := range p.download.requests.live() {
		s.expectLate(p, r)
	}
	p.download.requests.clear()
	p.download.window.Drained(s.now)
	s.picker.AbandonAll(p.slot)
	s.freed = true
}

// tickRequests withdraws what a peer does not deliver: all requests when no block has come
// for snubAfter (BEP 3, anti-snubbing), or a single request when the peer answers others and
// not this one.
func (s *Swarm) tickRequests(p *peer) {
	oldest, ok := p.download.requests.oldest()
	if !ok {
		return
	}
	if s.now >= s.snubAt(p) {
		p.download.snub(s.now)
		live := p.download.requests.live()
		for i := range live {
			s.sayCancel(p, live[i], why.Snubbed)
			live[i].owed = true // we have waited long enough
		}
		s.takeBack(p)
		s.touch(p)
		return
	}
	for ok && s.now >= s.lateAt(oldest) {
		s.picker.Abandon(p.slot, oldest.ref)
		s.freed = true
		s.cancel(p, oldest.ref, why.TimedOut)
		oldest, ok = p.download.requests.oldest()
	}
	deadline := s.snubAt(p)
	if ok {
		deadline = min(deadline, s.lateAt(oldest))
	}
	s.wakeBy(deadline)
}

// overdue returns when a request counts as lost. Without the fast extension a peer whose
// queue is full drops a request silently; the sign is that it answers many later ones.
func (r request) overdue() mono.Time {
	if r.owed {
		return r.giveUp
	}
	if r.passed >= passedBy {
		return r.at.Add(passedTimeout)
	}
	return r.at.Add(requestTimeout)
}

// received takes a block from p.
func (s *Swarm) received(p *peer, m wire.Message, b *block.Block) {
	ref := m.Ref()
	size := int64(ref.Length)
	s.cameDown(size)

	req, asked := p.download.requests.take(ref)
	if asked {
		p.download.progress(s.now, s.spread.Excused())
		if p.fast != nil {
			p.fast.rejects = 0
		}
		p.download.window.Got(s.now, int(ref.Length), req.at)
		if oldest, ok := p.download.requests.oldest(); ok && oldest.passed == passedBy {
			s.wakeBy(oldest.overdue())
		}
		p.download.answers()
	} else if _, late := p.download.late.take(ref); !late {
		s.waste(b, size)
		if p.download.stray() {
			s.drop(p, why.Protocol, "it sends blocks that were not asked for")
		}
		return
	}

	// A late block is normal: a choke, a cancel or a timeout withdrew its request. We take it
	// while we lack it.
	p.download.down.Add(s.now, size) // a block that we never requested earns no unchoke
	if s.files.held {
		s.waste(b, size)
		return
	}

	sender := p.trust.knownAs(&s.blame.senders, p.addr)
	var got picker.Got
	got, _, s.buffers().others = s.picker.Received(p.slot, uint32(sender), ref, s.buffers().others[:0])
	for _, other := range s.buffers().others {
		if q := s.peerAt(other); q != nil && q != p {
			s.cancel(q, ref, why.Duplicated)
		}
	}
	if got != picker.Wanted {
		s.waste(b, size)
		return
	}
	s.effect(Effect{Kind: Store, Why: why.BlockArrived, Peer: p.key, Ref: ref, Block: b, Sums: s.blame.ledger.Suspect(ref.Piece)})
}

// waste counts a block that we do not want and frees its buffer.
func (s *Swarm) waste(b *block.Block, size int64) {
	s.traffic.waste(size)
	s.effect(Effect{Kind: Discard, Block: b})
}

// theyChoke takes a choke. Without the fast extension the peer discards every request in
// flight (BEP 3); with it the peer still answers each one (BEP 6).
func (s *Swarm) theyChoke(p *peer) {
	p.theirs.chokes(true)
	p.fast.pardon()
	if p.fast == nil && p.download.requests.len() > 0 {
		s.takeBack(p)
	}
	s.touch(p)
}

// interest tells p whether we are interested, as soon as that changes.
func (s *Swarm) interest(p *peer) {
	interesting := p.download.wanted > 0 && s.wants() && !s.files.heldLong
	if interesting == p.ours.interesting {
		return
	}
	p.ours.declare(interesting)
	id, w := wire.Interested, why.TheyHaveWhatWeLack
	if !interesting {
		id, w = wire.NotInterested, why.NothingWeLack
		if s.files.heldLong {
			w = why.FilesOut
		}
	}
	s.say(p, wire.AppendSimple(p.out.bytes, id), id.String(), record(w))
}

// recount counts the pieces that p has and we lack.
func (s *Swarm) recount(p *peer) {
	wanted := uint32(0)
	if s.picker.Seeking() {
		for i := range p.theirs.have.Pieces() {
			if s.picker.Lacks(i) {
				wanted++
			}
		}
	}
	p.download.recounted(wanted)
}

// useless reports whether neither side can gain anything from the other.
func (s *Swarm) useless(p *peer) bool {
	return s.magnet == nil && (p.complete() || p.theirs.ext.UploadOnly) && !s.needs()
}
