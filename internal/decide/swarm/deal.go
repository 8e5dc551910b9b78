package swarm

import (
	"time"

	"shoal/internal/decide/swarm/superseed"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// SuperSeed is when a seed reveals to each peer only the pieces dealt to it (BEP 16).
type SuperSeed uint8

// Values of SuperSeed.
const (
	// SuperSeedAuto: the first seed super-seeds, towards peers that come when superCrowd other
	// leechers are there, if a copy takes longer than slowCopy to upload; it ends when every
	// piece is out.
	SuperSeedAuto SuperSeed = iota
	SuperSeedOn             // towards every peer, until every piece is out
	SuperSeedOff
)

const (
	// slowCopy is the shortest time for uploading a whole copy at which super-seeding pays:
	// it keeps a piece from leaving twice.
	slowCopy = time.Minute
	// superCrowd is how many leechers can pass pieces on to each other.
	superCrowd = 2
	// dealTime and dealBytes bound what we deal to a peer before we see it elsewhere: what
	// the peer takes in two seconds, at least 1 MiB. dealLeast and dealMost bound it in
	// pieces.
	dealTime  = 2 * time.Second
	dealBytes = 1 << 20
	dealLeast = 2
	// speaksAfter is how long after its handshake we expect a peer to have announced its
	// pieces.
	speaksAfter = 2 * time.Second
	dealMost    = 64
	// showsAfter is how long a peer keeps its slot while we have nothing to deal to it.
	showsAfter = 5 * time.Second
	// havesAtOnce bounds the HAVE messages of one flush (18 KiB) when we at last reveal every
	// piece to a peer.
	havesAtOnce = 2048
	havesEvery  = 50 * time.Millisecond
)

// dealing is the state of a seed until every piece is out.
type dealing struct {
	dealer *superseed.Dealer // nil while we deal nothing
	over   bool              // every piece has been out
	first  bool              // we had every piece from the start
	rival  bool              // we saw another seed
	masks  bool              // some peers do not know what we have
	alone  bool              // the torrent has one leecher
	stale  bool              // we may deal more to a peer
}

// masked is what a super-seeded peer, which does not know that we are a seed, knows of us.
type masked struct {
	told   *bitfield.Bitfield // pieces that we revealed
	lacks  int                // revealed pieces that the peer lacks
	off    bool               // we are revealing every piece
	lapsed bool               // it did not fetch what we dealt to it
	unsaid uint32             // first piece not yet revealed while off is set
}

// shownNothing reports whether we have revealed nothing that p could request.
func (p *peer) shownNothing() bool { return p.mask != nil && !p.mask.off && p.mask.lacks == 0 }

// wantsSlot reports whether p counts as interested in a slot. A peer to which we reveal
// nothing has nothing to request, even if it is interested; but we never choke a peer right
// after its unchoke.
func (s *Swarm) wantsSlot(p *peer) bool {
	waits := p.shownNothing() && (p.ours.choked || s.now >= p.ours.unchokedAt.Add(showsAfter))
	return p.theirs.interested && !waits || s.deserves(p)
}

// deserves reports whether to treat p as interested: a super-seeded peer can't be interested
// before we reveal a piece, and we reveal one when we unchoke it.
func (s *Swarm) deserves(p *peer) bool {
	return p.shownNothing() && !p.mask.lapsed && !p.complete() && s.dealing.dealer != nil && s.now >= p.speaksBy() &&
		s.dealing.dealer.Room(s.now, superseed.Peer(p.slot), s.dealAhead(p))
}

// speaksBy returns when p has announced its pieces, if it has any. With the fast extension it
// always announces its set (BEP 6).
func (p *peer) speaksBy() mono.Time {
	if p.fast != nil && p.fast.announced {
		return p.joined
	}
	return p.joined.Add(speaksAfter)
}

// knows reports whether p knows that we have the piece.
func (p *peer) knows(piece uint32) bool {
	return p.mask == nil || p.mask.off || p.mask.told.Has(piece)
}

// count recounts the revealed pieces that the peer lacks.
func (m *masked) count(have *bitfield.Bitfield) {
	if m == nil {
		return
	}
	m.lacks = 0
	for i := range m.told.Pieces() {
		if !have.Has(i) {
			m.lacks++
		}
	}
}

// maskFor decides whether to super-seed a peer that connects.
func (s *Swarm) maskFor() bool {
	d := &s.dealing
	if s.cfg.SuperSeed == SuperSeedOff || s.magnet != nil || s.picker.Missing() > 0 || d.over || s.cfg.Slots <= 0 {
		return false
	}
	return s.cfg.SuperSeed == SuperSeedOn || d.first && !d.rival && s.leechers() > superCrowd && s.slow()
}

// leechers counts the connected peers that lack a piece and may pass pieces on: a peer that
// leaves its slot unused has nothing to pass on.
func (s *Swarm) leechers() (n int) {
	for p := range s.peers.all() {
		if !p.complete() && s.now >= p.upload.use.vain {
			n++
		}
	}
	return n
}

// slow reports whether uploading a copy takes long, by the upload limit or, without one, by
// our recent upload rate. That rate describes our line only while peers take blocks and wait
// for more; otherwise the peers may be the slow side.
func (s *Swarm) slow() bool {
	rate := s.slots.upLimit
	if rate == 0 && s.countUse().queue >= superCrowd {
		rate = int64(s.lateUp())
	}
	return rate > 0 && s.cfg.Geometry.Total/rate > int64(slowCopy/time.Second)
}

// readyDeal makes sure that a dealer exists while we have something to deal, before slots are
// assigned. settle calls it once for a batch of inputs, as it calls deal.
func (s *Swarm) readyDeal() {
	d := &s.dealing
	if !d.stale || s.magnet != nil || s.picker.Missing() > 0 || d.over {
		return
	}
	leechers := s.leechers()
	if d.dealer == nil && (d.masks || leechers >= superCrowd) {
		s.openDeal()
	}
	if d.dealer == nil {
		return
	}
	if alone := leechers < superCrowd; alone != d.alone {
		d.alone = alone
		d.dealer.Alone(alone)
	}
	if d.dealer.Done() || d.masks && s.cfg.SuperSeed == SuperSeedAuto && d.rival {
		for p := range s.peers.all() {
			p.trust.judgeHoarding(s.hoards(p))
		}
		d.over, d.dealer = true, nil
	}
	if d.masks {
		s.slots.reopen()
	}
}

// deal reveals or suggests to peers what the dealer deals to them.
func (s *Swarm) deal() {
	d := &s.dealing
	if !d.stale || s.magnet != nil || s.picker.Missing() > 0 {
		return
	}
	d.stale = false
	if d.dealer == nil && !d.masks {
		return
	}
	d.masks = false
	for p := range s.peers.all() {
		switch {
		case d.dealer != nil && !p.complete():
			s.dealTo(p)
		case d.over && p.mask != nil:
			s.unmask(p)
		}
		d.masks = d.masks || p.mask != nil
	}
}

// openDeal creates a dealer and counts which pieces are out.
func (s *Swarm) openDeal() {
	need := 1
	if s.dealing.masks {
		need = 2 // the only holder of a piece may leave
	}
	s.dealing.alone = false
	s.dealing.dealer = superseed.New(s.cfg.Geometry.Pieces, need, s.dealing.masks, s.rng)
	for p := range s.peers.all() {
		s.dealing.dealer.Add(p.theirs.have)
	}
}

// dealTo deals pieces to a peer: it reveals them with HAVE to a masked peer, and suggests
// them to another.
func (s *Swarm) dealTo(p *peer) {
	d, slot := s.dealing.dealer, superseed.Peer(p.slot)
	if p.mask == nil {
		if p.fast == nil || p.ours.choked || !p.theirs.interested || s.now >= s.idleAt(p, movesAfter) {
			s.wakeBy(d.Next(s.now, slot))
			return
		}
		for {
			if p.fast.hinted == nil {
				p.fast.hinted = bitfield.New(s.cfg.Geometry.Pieces)
			}
			piece, ok := d.Deal(s.now, slot, p.theirs.have, p.fast.hinted, s.dealAhead(p))
			if !ok {
				break
			}
			p.fast.hinted.Set(piece)
			s.say(p, wire.AppendSuggest(p.out.bytes, piece), "suggest", onPiece(why.Dealt, piece))
		}
	} else if s.now < p.speaksBy() {
		s.wakeBy(p.speaksBy())
	} else if !p.ours.choked && !p.mask.lapsed {
		for {
			piece, ok := d.Deal(s.now, slot, p.theirs.have, p.mask.told, s.dealAhead(p))
			if !ok {
				break
			}
			s.tell(p, piece)
		}
	}
	s.wakeBy(d.Next(s.now, slot))
}

func (s *Swarm) tell(p *peer, piece uint32) {
	if p.mask.lacks == 0 {
		s.useBegins(p)
	}
	p.mask.told.Set(piece)
	p.mask.lacks++
	s.say(p, wire.AppendHave(p.out.bytes, piece), "have", onPiece(why.Dealt, piece))
}

// dealAhead returns how many pieces we may deal to p at once.
func (s *Swarm) dealAhead(p *peer) int {
	bytes := max(dealBytes, int64(p.upload.up.Rate(s.now)*dealTime.Seconds()))
	return int(min(max(bytes/int64(s.cfg.Geometry.PieceLength), dealLeast), dealMost))
}

// unmask reveals every piece to a peer, in several flushes when there are many. It sends HAVE
// also for pieces that the peer has: otherwise the peer would never see us as a seed.
func (s *Swarm) unmask(p *peer) {
	m := p.mask
	m.off = true
	said := 0
	for ; m.unsaid < s.cfg.Geometry.Pieces && said < havesAtOnce; m.unsaid++ {
		if m.told.Has(m.unsaid) || !s.picker.Have(m.unsaid) {
			continue
		}
		s.say(p, wire.AppendHave(p.out.bytes, m.unsaid), "have", onPiece(why.AllOut, m.unsaid))
		said++
	}
	s.touch(p)
	if m.unsaid < s.cfg.Geometry.Pieces {
		s.dealing.stale = true
		s.wakeBy(s.now.Add(havesEvery))
		return
	}
	p.mask = nil
	s.sayExtensions(p, why.AllOut)
}

// lapse takes back what we dealt to a peer that does not use its slot.
func (s *Swarm) lapse(p *peer) {
	if d := &s.dealing; d.dealer != nil && d.dealer.Lapse(superseed.Peer(p.slot)) {
		d.stale = true
		if p.mask != nil {
			p.mask.lapsed = true
		}
	}
}

// tickDeal checks all deals again: some may have lapsed.
func (s *Swarm) tickDeal() {
	if d := &s.dealing; d.dealer != nil || d.masks {
		d.stale = true
	}
}

// hoards reports whether p does not pass on what it gets.
func (s *Swarm) hoards(p *peer) bool {
	return p.trust.hoards || s.dealing.dealer != nil && s.dealing.dealer.Hoards(s.now, superseed.Peer(p.slot))
}
