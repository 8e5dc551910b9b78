package swarm

import (
	"slices"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// The fast extension (BEP 6). If both sides speak it, a choke leaves requests as they are,
// and each request gets exactly one answer: a piece or a reject. Otherwise a choke discards
// requests, and no message rejects one (BEP 3).
//
//	request --> do we have it? is the peer unchoked, or the piece granted? --> queue --> piece
//	                  no |                     no |             choke, cancel |
//	                     +--------- reject -------+---------- reject ---------+

const (
	// grants is how many pieces a peer that has hardly any may request while it is choked, as
	// BEP 6 suggests; in a small torrent one in grantShare.
	grants     = 10
	grantShare = 8
	// grantBlocks is how many blocks one connection gets while it is choked, 512 KiB in all:
	// enough to have something to trade. It bounds large pieces.
	grantBlocks = 32

	// maxAllowed and maxSuggested bound what we keep of the pieces that a peer allows and
	// suggests; of the suggestions we keep the latest.
	maxAllowed   = 128
	maxSuggested = 16

	// rejectPause is how long we do not request a piece again from a peer that rejected a
	// block of it without choking us. It keeps a request and a reject from looping.
	rejectPause = 10 * time.Second
	// starvesAfter is how long we have nothing before we request allowed pieces from a seed
	// that has not yet passed everything on.
	starvesAfter = 10 * time.Second

	// maxRejects is how many rejects a peer that does not choke us may send without a block:
	// more than we ever have outstanding.
	maxRejects = 2 * maxLate
)

// fast is what we keep of a peer that speaks the fast extension (decision 0084).
type fast struct {
	// Pieces that we may request while it chokes us.
	allowed *bitfield.Bitfield // nil: none
	reach   *bitfield.Bitfield // allowed pieces that it has

	// Pieces that it rejected although it does not choke us.
	refused *bitfield.Bitfield // nil: none
	willing *bitfield.Bitfield // pieces that it has and did not reject
	forgive mono.Time          // when we may request them again
	rejects int                // rejects since its last block
	stray   int                // rejects of requests that we did not make

	suggested []uint32 // newest last

	hinted *bitfield.Bitfield // pieces that we suggested; nil: none

	// Pieces that it may request while we choke it.
	granted   []uint32
	starts    uint32 // number of pieces at which its grants end: it can trade
	announced bool   // it has announced its pieces
	credit    int    // blocks that it may still get while choked
}

// offers returns the pieces that we may request from p now; nil: none. While it chokes us
// these are the allowed ones that it has, else those that it has and did not just reject.
func (p *peer) offers() *bitfield.Bitfield {
	switch f := p.fast; {
	case f == nil && p.theirs.choking:
		return nil
	case f == nil:
		return p.theirs.have
	case p.theirs.choking:
		return f.reach
	case f.willing != nil:
		return f.willing
	}
	return p.theirs.have
}

// sees replaces what the peer has.
func (f *fast) sees(have *bitfield.Bitfield) {
	if f == nil {
		return
	}
	if f.allowed != nil {
		f.reach = bitfield.New(have.Len())
		for i := range f.allowed.Pieces() {
			if have.Has(i) {
				f.reach.Set(i)
			}
		}
	}
	if f.refused != nil {
		f.willing = have.Clone()
		for i := range f.refused.Pieces() {
			f.willing.Clear(i)
		}
	}
}

// gains notes one more piece that the peer has.
func (f *fast) gains(piece uint32) {
	if f == nil {
		return
	}
	if f.allowed != nil && f.allowed.Has(piece) {
		f.reach.Set(piece)
	}
	if f.refused != nil && !f.refused.Has(piece) {
		f.willing.Set(piece)
	}
}

// loses notes that the peer no longer has a piece.
func (f *fast) loses(piece uint32) {
	if f != nil && f.reach != nil {
		f.reach.Clear(piece)
	}
	if f != nil && f.willing != nil {
		f.willing.Clear(piece)
	}
}

// pardon forgets what the peer rejected.
func (f *fast) pardon() {
	if f != nil {
		f.refused, f.willing = nil, nil
	}
}

// sayHave sends the first message: the pieces that we have (BEP 3, BEP 6).
func (s *Swarm) sayHave(p *peer) {
	have := s.picker.Bitfield()
	if p.mask != nil {
		have = p.mask.told
	}
	id := wire.Bitfield
	switch {
	case p.fast != nil && have.All() && s.magnet == nil:
		id = wire.HaveAll
	case p.fast != nil && have.None():
		id = wire.HaveNone
	case have.None():
		return
	}
	bytes := wire.AppendSimple(p.out.bytes, id)
	if id == wire.Bitfield {
		bytes = wire.AppendBitfield(p.out.bytes, have)
	}
	r := record(why.HandshakeDone)
	if s.tracing() {
		r.N, r.Text = int64(have.Count()), have.String()
	}
	s.say(p, bytes, id.String(), r)
}

// theyHaveAll takes a HAVE ALL or HAVE NONE.
func (s *Swarm) theyHaveAll(p *peer, all bool) {
	have := bitfield.New(s.cfg.Geometry.Pieces)
	if all {
		have.SetAll()
	}
	s.theySay(p, have)
}

// grant tells a peer that has hardly anything which pieces it may request while we choke it,
// when it first announces its pieces. These are pieces that we and another peer have. A piece
// that only we have is for peers that pass it on: otherwise a seed would hand the same few
// pieces to all peers that connect at the same time.
func (s *Swarm) grant(p *peer) {
	if p.fast == nil || p.fast.announced {
		return
	}
	p.fast.announced = true
	k := min(grants, int(s.cfg.Geometry.Pieces/grantShare))
	if p.mask != nil || s.cfg.Slots <= 0 || int(p.theirs.have.Count()) >= k {
		return
	}
	set := wire.AllowedFastSet(p.addr.Addr(), s.cfg.InfoHash, s.cfg.Geometry.Pieces, k)
	set = slices.DeleteFunc(set, func(piece uint32) bool { return !s.picker.Have(piece) || !s.isCommon(piece) })
	p.fast.granted, p.fast.starts, p.fast.credit = set, uint32(k), grantBlocks
	for _, piece := range set {
		s.say(p, wire.AppendAllowedFast(p.out.bytes, piece), "allowed fast", onPiece(why.Starter, piece))
	}
	s.touch(p)
}

// isCommon reports whether a connected peer has the piece.
func (s *Swarm) isCommon(piece uint32) bool {
	return slices.ContainsFunc(s.peers.bySlot, func(p *peer) bool { return p != nil && p.theirs.have.Has(piece) })
}

// mayHave reports whether p gets a block of that piece while it is choked, and charges it to
// the peer's credit. A peer that has as many pieces as we grant can trade (BEP 6).
func (s *Swarm) mayHave(p *peer, piece uint32) bool {
	f := p.fast
	if f == nil || f.credit == 0 || p.theirs.have.Count() >= f.starts || !slices.Contains(f.granted, piece) {
		return false
	}
	f.credit--
	return true
}

// reject answers a request that we do not serve.
func (s *Swarm) reject(p *peer, ref block.Ref, w why.Why) {
	if p.fast == nil {
		return
	}
	s.say(p, wire.AppendReject(p.out.bytes, ref), "reject", onBlock(w, ref))
}

// clearQueue applies a choke that we just sent to the waiting requests: it drops all of them,
// and with the fast extension rejects those that are not granted.
func (s *Swarm) clearQueue(p *peer) {
	if p.fast == nil {
		p.upload.queue.clear()
		return
	}
	p.upload.queue.filter(func(r block.Ref) bool {
		if s.mayHave(p, r.Piece) {
			return true
		}
		s.reject(p, r, why.Choked)
		return false
	})
}

// cancelled takes a cancel. With the fast extension we still answer the request; blocks that
// the writer has go out.
func (s *Swarm) cancelled(p *peer, ref block.Ref) {
	p.upload.queue.filter(func(r block.Ref) bool {
		if r != ref {
			return true
		}
		s.useCancelled(p, r)
		s.reject(p, r, why.TheyCancelled)
		return false
	})
}

// theyReject takes a reject: the block is free for others. The message has no reason, so we
// do not request this piece from this peer for a while.
func (s *Swarm) theyReject(p *peer, ref block.Ref) {
	f := p.fast
	if _, late := p.download.late.take(ref); late {
		return // we had withdrawn the request, and this is the answer
	}
	r, asked := p.download.requests.take(ref)
	if !asked {
		// BEP 6: SHOULD close. After timeouts some clients answer twice.
		if f.stray++; f.stray > maxUnasked {
			s.drop(p, why.Protocol, "it rejects what it was not asked for")
		}
		return
	}
	s.picker.Abandon(p.slot, ref)
	s.freed = true
	p.download.window.Lost(s.now)
	s.touch(p)
	if r.owed {
		return // this answers the withdrawn request: now we can send a new one
	}
	if p.theirs.choking {
		if f.allowed != nil && f.allowed.Clear(ref.Piece) {
			f.reach.Clear(ref.Piece)
		}
		return
	}
	if f.rejects++; f.rejects > maxRejects {
		s.drop(p, why.Protocol, "it rejects whatever it is asked for")
		return
	}
	if f.refused == nil {
		f.refused, f.forgive = bitfield.New(s.cfg.Geometry.Pieces), s.now.Add(rejectPause)
		f.willing = p.theirs.have.Clone()
		s.wakeBy(f.forgive)
	}
	f.refused.Set(ref.Piece)
	f.willing.Clear(ref.Piece)
}

// theyAllow takes an ALLOWED FAST. It does not imply that the peer has the piece.
func (s *Swarm) theyAllow(p *peer, piece uint32) {
	f := p.fast
	if f.allowed == nil {
		f.allowed, f.reach = bitfield.New(s.cfg.Geometry.Pieces), bitfield.New(s.cfg.Geometry.Pieces)
	}
	if f.allowed.Count() >= maxAllowed || !f.allowed.Set(piece) {
		return
	}
	if p.theirs.have.Has(piece) {
		f.gains(piece)
		s.touch(p)
		s.wakeBy(max(p.joined.Add(starvesAfter), s.now))
	}
}

// theySuggest takes a SUGGEST: among pieces of about the same rarity the picker takes this
// one.
func (s *Swarm) theySuggest(p *peer, piece uint32) {
	f := p.fast
	if !s.picker.Lacks(piece) || slices.Contains(f.suggested, piece) {
		return
	}
	if len(f.suggested) == maxSuggested {
		f.suggested = slices.Delete(f.suggested, 0, 1)
	}
	f.suggested = append(f.suggested, piece)
	s.picker.Suggest(p.slot, f.suggested)
}

// tickFast requests again what a peer rejected a while ago, and requests what it allows when
// nothing else has come.
func (s *Swarm) tickFast(p *peer) {
	f := p.fast
	if f != nil && p.theirs.choking && f.reach != nil && s.picker.HaveCount() == 0 && p.download.requests.len() == 0 {
		if starves := p.joined.Add(starvesAfter); s.now < starves {
			s.wakeBy(starves)
		} else {
			s.touch(p)
		}
	}
	if f == nil || f.refused == nil {
		return
	}
	if s.now < f.forgive {
		s.wakeBy(f.forgive)
		return
	}
	f.pardon()
	p.download.lookAgain()
	s.touch(p)
}
