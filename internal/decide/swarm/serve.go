package swarm

import (
	"fmt"
	"net/netip"
	"time"

	"shoal/internal/decide/swarm/choker"
	"shoal/internal/decide/swarm/superseed"
	"shoal/internal/format/wire"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// requested takes a request for a block.
func (s *Swarm) requested(p *peer, ref block.Ref) {
	switch {
	case !s.picker.Have(ref.Piece):
		s.deny(p, ref, why.NotHad)
		return
	case !p.knows(ref.Piece):
		s.deny(p, ref, why.NotDealt)
		return
	case p.ours.choked && !s.mayHave(p, ref.Piece):
		s.deny(p, ref, why.Choked)
		return
	case p.upload.queue.len() >= maxUploads && p.fast != nil:
		s.deny(p, ref, why.QueueFull)
		return
	case p.upload.queue.len() >= maxUploads:
		s.drop(p, why.Protocol, fmt.Sprintf("it has more than %d requests waiting, and we announced reqq %d", maxUploads, ourReqq))
		return
	}
	if !p.theirs.interested {
		// It forgot to say INTERESTED; deployed clients serve it all the same.
		p.theirs.wants(true)
	}
	if s.asksAgain(p, ref) {
		s.drop(p, why.Protocol, "it asks for the same blocks again and again")
		return
	}
	s.useAsked(p, ref)
	p.upload.queue.push(ref)
	if s.dealing.dealer != nil && s.now < s.idleAt(p, movesAfter) {
		s.dealing.dealer.Asked(s.now, superseed.Peer(p.slot), ref.Piece)
	}
	s.touch(p)
}

// deny rejects a request. Without the fast extension the protocol has no reject. Requests
// that crossed our choke are normal, an endless series of them is not.
func (s *Swarm) deny(p *peer, ref block.Ref, w why.Why) {
	if p.upload.refuse() {
		s.drop(p, why.Protocol, "it keeps asking for what it cannot get")
		return
	}
	s.reject(p, ref, w)
}

// offer hands the writer as many of the blocks that p requested as fit into its window.
func (s *Swarm) offer(p *peer) {
	refs := p.upload.next(s.now)
	if len(refs) == 0 {
		return
	}
	s.useOffered(p, refs)
	p.out.upload(refs)
	if s.tracing() {
		for _, r := range refs {
			s.note(trace.Sent, trace.Peer, p, "piece", onBlock(why.TheyAsked, r))
		}
	}
}

// Sent says that the writer has written this many blocks, of this many bytes in all, to p.
func (s *Swarm) Sent(now mono.Time, key PeerKey, blocks int, bytes int64) {
	s.now = now
	s.wentUp(bytes)
	p := s.peers.byKey[key]
	if p == nil {
		return
	}
	p.upload.sent(now, blocks, bytes)
	s.useSent(p)
	s.touch(p)
}

// Unsent says that the writer dropped this many blocks for p, see Out.TakeBack.
func (s *Swarm) Unsent(now mono.Time, key PeerKey, blocks int) {
	s.now = now
	if p := s.peers.byKey[key]; p != nil {
		p.upload.unsent(blocks)
		s.touch(p)
	}
}

// chokeRound runs the choker every ten seconds (BEP 3).
func (s *Swarm) chokeRound() {
	s.slots.nextRound(s.now.Add(chokeInterval))
	s.roundOfUplink()
	s.slots.watch.stale = true
	s.gatherChokes(takesAfter)
	s.buffers().changes = s.slots.choker.Round(s.now, !s.wants(), s.buffers().chokes, s.buffers().changes[:0])
	s.applyChokes()
}

// fillSlots assigns free slots between the rounds.
func (s *Swarm) fillSlots() {
	s.slots.filling()
	s.gatherChokes(movesAfter)
	s.buffers().changes = s.slots.choker.Fill(s.now, !s.wants(), s.buffers().chokes, s.buffers().changes[:0])
	s.applyChokes()
}

// gatherChokes collects what the choker needs to know. takes is how long a block may take on
// its way to a peer before the peer counts as idle.
func (s *Swarm) gatherChokes(takes time.Duration) {
	s.buffers().chokes = s.buffers().chokes[:0]
	for p := range s.peers.all() {
		idle := s.now >= s.idleAt(p, takes)
		if idle {
			s.lapse(p)
		}
		s.buffers().chokes = append(s.buffers().chokes, choker.Peer{
			Key: uint64(p.key), Interested: s.wantsSlot(p), Unchoked: !p.ours.choked, Open: !p.theirs.choking, Snubbed: p.download.snubbed,
			Fresh: p.fresh, Hoards: s.hoards(p), Down: int64(p.download.down.Rate(s.now)), Up: int64(p.upload.up.Rate(s.now)), Owes: p.owes(),
			Idle: idle, Vain: s.now < p.upload.use.vain,
			Progress: s.progress(p),
			Joined:   p.joined, UnchokedAt: p.ours.unchokedAt, ChokedAt: p.ours.chokedAt,
		})
	}
}

// progress returns the share of the pieces that p has, in thousandths.
func (s *Swarm) progress(p *peer) int {
	return int(uint64(p.theirs.have.Count()) * 1000 / uint64(max(s.cfg.Geometry.Pieces, 1)))
}

// owes returns the bytes that p got from us minus those that it gave back, over all
// connections of its address.
func (p *peer) owes() int64 {
	return p.trust.before.Given + p.upload.up.Total() - p.trust.before.Got - p.download.down.Total()
}

func (s *Swarm) applyChokes() {
	for _, c := range s.buffers().changes {
		p := s.peers.byKey[PeerKey(c.Key)]
		if p == nil || p.ours.choked != c.Unchoke {
			continue
		}
		s.dealing.stale = true
		id := wire.Choke
		if c.Unchoke {
			id = wire.Unchoke
			p.ours.unchoke(s.now, c.Why)
			p.upload.forgive()
			s.useBegins(p)
		} else {
			p.ours.choke(s.now, c.Why)
			s.useEnds(p, c.Why)
		}
		s.say(p, wire.AppendSimple(p.out.bytes, id), id.String(), record(c.Why))
		if p.ours.choked {
			s.clearQueue(p)
			// BEP 3: no block follows the choke. With the fast extension we still owe the
			// blocks that the writer has (BEP 6).
			if p.fast == nil && p.upload.flight > 0 {
				p.out.takeBackBlocks()
			}
		}
		s.touch(p)
	}
}

// SetUpLimit sets how many bytes a second we may send to all peers together; 0 means no
// limit. The number of slots follows unless the user chose it.
func (s *Swarm) SetUpLimit(limit int64) {
	if s.slots.limited(limit) {
		if n := choker.SlotsFor(limit); n != s.cfg.Slots {
			s.setSlots(n)
		}
	}
}

// SetSlots sets how many peers we unchoke at once.
func (s *Swarm) SetSlots(n int) {
	s.slots.chosen()
	s.setSlots(n)
}

func (s *Swarm) setSlots(n int) {
	s.cfg.Slots = n
	s.slots.uplink.spare = 0
	s.slots.choker.SetSlots(n)
	s.slots.reopen()
}

func addrWithPort(a netip.AddrPort, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr(), port)
}
