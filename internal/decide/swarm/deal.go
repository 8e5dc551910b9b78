package swarm

import (
	"time"

	"shoal/internal/decide/swarm/superseed"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// SuperSeed says when a seed shows each peer only what is dealt to it (BEP 16).
type SuperSeed uint8

// When to super-seed.
const (
	// SuperSeedAuto: a first seed does, for those that come when two others are there
	// already, where a copy takes longer than a minute: until everything is out.
	SuperSeedAuto SuperSeed = iota
	SuperSeedOn             // whoever comes, until everything is out
	SuperSeedOff
)

const (
	// slowCopy is how long a copy takes to leave a seed for which it is worth the trouble
	// to see to it that nothing leaves twice.
	slowCopy = time.Minute
	// superCrowd is how many leechers make a swarm, in which pieces can be passed on.
	superCrowd = 2
	// dealTime and dealBytes are how much may be dealt to a peer and not yet seen
	// elsewhere: what it takes in two seconds, 1 MiB at least. And so many pieces.
	dealTime  = 2 * time.Second
	dealBytes = 1 << 20
	dealLeast = 2
	// speaksAfter is how long after its handshake a peer has said what it has.
	speaksAfter = 2 * time.Second
	dealMost    = 64
	// showsAfter is how long a peer keeps its slot that we have nothing to deal to.
	showsAfter = 5 * time.Second
	// havesAtOnce bounds what goes out in one flush to a peer that is told of everything
	// at last: 18 KiB.
	havesAtOnce = 2048
	havesEvery  = 50 * time.Millisecond
)

// dealing is what a swarm has while it is a seed and not everything is out.
type dealing struct {
	dealer *superseed.Dealer // nil while nothing is dealt
	over   bool              // everything has been out
	first  bool              // we had everything from the start
	rival  bool              // another seed was seen
	masks  bool              // some peers do not know what we have
	alone  bool              // there is one leecher
	stale  bool              // a peer may be dealt more
}

// masked is what a peer was told of that does not know that we are a seed.
type masked struct {
	told   *bitfield.Bitfield
	lacks  int    // pieces that it was told of and lacks
	off    bool   // it is being told of everything
	lapsed bool   // it did not fetch what was dealt to it
	unsaid uint32 // from this piece on
}

// shownNothing reports whether p knows of nothing that it could ask us for.
func (p *peer) shownNothing() bool { return p.mask != nil && !p.mask.off && p.mask.lacks == 0 }

// wantsSlot reports whether p counts as interested in a slot. One that we show nothing has
// nothing to ask for, whatever it says; but nobody is choked right after an unchoke.
func (s *Swarm) wantsSlot(p *peer) bool {
	waits := p.shownNothing() && (p.ours.choked || s.now >= p.ours.unchokedAt.Add(showsAfter))
	return p.theirs.interested && !waits || s.deserves(p)
}

// deserves reports whether p is to be taken for interested: it can want nothing before it is
// told of something, and is told of something when it is unchoked.
func (s *Swarm) deserves(p *peer) bool {
	return p.shownNothing() && !p.mask.lapsed && !p.complete() && s.dealing.dealer != nil && s.now >= p.speaksBy() &&
		s.dealing.dealer.Room(s.now, superseed.Peer(p.slot), s.dealAhead(p))
}

// speaksBy is when a peer has said what it has, if it has anything. With the fast extension
// it says so in any case (BEP 6).
func (p *peer) speaksBy() mono.Time {
	if p.fast != nil && p.fast.heard {
		return p.joined
	}
	return p.joined.Add(speaksAfter)
}

// knows reports whether p knows that we have the piece.
func (p *peer) knows(piece uint32) bool {
	return p.mask == nil || p.mask.off || p.mask.told.Has(piece)
}

// count sees how much of what it was told the peer lacks.
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

// maskFor decides whether a peer that comes is to be shown what is dealt to it alone.
func (s *Swarm) maskFor() bool {
	d := &s.dealing
	if s.cfg.SuperSeed == SuperSeedOff || s.bare != nil || s.picker.Missing() > 0 || d.over || s.cfg.Slots <= 0 {
		return false
	}
	return s.cfg.SuperSeed == SuperSeedOn || d.first && !d.rival && s.leechers() > superCrowd && s.slow()
}

// leechers counts the connected peers that lack something, and pass something on for all that
// we know: peers that leave their slots unused have nothing to pass on.
func (s *Swarm) leechers() (n int) {
	for p := range s.peers.all() {
		if !p.complete() && s.now >= p.upload.use.vain {
			n++
		}
	}
	return n
}

// slow reports whether a copy takes long to leave us, by the limit of the upload or, where
// there is none, by what has left us lately. That says something of us only while peers take
// blocks and wait for more; else it may be the peers that take little.
func (s *Swarm) slow() bool {
	rate := s.slots.upLimit
	if rate == 0 && s.countUse().queue >= superCrowd {
		rate = int64(s.lateUp())
	}
	return rate > 0 && s.cfg.Geometry.Total/rate > int64(slowCopy/time.Second)
}

// readyDeal sees to it that there is a dealer while there is something to deal, before
// slots are given. It is called once for a batch of inputs, as deal is.
func (s *Swarm) readyDeal() {
	d := &s.dealing
	if !d.stale || s.bare != nil || s.picker.Missing() > 0 || d.over {
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

// deal tells peers of what is dealt to them.
func (s *Swarm) deal() {
	d := &s.dealing
	if !d.stale || s.bare != nil || s.picker.Missing() > 0 {
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

// openDeal counts what is out.
func (s *Swarm) openDeal() {
	need := 1
	if s.dealing.masks {
		need = 2 // who has a piece alone may leave
	}
	s.dealing.alone = false
	s.dealing.dealer = superseed.New(s.cfg.Geometry.Pieces, need, s.dealing.masks, s.rng)
	for p := range s.peers.all() {
		s.dealing.dealer.Add(p.theirs.have)
	}
}

// dealTo deals to a peer what there is for it now: to one that is masked by telling it that
// we have that, to another by suggesting it.
func (s *Swarm) dealTo(p *peer) {
	d, slot := s.dealing.dealer, superseed.Peer(p.slot)
	if p.mask == nil {
		if p.fast == nil || p.ours.choked || !p.theirs.interested || s.now >= s.idleAt(p, movesAfter) {
			s.due(d.Next(s.now, slot))
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
		s.due(p.speaksBy())
	} else if !p.ours.choked && !p.mask.lapsed {
		for {
			piece, ok := d.Deal(s.now, slot, p.theirs.have, p.mask.told, s.dealAhead(p))
			if !ok {
				break
			}
			s.tell(p, piece)
		}
	}
	s.due(d.Next(s.now, slot))
}

func (s *Swarm) tell(p *peer, piece uint32) {
	if p.mask.lacks == 0 {
		s.useBegins(p)
	}
	p.mask.told.Set(piece)
	p.mask.lacks++
	s.say(p, wire.AppendHave(p.out.bytes, piece), "have", onPiece(why.Dealt, piece))
}

// dealAhead is how many pieces may be dealt to p at once.
func (s *Swarm) dealAhead(p *peer) int {
	bytes := max(dealBytes, int64(p.upload.up.Rate(s.now)*dealTime.Seconds()))
	return int(min(max(bytes/int64(s.cfg.Geometry.PieceLength), dealLeast), dealMost))
}

// unmask tells a peer of everything, in several turns where that is much. What the peer has
// is told, too: else it would never see us as the seed that we are.
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
		s.due(s.now.Add(havesEvery))
		return
	}
	p.mask = nil
	s.sayExtensions(p, why.AllOut)
}

// lapse takes back what was dealt to a peer that makes no use of its slot.
func (s *Swarm) lapse(p *peer) {
	if d := &s.dealing; d.dealer != nil && d.dealer.Lapse(superseed.Peer(p.slot)) {
		d.stale = true
		if p.mask != nil {
			p.mask.lapsed = true
		}
	}
}

// tickDeal looks at all deals anew: some may have lapsed.
func (s *Swarm) tickDeal() {
	if d := &s.dealing; d.dealer != nil || d.masks {
		d.stale = true
	}
}

// hoards reports whether p does not pass on what it gets.
func (s *Swarm) hoards(p *peer) bool {
	return p.trust.hoards || s.dealing.dealer != nil && s.dealing.dealer.Hoards(s.now, superseed.Peer(p.slot))
}
