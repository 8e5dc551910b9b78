// Package superseed decides which pieces a seed deals to which peer, so that every piece
// leaves it once before any piece leaves it twice. In super-seeding (BEP 16) the seed reveals
// to a peer only what it deals to it, and reveals more once another peer has that. Otherwise
// the seed suggests what it deals (BEP 6), and the peer requests what it likes.
//
// The swarm of one torrent owns a Dealer. It calls the Dealer until every piece is out, and
// drops it then. A Dealer is a function of what peers have and of the time passed in: no
// clock, no sockets (decision 0085).
package superseed

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
)

const (
	// patience is how long a piece counts as dealt: the time that a peer has to fetch it and
	// pass it on. Then the piece can be dealt to another peer, and the peer gets another
	// piece: it might not want this one, or have no peer to pass it on to.
	patience = 30 * time.Second
	// maxHand bounds what a peer may take without a deal.
	maxHand = 128
	// spreads is how soon a piece that only one peer has appears at another one, if that peer
	// passes on what it gets: others request rare pieces first.
	spreads = 6 * time.Second
	// fewKept is how many pieces a peer may have kept to itself before it counts as one that
	// keeps them all.
	fewKept = 3
)

// Peer is a small dense handle that the swarm assigns, as for the picker.
type Peer uint32

// Dealer keeps account of what is out. Create one with New.
type Dealer struct {
	rng   *rand.Rand
	once  bool
	alone bool
	need  uint16 // owners that are enough
	cards []card
	hands [][]deal // by peer
	turns []turns  // by peer
	short int      // pieces with fewer owners than need
	fresh int      // pieces that no peer has and that are not dealt
}

// card is what we know of a piece.
type card struct {
	owners uint16 // peers to which it was dealt and that do not have it
	dealt  uint16 // deals in hands, of peers that have it and of peers that do not
	open   uint16 // deals in hands, of those that have it and of those that do not
}

func (c *card) sum() uint16 { return c.owners + c.dealt }

// deal is a piece that was dealt to a peer and has not appeared elsewhere.
type deal struct {
	piece   uint32
	at      mono.Time // time of the deal; once the peer has the piece, the time when it got it
	arrived bool
}

// turns counts the fate of pieces that a peer was the first to have.
type turns struct{ passed, kept uint16 }

// New returns the dealer of a torrent of this many pieces, none of which has an owner yet. It
// deals until each has need owners. With once it never deals a piece that a peer has or that
// is dealt already.
func New(pieces uint32, need int, once bool, rng *rand.Rand) *Dealer {
	return &Dealer{
		rng: rng, once: once, need: uint16(need), cards: make([]card, pieces), short: int(pieces), fresh: int(pieces),
	}
}

// Done reports whether every piece has enough owners.
func (d *Dealer) Done() bool { return d.short == 0 }

// Alone sets whether there is no peer to which a piece could be passed on: then a piece
// counts as passed on as soon as its peer has it.
func (d *Dealer) Alone(alone bool) {
	d.alone = alone
	if !alone {
		return
	}
	for p := range d.hands {
		for i := len(d.hands[p]) - 1; i >= 0; i-- {
			if d.hands[p][i].arrived {
				d.end(Peer(p), i)
			}
		}
	}
}

// Add counts the pieces of a peer that joins, or its new set.
func (d *Dealer) Add(has *bitfield.Bitfield) {
	for i := range has.Pieces() {
		d.count(i, 1, 0)
	}
}

// Remove subtracts the pieces of a peer, because its set is replaced.
func (d *Dealer) Remove(has *bitfield.Bitfield) {
	for i := range has.Pieces() {
		d.count(i, -1, 0)
	}
}

// Leave says that a peer with these pieces is gone.
func (d *Dealer) Leave(p Peer, has *bitfield.Bitfield) {
	d.Remove(has)
	for len(d.hand(p)) > 0 {
		d.end(p, 0)
	}
	d.turns[p] = turns{}
}

// Lapse ends the deals of a peer that does not fetch what it was dealt, if nothing is left
// for others, and reports whether there were any.
func (d *Dealer) Lapse(p Peer) (ended bool) {
	if !d.once || d.fresh > 0 {
		return false
	}
	for i := len(d.hand(p)) - 1; i >= 0; i-- {
		if !d.hands[p][i].arrived {
			d.end(p, i)
			ended = true
		}
	}
	return ended
}

// Have says that a peer has one more piece.
func (d *Dealer) Have(now mono.Time, p Peer, piece uint32) {
	d.count(piece, 1, 0)
	if d.cards[piece].open == 0 {
		return
	}
	for q := range d.hands {
		at := slices.IndexFunc(d.hands[q], func(x deal) bool { return x.piece == piece })
		switch {
		case at < 0:
		case Peer(q) != p || d.cards[piece].owners > 1 || d.alone:
			if d.hands[q][at].arrived {
				d.turns[q].passed = min(d.turns[q].passed, math.MaxUint16-1) + 1
			}
			d.end(Peer(q), at) // it has appeared at another peer
		default:
			d.hasPiece(&d.hands[q][at])
			d.hands[q][at].at = now
		}
	}
}

// Lost says that a peer no longer has a piece (BEP 54).
func (d *Dealer) Lost(piece uint32) { d.count(piece, -1, 0) }

