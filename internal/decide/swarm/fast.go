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

// The fast extension (BEP 6). Where both sides speak it, a choke leaves requests as they
// are, and every request is answered exactly once: by a piece, or by a reject. Where one
// does not, a choke discards requests, and there is no way to say no (BEP 3).
//
//	request --> is it had? is the peer unchoked, or the piece granted? --> queue --> piece
//	                 no |                     no |            choke, cancel |
//	                    +--------- reject -------+--------- reject ---------+

const (
	// grants is how many pieces a peer that has hardly anything may ask for while it is
	// choked, as the BEP has it; but one in grantShare of a small torrent.
	grants     = 10
	grantShare = 8
	// grantBlocks is how many blocks one connection gets while it is choked, 512 KiB in
	// all: enough to have something to trade. Pieces may be as large as one likes.
	grantBlocks = 32

	// maxAllowed and maxSuggested bound what is kept of the pieces that a peer allows
	// and suggests; of suggestions the latest.
	maxAllowed   = 128
	maxSuggested = 16

	// rejectPause is for how long a piece is not asked for again of a peer that rejected
	// a block of it without choking us; so a request and a reject can't go round.
	rejectPause = 10 * time.Second
	// starvesAfter is for how long we have nothing before we take what is allowed of a
	// seed that has not passed everything on yet.
	starvesAfter = 10 * time.Second

	// maxRejects is how many rejects may come from a peer that does not choke us before
	// it sends a block: more than were ever asked at once.
	maxRejects = 2 * maxLate
)

// fast is what is kept of a peer with which the fast extension is spoken (decision 0084).
type fast struct {
	// What it lets us have while it chokes us.
	allowed *bitfield.Bitfield // nil: nothing
	reach   *bitfield.Bitfield // what of that it has

	// What it rejected although it does not choke us.
	refused *bitfield.Bitfield // nil: nothing
	willing *bitfield.Bitfield // what it has and did not reject
	forgive mono.Time          // when it is asked again
	rejects int                // since its last block
	stray   int                // rejects of what it was not asked for

	suggested []uint32 // the latest last

	hinted *bitfield.Bitfield // what we suggested; nil: nothing

	// What we let it have while we choke it.
	granted []uint32
	starts  uint32 // with so many pieces it is no beginner any more
	heard   bool   // it has said what it has
	credit  int    // blocks it still gets that way
}

// offers gives the pieces that p may be asked for now, nil for none: while it chokes us
// those that it allows, else what it has, but for what it has just rejected.
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

// sees takes what the peer has, anew.
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

// gains takes note of one more piece that the peer has.
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

// loses takes note that the peer has a piece no more.
func (f *fast) loses(piece uint32) {
	if f != nil && f.reach != nil {
		f.reach.Clear(piece)
	}
	if f != nil && f.willing != nil {
		f.willing.Clear(piece)
	}
}

// pardon forgets what was rejected.
func (f *fast) pardon() {
	if f != nil {
		f.refused, f.willing = nil, nil
	}
}

// sayHave is the first message: what we have (BEP 3, BEP 6).
func (s *Swarm) sayHave(p *peer) {
	have := s.picker.Bitfield()
	if p.mask != nil {
		have = p.mask.told
	}
	id := wire.Bitfield
	switch {
	case p.fast != nil && have.All() && s.bare == nil:
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
	r := bare(why.HandshakeDone)
	if s.tracing() {
		r.N, r.Text = int64(have.Count()), have.String()
	}
	s.say(p, bytes, id.String(), r)
}

// theyHaveAll takes a have all, or a have none.
func (s *Swarm) theyHaveAll(p *peer, all bool) {
	have := bitfield.New(s.cfg.Geometry.Pieces)
	if all {
		have.SetAll()
	}
	s.theySay(p, have)
}

// grant tells a peer that has hardly anything which pieces it may ask for while we choke
// it, when it first says what it has. They are those that we and another one have: what
// only we have is for those who pass it on, or a seed would hand the same few pieces to
// everybody who comes at the same time.
func (s *Swarm) grant(p *peer) {
	if p.fast == nil || p.fast.heard {
		return
	}
	p.fast.heard = true
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

// mayHave reports whether p gets a block of that piece while it is choked, and counts it
// as given. A peer that has as many pieces as are granted can trade (BEP 6).
func (s *Swarm) mayHave(p *peer, piece uint32) bool {
	f := p.fast
	if f == nil || f.credit == 0 || p.theirs.have.Count() >= f.starts || !slices.Contains(f.granted, piece) {
		return false
	}
	f.credit--
	return true
}

// reject answers a request that is not served.
func (s *Swarm) reject(p *peer, ref block.Ref, w why.Why) {
	if p.fast == nil {
		return
	}
	s.say(p, wire.AppendReject(p.out.bytes, ref), "reject", onBlock(w, ref))
}

// clearQueue does to the requests that wait what a choke does, which was said just now:
// all are dropped, and with the fast extension rejected, but for what is granted.
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

// cancelled takes a cancel. With the fast extension the request is answered all the
// same; what the writer has goes out.
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

// theyReject takes a reject: the block is free for others. Why it was rejected is not
// said, so the piece is left alone for a while where this peer is concerned.
func (s *Swarm) theyReject(p *peer, ref block.Ref) {
	f := p.fast
	if _, late := p.download.late.take(ref); late {
		return // it was taken back, and this is the answer
	}
	r, asked := p.download.requests.take(ref)
	if !asked {
		// BEP 6: SHOULD close. After time-outs answers come twice from some.
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
		return // the answer to what was taken back: now it can be asked for again
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
		s.due(f.forgive)
	}
	f.refused.Set(ref.Piece)
	f.willing.Clear(ref.Piece)
}

// theyAllow takes an allowed fast. It does not say that the peer has the piece.
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
		s.due(max(p.joined.Add(starvesAfter), s.now))
	}
}

// theySuggest takes a suggest: among pieces that are about as rare, the picker takes
// this one.
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

// tickFast has a peer be asked again for what it rejected a while ago, and for what it
// allows when nothing else has come.
func (s *Swarm) tickFast(p *peer) {
	f := p.fast
	if f != nil && p.theirs.choking && f.reach != nil && s.picker.HaveCount() == 0 && p.download.requests.len() == 0 {
		if starves := p.joined.Add(starvesAfter); s.now < starves {
			s.due(starves)
		} else {
			s.touch(p)
		}
	}
	if f == nil || f.refused == nil {
		return
	}
	if s.now < f.forgive {
		s.due(f.forgive)
		return
	}
	f.pardon()
	p.download.lookAgain()
	s.touch(p)
}
