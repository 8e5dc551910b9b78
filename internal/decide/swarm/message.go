package swarm

import (
	"fmt"

	"shoal/internal/decide/swarm/superseed"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// Message takes one message from a peer. For a piece, b holds the block; Message passes it on
// in a Store or Discard effect. The connection has checked the message with wire.Bounds.
func (s *Swarm) Message(now mono.Time, key PeerKey, m wire.Message, b *block.Block) {
	s.now = now
	p := s.peers.byKey[key]
	if p == nil {
		// We dropped the peer while the message was on its way.
		if m.ID == wire.Piece {
			s.effect(Effect{Kind: Discard, Block: b})
		}
		return
	}
	p.theirs.spoke(now)
	if s.tracing() {
		s.noteReceived(p, m)
	}
	if m.ID.Fast() && p.fast == nil {
		s.drop(p, why.Protocol, fmt.Sprintf("it sends %q without the fast extension", m.ID.String())) // BEP 6: MUST
		return
	}
	if s.magnet != nil && m.ID != wire.Extended && m.ID != wire.Port {
		s.before(p, m, b)
		return
	}
	switch m.ID {
	case wire.Piece:
		s.received(p, m, b)
		s.touch(p)
	case wire.Request:
		s.requested(p, m.Ref())
	case wire.Have:
		s.theyHave(p, m.Piece)
		s.touch(p) // a peer that chatters and is no longer new is read by beats
	case wire.Bitfield:
		s.theirBitfield(p, m.Body)
	case wire.Choke:
		s.theyChoke(p)
	case wire.Unchoke:
		p.theirs.chokes(false)
		p.fast.pardon()
		s.touch(p)
	case wire.Interested:
		p.theirs.wants(true)
		s.slots.reopen()
		s.dealing.stale = true
	case wire.NotInterested:
		p.theirs.wants(false)
		s.slots.reopen()
	case wire.Cancel:
		s.cancelled(p, m.Ref())
	case wire.HaveAll, wire.HaveNone:
		s.theyHaveAll(p, m.ID == wire.HaveAll)
	case wire.Reject:
		s.theyReject(p, m.Ref())
	case wire.AllowedFast:
		s.theyAllow(p, m.Piece)
	case wire.Suggest:
		s.theySuggest(p, m.Piece)
	case wire.Port:
		if s.searches() && m.Port != 0 {
			s.effect(Effect{Kind: Told, Addr: addrWithPort(p.addr, m.Port), Why: why.ToldByPeer})
		}
	case wire.Extended:
		s.extended(p, m)
	case wire.KeepAlive:
	default:
		// BEP 3 has no rule; deployed clients skip what they do not know.
		p.theirs.notUnderstood()
	}
}

func (s *Swarm) theyHave(p *peer, piece uint32) {
	if !p.theirs.have.Set(piece) {
		return
	}
	s.picker.PeerHas(piece)
	p.fast.gains(piece)
	if s.dealing.dealer != nil {
		s.dealing.dealer.Have(s.now, superseed.Peer(p.slot), piece)
	}
	s.dealing.stale = true
	if p.mask != nil && p.mask.told.Has(piece) {
		p.mask.lacks--
		p.mask.lapsed = false
		s.useBegins(p) // it has fetched a piece that we dealt to it
	}
	if s.picker.Lacks(piece) {
		p.download.oneMore()
		s.interest(p)
		s.touch(p)
	}
	s.partIfUseless(p)
}

// theirBitfield takes a bitfield at any time: deployed clients send it after other messages,
// or again. Availability stays exact because the old set is removed as the new one is added.
func (s *Swarm) theirBitfield(p *peer, body []byte) {
	have, err := bitfield.FromWire(body, s.cfg.Geometry.Pieces)
	if err != nil {
		s.drop(p, why.Protocol, err.Error())
		return
	}
	s.theySay(p, have)
}

// theySay replaces the peer's set of pieces.
func (s *Swarm) theySay(p *peer, have *bitfield.Bitfield) {
	s.withdrawn(p, have)
	s.picker.PeerBits(p.theirs.have, have)
	if s.dealing.dealer != nil {
		s.dealing.dealer.Remove(p.theirs.have)
		s.dealing.dealer.Add(have)
	}
	s.dealing.stale = true
	s.dealing.rival = s.dealing.rival || have.All()
	p.theirs.hasExactly(have)
	p.mask.count(have)
	p.fast.sees(have)
	s.recount(p)
	s.interest(p)
	s.grant(p)
	s.touch(p)
	s.partIfUseless(p)
}

// withdrawn cancels the requests for pieces that a peer says it no longer has.
func (s *Swarm) withdrawn(p *peer, have *bitfield.Bitfield) {
	for i := 0; i < p.download.requests.len(); {
		ref := p.download.requests.live()[i].ref
		if have.Has(ref.Piece) {
			i++
			continue
		}
		s.picker.Abandon(p.slot, ref)
		s.freed = true
		s.cancel(p, ref, why.Withdrawn)
	}
}

// partIfUseless marks a peer for dropping when neither side can gain anything from the other.
func (s *Swarm) partIfUseless(p *peer) {
	if s.useless(p) {
		s.peers.toPart(p)
	}
}

func (s *Swarm) noteReceived(p *peer, m wire.Message) {
	r := record(why.None)
	switch m.ID {
	case wire.Have, wire.Suggest, wire.AllowedFast:
		r = onPiece(why.None, m.Piece)
	case wire.Request, wire.Cancel, wire.Piece, wire.Reject:
		r = onBlock(why.None, m.Ref())
	case wire.Bitfield:
		if have, err := bitfield.FromWire(m.Body, s.cfg.Geometry.Pieces); err == nil {
			r.Text, r.N = have.String(), int64(have.Count())
		}
	case wire.HaveAll, wire.HaveNone:
		have := bitfield.New(s.cfg.Geometry.Pieces)
		if m.ID == wire.HaveAll {
			have.SetAll()
		}
		r.Text, r.N = have.String(), int64(have.Count())
	case wire.Port:
		r.N = int64(m.Port)
	case wire.Extended:
		s.noteExtended(p, m)
		return
	}
	s.note(trace.Received, trace.Peer, p, m.ID.String(), r)
}
