// Package superseed decides which pieces a seed deals to which peer, so that everything
// leaves it once before anything leaves it twice. In super-seeding (BEP 16) a peer is
// told of nothing but what is dealt to it, and of more when that has been seen at somebody
// else; otherwise what is dealt is suggested (BEP 6), and the peer asks for what it likes.
//
// A Dealer is owned by the swarm of one torrent, which calls it while not everything is
// out, and forgets it then. It is a function of what peers have and of the time given:
// no clock, no sockets.
// Decision 0085 says why.
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
	// patience is for how long a piece counts as dealt: so long a peer has to fetch it
	// and to pass it on. Then it may be dealt to another one, and the peer gets another
	// piece: it may not want this one, or have nobody to pass it on to.
	patience = 30 * time.Second
	// maxHand bounds what a peer may take without being dealt it.
	maxHand = 128
	// spreads is how soon a piece that only one peer has is seen at another one, where
	// that peer passes on what it gets: others ask for what is rare first.
	spreads = 6 * time.Second
	// fewKept is how many pieces a peer may have kept to itself without being taken for
	// one that keeps them all.
	fewKept = 3
)

// Peer is a small dense handle given by the swarm, as for the picker.
type Peer uint32

// Dealer keeps account of what is out. Make one with New.
type Dealer struct {
	rng   *rand.Rand
	once  bool
	alone bool
	need  uint16 // owners that are enough
	cards []card
	hands [][]deal // by peer
	turns []turns  // by peer
	short int      // pieces with fewer owners than are enough
	fresh int      // pieces that nobody has or is dealt
}

// card is what is known of a piece.
type card struct {
	owners uint16 // connected peers that have it
	dealt  uint16 // peers it was dealt to, which do not have it
	open   uint16 // deals in hands, of those that have it and of those that do not
}

func (c *card) sum() uint16 { return c.owners + c.dealt }

// deal is a piece that was dealt to a peer and has not been seen elsewhere.
type deal struct {
	piece uint32
	at    mono.Time // when it was dealt; once it is had, when that was
	had   bool
}

// turns counts what became of pieces that a peer was the first to have.
type turns struct{ passed, kept uint16 }

// New makes the dealer of a torrent of so many pieces, none of which has an owner yet. It
// deals until each has as many owners as are needed. once says that nothing is dealt that
// somebody has or is dealt already.
func New(pieces uint32, need int, once bool, rng *rand.Rand) *Dealer {
	return &Dealer{
		rng: rng, once: once, need: uint16(need), cards: make([]card, pieces), short: int(pieces), fresh: int(pieces),
	}
}

// Done reports whether every piece has as many owners as are needed.
func (d *Dealer) Done() bool { return d.short == 0 }

// Alone says whether there is nobody to whom a piece could be passed on: then it counts as
// passed on as soon as it is had.
func (d *Dealer) Alone(alone bool) {
	d.alone = alone
	if !alone {
		return
	}
	for p := range d.hands {
		for i := len(d.hands[p]) - 1; i >= 0; i-- {
			if d.hands[p][i].had {
				d.end(Peer(p), i)
			}
		}
	}
}

// Add counts what a peer has that comes, or that says now that it has this.
func (d *Dealer) Add(has *bitfield.Bitfield) {
	for i := range has.Pieces() {
		d.count(i, 1, 0)
	}
}

// Remove counts what a peer had that says now that it has something else.
func (d *Dealer) Remove(has *bitfield.Bitfield) {
	for i := range has.Pieces() {
		d.count(i, -1, 0)
	}
}

// Leave says that a peer that had this is gone.
func (d *Dealer) Leave(p Peer, has *bitfield.Bitfield) {
	d.Remove(has)
	for len(d.hand(p)) > 0 {
		d.end(p, 0)
	}
	d.turns[p] = turns{}
}

// Lapse ends the deals of a peer that does not fetch what it was dealt, where nothing is left
// for others, and reports whether there were any.
func (d *Dealer) Lapse(p Peer) (ended bool) {
	if !d.once || d.fresh > 0 {
		return false
	}
	for i := len(d.hand(p)) - 1; i >= 0; i-- {
		if !d.hands[p][i].had {
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
			if d.hands[q][at].had {
				d.turns[q].passed = min(d.turns[q].passed, math.MaxUint16-1) + 1
			}
			d.end(Peer(q), at) // it has been seen at another one
		default:
			d.had(&d.hands[q][at])
			d.hands[q][at].at = now
		}
	}
}

// Lost says that a peer has a piece no more (BEP 54).
func (d *Dealer) Lost(piece uint32) { d.count(piece, -1, 0) }

// Asked says that a peer asks for a piece. When it was not dealt to it, it has dealt it to
// itself.
func (d *Dealer) Asked(now mono.Time, p Peer, piece uint32) {
	if slices.ContainsFunc(d.hand(p), func(x deal) bool { return x.piece == piece }) || len(d.hands[p]) >= maxHand {
		return
	}
	d.put(now, p, piece)
}

// Deal gives the next piece for a peer, as long as less than most are in its hand: of
// those that it neither has nor was told of, one that the fewest have or are dealt, ties
// at random.
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

// Room reports whether Deal may give the peer something.
func (d *Dealer) Room(now mono.Time, p Peer, most int) bool {
	d.prune(now, p)
	return len(d.hand(p)) < most && (!d.once || d.fresh > 0)
}

// Hoards reports whether a peer keeps to itself most of what it was the first to have.
func (d *Dealer) Hoards(now mono.Time, p Peer) bool {
	kept := 0
	for _, x := range d.hand(p) {
		if x.had && now.Sub(x.at) >= spreads && d.cards[x.piece].owners == 1 {
			kept++
		}
	}
	kept += int(d.turns[p].kept)
	return !d.alone && kept >= fewKept && kept > int(d.turns[p].passed)
}

// Next is when the next deal of the peer lapses, after now; mono.Never while it has none.
func (d *Dealer) Next(now mono.Time, p Peer) mono.Time {
	d.prune(now, p)
	next := mono.Never
	for _, x := range d.hand(p) {
		next = min(next, x.at.Add(patience))
	}
	return next
}

// count adds to the owners of a piece, and to those that are dealt it.
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

// had says that the peer of a deal has its piece.
func (d *Dealer) had(x *deal) {
	if !x.had {
		x.had = true
		d.count(x.piece, 0, -1)
	}
}

// end takes a deal out of a hand.
func (d *Dealer) end(p Peer, at int) {
	x := &d.hands[p][at]
	d.had(x)
	d.cards[x.piece].open--
	d.hands[p] = slices.Delete(d.hands[p], at, at+1)
}

// prune ends what lapses.
func (d *Dealer) prune(now mono.Time, p Peer) {
	for i := 0; i < len(d.hand(p)); {
		if now < d.hands[p][i].at.Add(patience) {
			i++
			continue
		}
		if x := d.hands[p][i]; x.had && d.cards[x.piece].owners == 1 && d.turns[p].kept < math.MaxUint16 {
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

// CheckInvariants recomputes what is kept up step by step and gives the first difference.
// has gives what each connected peer has. It is for tests and the simulator.
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
			if !x.had {
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