// Asked says that a peer requests a piece. If we did not deal that piece to it, it now counts
// as dealt.
func (d *Dealer) Asked(now mono.Time, p Peer, piece uint32) {
	if slices.ContainsFunc(d.hand(p), func(x deal) bool { return x.piece == piece }) || len(d.hands[p]) >= maxHand {
		return
	}
	d.put(now, p, piece)
}

// Deal returns the next piece for a peer, while it has fewer than most in its hand: of the
// pieces that it neither has nor knows of, the one with fewest owners and deals, ties at
// random.
func (d *Dealer) Deal(now mono.Time, p Peer, has, told *bitfield.Bitfield, most int) (piece uint32, ok bool) {
	if d.prune(now, p); len(d.hand(p)) >= most || d.once && d.fresh == 0 {
		return 0, false
	}
	n := uint32(len(d.cards))
	from := uint32(d.rng.IntN(len(d.cards)))
	var least uint16
	for k := range n {
		i := from + k
		if i >= n {
			i -= n
		}
		sum := d.cards[i].sum()
		if ok && sum >= least || d.once && sum > 0 || has.Has(i) || told.Has(i) {
			continue
		}
		if piece, least, ok = i, sum, true; sum == 0 {
			break
		}
	}
	if ok {
		d.put(now, p, piece)
	}
	return piece, ok
}

// Room reports whether Deal may return a piece for the peer.
func (d *Dealer) Room(now mono.Time, p Peer, most int) bool {
	d.prune(now, p)
	return len(d.hand(p)) < most && (!d.once || d.fresh > 0)
}

// Hoards reports whether a peer keeps to itself most of what it was the first to have.
func (d *Dealer) Hoards(now mono.Time, p Peer) bool {
	kept := 0
	for _, x := range d.hand(p) {
		if x.arrived && now.Sub(x.at) >= spreads && d.cards[x.piece].owners == 1 {
			kept++
		}
	}
	kept += int(d.turns[p].kept)
	return !d.alone && kept >= fewKept && kept > int(d.turns[p].passed)
}

// Next returns when the next deal of the peer lapses, after now; mono.Never while it has
// none.
func (d *Dealer) Next(now mono.Time, p Peer) mono.Time {
	d.prune(now, p)
	next := mono.Never
	for _, x := range d.hand(p) {
		next = min(next, x.at.Add(patience))
	}
	return next
}

// count changes the numbers of owners and deals of a piece.
func (d *Dealer) count(i uint32, owners, dealt int) {
	c := &d.cards[i]
	enough, fresh := c.owners >= d.need, c.sum() == 0
	c.owners = uint16(int(c.owners) + owners)
	c.dealt = uint16(int(c.dealt) + dealt)
	d.short += one(enough) - one(c.owners >= d.need)
	d.fresh += one(c.sum() == 0) - one(fresh)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (d *Dealer) put(now mono.Time, p Peer, piece uint32) {
	d.hands[p] = append(d.hands[p], deal{piece: piece, at: now})
	d.cards[piece].open++
	d.count(piece, 0, 1)
}

// hasPiece says that the peer of a deal has its piece.
func (d *Dealer) hasPiece(x *deal) {
	if !x.arrived {
		x.arrived = true
		d.count(x.piece, 0, -1)
	}
}

// end removes a deal from a hand.
func (d *Dealer) end(p Peer, at int) {
	x := &d.hands[p][at]
	d.hasPiece(x)
	d.cards[x.piece].open--
	d.hands[p] = slices.Delete(d.hands[p], at, at+1)
}

// prune ends the deals that have lapsed.
func (d *Dealer) prune(now mono.Time, p Peer) {
	for i := 0; i < len(d.hand(p)); {
		if now < d.hands[p][i].at.Add(patience) {
			i++
			continue
		}
		if x := d.hands[p][i]; x.arrived && d.cards[x.piece].owners == 1 && d.turns[p].kept < math.MaxUint16 {
			d.turns[p].kept++
		}
		d.end(p, i)
	}
}

func (d *Dealer) hand(p Peer) []deal {
	for len(d.hands) <= int(p) {
		d.hands, d.turns = append(d.hands, nil), append(d.turns, turns{})
	}
	return d.hands[p]
}

// CheckInvariants recomputes what the dealer maintains step by step and returns the first
// difference. has yields the pieces of each connected peer. It is for tests and the
// simulator.
func (d *Dealer) CheckInvariants(has iter.Seq2[Peer, *bitfield.Bitfield]) error {
	want := make([]card, len(d.cards))
	sets := make(map[Peer]*bitfield.Bitfield)
	for p, set := range has {
		sets[p] = set
		for i := range set.Pieces() {
			want[i].owners++
		}
	}
	for p, hand := range d.hands {
		for _, x := range hand {
			set := sets[Peer(p)]
			if set == nil {
				return fmt.Errorf("piece %d is dealt to peer %d, which is not there", x.piece, p)
			}
			want[x.piece].open++
			if !x.arrived {
				want[x.piece].dealt++
			}
		}
	}
	short, fresh := 0, 0
	for i := range want {
		if d.cards[i] != want[i] {
			return fmt.Errorf("piece %d: kept %+v, is %+v", i, d.cards[i], want[i])
		}
		short += one(want[i].owners < d.need)
		fresh += one(want[i].sum() == 0)
	}
	if d.short != short || d.fresh != fresh {
		return fmt.Errorf("%d pieces short and %d fresh, kept %d and %d", short, fresh, d.short, d.fresh)
	}
	return nil
}
