// Package picker decides which block to request next, and from whom (BEP 3).
//
// The order of preference for one peer, among what it has and we lack:
//
//  1. what a reader waits for, in the order in which it is read, as far as this
//     peer is quick enough to be of help there (why.Urgent); and a block there
//     that another peer was asked for and is late with (why.UrgentLate);
//  2. then by priority: high, normal, low; skipped pieces never. Within one:
//     a. a piece already started: the one this peer last worked on, then the one
//     with the fewest blocks still to ask for, then the oldest (why.Started);
//     b. a new piece: where pieces are wanted in order the first, three times of four
//     (why.InOrder); one that the peer suggests, if hardly any is rarer
//     (why.Suggested); at random while hardly any are had (why.RandomFirst), then
//     the rarest, ties at random (why.Rarest);
//  3. endgame: when no block is left to ask for, one that another peer was
//     asked for and has not sent (why.Endgame).
//
// Blocks of a piece go in ascending order, so that the disk can hash them as
// they come. A piece that failed its hash is suspect: it is fetched from one
// peer at a time (why.Suspect), so that a liar convicts itself; and a peer that
// has not proved itself gets pieces of its own, see SetTrial.
//
// A Picker is owned by the swarm of one torrent. It knows nothing of time-outs,
// choking or queue lengths: the swarm calls Abandon, says how many blocks it
// wants, and how quick a peer is. It allocates nothing in the steady state, and
// keeps nothing but what is had while every piece is.
package picker

import (
	"math/rand/v2"
	"time"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// Peer is a small dense handle given by the swarm: the number of the slot that
// a connection lives in. It may be given to another peer after AbandonAll.
type Peer uint32

// Geometry is what the picker must know of a torrent. Indices are in range.
type Geometry interface {
	PieceSize(piece uint32) uint32        // bytes
	Blocks(piece uint32) uint32           // blocks of the piece, at least one
	BlockSize(piece, index uint32) uint32 // bytes
}

// Defaults and bounds of Config.
const (
	DefaultRandomFirst   = 4
	DefaultEndgameCopies = 2
	DefaultMaxStarted    = 64 << 10

	// maxCopies is the most peers one block is ever asked of at once: with
	// more, an endgame costs more than it saves.
	maxCopies = 3
	// minStarted pieces may be fetched at once, however large they are: so few
	// would leave peers idle that have none of them.
	minStarted = 4
	// randomFirstPieces: a torrent of so few pieces always goes rarest first,
	// since there is hardly anything to trade before it is done.
	randomFirstPieces = 16
)

// Config of a Picker. The zero value of a number means its default.
type Config struct {
	Geometry

	// RandomFirst: until so many pieces are had, new ones are taken at random,
	// so that there is soon something to trade; a rare piece would come slowly.
	// Only in torrents of more than 16 pieces. Default 4; negative means none.
	RandomFirst int

	// EndgameCopies is the number of peers that one block may be asked of at
	// once in endgame. Default 2, at most 3; 1 turns endgame off.
	EndgameCopies int

	// EndgameAfter is how old a request must be before its block is asked of
	// another peer, too. Default 0.
	EndgameAfter time.Duration

	// MaxStarted bounds the pieces being fetched at once, in blocks: at the
	// bound peers are given blocks of started pieces only. What is in progress
	// is downloaded but not verified, so it is what a crash or a poisoned
	// piece can cost. Default 65,536 blocks, 1 GiB; but always 4 pieces.
	// A piece that nobody is being asked for does not count: it waits for a
	// peer that has it, and must not keep the others idle.
	MaxStarted int
}

func (c Config) withDefaults() Config {
	if c.RandomFirst == 0 {
		c.RandomFirst = DefaultRandomFirst
	}
	if c.EndgameCopies == 0 {
		c.EndgameCopies = DefaultEndgameCopies
	}
	c.EndgameCopies = min(max(c.EndgameCopies, 1), maxCopies)
	if c.MaxStarted <= 0 {
		c.MaxStarted = DefaultMaxStarted
	}
	return c
}

// none is the absent slot, request or place.
const none = -1

// piece is what is kept of every piece while any is missing. One is in exactly one
// state: had (in Picker.have), started (it has a slot), free (in the order of its
// level), or left out (level Skip).
type piece struct {
	avail   uint32 // connected peers that have it, without those in availability.seeds
	pos     uint32 // its place in the order, while free
	slot    int32  // its started state, or none
	level   uint8  // its priority; Low where it is skipped and a reader wants it
	rank    uint8  // 1 + its place before a reader, as in progress.urgent; 0: none waits
	suspect bool   // its last copy failed the hash
}

// Picker holds the state of every piece of one torrent. Make one with New.
type Picker struct {
	cfg  Config
	rng  *rand.Rand
	have *bitfield.Bitfield

	wanted    wantedPieces
	reading   reading
	*progress // &nothing while every piece is had
}

// progress is what is kept while a piece is missing, and of no use otherwise: most
// torrents of an engine are complete.
type progress struct {
	pieces     []piece
	avail      availability
	urgent     []urgent // the missing pieces in front of readers, by rank
	begun      begunPieces
	requests   requestList
	sequential sequential

	// generation changes whenever a block may have become available to a peer
	// that found nothing before.
	generation uint64
}

// nothing is the progress of every torrent that has all pieces. It is never written
// to: whatever changes a progress is about a missing piece.
var nothing = progress{requests: noRequests}

// New makes the picker of a torrent of have.Len() pieces, those in have being
// had. have is copied.
func New(cfg Config, have *bitfield.Bitfield, rng *rand.Rand) *Picker {
	p := &Picker{
		cfg:      cfg.withDefaults(),
		rng:      rng,
		have:     have.Clone(),
		wanted:   allPieces(have),
		progress: &nothing,
	}
	if !have.All() {
		p.build()
	}
	return p
}

// build makes what is kept while a piece is missing.
func (p *Picker) build() {
	p.progress = &progress{
		pieces:     make([]piece, p.have.Len()),
		requests:   noRequests,
		generation: 1,
	}
	missing := make([]uint32, 0, p.Missing())
	for i := range p.have.Len() {
		p.pieces[i] = newPiece(p.levelOf(i))
		if !p.have.Has(i) {
			missing = append(missing, i)
		}
	}
	p.rng.Shuffle(len(missing), func(i, j int) { missing[i], missing[j] = missing[j], missing[i] })
	for _, i := range missing {
		if p.isFree(i) {
			p.avail.orders[p.pieces[i].level].put(p.pieces, i)
			p.offer(i, int64(p.cfg.Blocks(i)))
		}
	}
	p.reading.changed()
}

func newPiece(level uint8) piece { return piece{slot: none, level: level} }

// Have reports whether the piece is had: verified and not lost since.
func (p *Picker) Have(piece uint32) bool { return p.have.Has(piece) }

// Lacks reports whether the piece is wanted, by its priority or by a reader, and
// missing.
func (p *Picker) Lacks(piece uint32) bool {
	return int(piece) < len(p.pieces) && p.pieces[piece].level != Skip && !p.have.Has(piece)
}

// Started reports whether the piece is begun and not verified.
func (p *Picker) Started(piece uint32) bool { return p.slotOf(piece) != none }

func (p *Picker) slotOf(piece uint32) int32 {
	if int(piece) >= len(p.pieces) {
		return none
	}
	return p.pieces[piece].slot
}

// HaveCount is the number of pieces had.
func (p *Picker) HaveCount() uint32 { return p.have.Count() }

// Missing is the number of pieces not had, wanted or not.
func (p *Picker) Missing() uint32 { return p.have.Len() - p.have.Count() }

// Complete reports whether every piece is had that is not skipped.
func (p *Picker) Complete() bool { return p.wanted.lacking == 0 }

// Seeking reports whether a piece is missing that is wanted, if only by a reader.
func (p *Picker) Seeking() bool { return p.wanted.seeking > 0 }

// Bitfield gives the pieces had, to read only; it changes with the picker.
func (p *Picker) Bitfield() *bitfield.Bitfield { return p.have }

// Wants reports whether has holds a piece that we lack: whether to be
// interested in a peer (BEP 3).
func (p *Picker) Wants(has *bitfield.Bitfield) bool {
	if p.wanted.seeking == 0 || !has.HasAny(p.have) {
		return false
	}
	for i := range has.Pieces() {
		if p.Lacks(i) {
			return true
		}
	}
	return false
}

// Verified says that the piece matched its hash: it is had, and what was kept
// for fetching it is released. Requests for it that are still outstanding are
// forgotten; their blocks will be duplicates.
func (p *Picker) Verified(piece uint32) {
	if piece >= p.have.Len() || p.have.Has(piece) {
		return
	}
	pc := &p.pieces[piece]
	p.offer(piece, -p.offeredOf(piece))
	if p.isFree(piece) {
		p.avail.orders[pc.level].take(p.pieces, piece)
	}
	p.count(piece, -1)
	p.have.Set(piece)
	if slot := pc.slot; slot != none {
		p.dropRequests(slot)
		p.releaseSlot(slot)
	}
	if pc.suspect {
		pc.suspect = false
		p.begun.cleared(piece)
	}
	if pc.rank > 0 {
		p.reading.changed()
	}
	if p.have.All() {
		p.progress = &nothing
	}
}

// Failed says that the piece did not match its hash: all its blocks are to be
// fetched again, and the piece is suspect until it is verified. Peers that sent
// part of the failed copy get it only when nothing else is left for them.
func (p *Picker) Failed(piece uint32) {
	if p.slotOf(piece) == none {
		return
	}
	p.begun.failed(piece, contributors(p.Senders(piece)))
	p.pieces[piece].suspect = true
	p.Forget(piece)
}

// Forget says that the blocks received of the piece are gone, for example after
// a disk error: they are to be fetched again. Requests outstanding stay.
func (p *Picker) Forget(piece uint32) {
	slot := p.slotOf(piece)
	if slot == none {
		return
	}
	st := &p.begun.slots[slot]
	for i := range st.blocks {
		if st.blocks[i].received {
			st.blocks[i].received = false
			st.blocks[i].sender = 0
			st.received--
			p.freeBlock(slot, uint32(i))
		}
	}
	p.settle(slot)
	p.generation++
}

// Lost says that a piece we had is gone, for example found bad on disk. When every
// piece was had, nothing was counted of peers: those connected are to be counted
// now, by PeerBits.
func (p *Picker) Lost(piece uint32) {
	if !p.have.Clear(piece) {
		return
	}
	p.reading.lost()
	if p.pieces == nil {
		p.build()
	} else {
		if p.isFree(piece) {
			p.avail.orders[p.pieces[piece].level].put(p.pieces, piece)
		}
		p.offer(piece, p.offeredOf(piece))
	}
	p.count(piece, 1)
	p.sequential.lost(piece)
	p.generation++
}

// Endgame reports whether no block is left to ask for: every missing block that
// a connected peer has was received or is requested, and some are on their way.
func (p *Picker) Endgame() bool { return p.obtainable() == 0 && p.requests.count > 0 }

// Stats are counts of a Picker's state.
type Stats struct {
	Have, Missing uint32 // pieces
	Started       int    // pieces begun and not verified
	Requests      int    // outstanding, each copy counted
	Offered       int64  // blocks neither received nor requested, of wanted pieces that a connected peer has

	Wanted, WantedHave uint32 // pieces not skipped, and how many of them are had
	Urgent, Copied     int64  // blocks asked for since a reader waits, and asked once more
}

// Stats gives the counts as they are now.
func (p *Picker) Stats() Stats {
	return Stats{
		Have:     p.HaveCount(),
		Missing:  p.Missing(),
		Started:  p.begun.count,
		Requests: p.requests.count,
		Offered:  p.obtainable(),

		Wanted: p.wanted.chosen, WantedHave: p.wanted.chosen - p.wanted.lacking,
		Urgent: p.reading.asked, Copied: p.reading.copied,
	}
}

// index gives the piece and block that a reference from the wire names, and
// whether it is exactly one of our blocks.
func (p *Picker) index(ref block.Ref) (index uint32, ok bool) {
	if ref.Piece >= p.have.Len() || ref.Begin%block.Size != 0 {
		return 0, false
	}
	i := ref.Index()
	return i, i < p.cfg.Blocks(ref.Piece) && ref.Length == p.cfg.BlockSize(ref.Piece, i)
}

func (p *Picker) ref(piece, index uint32) block.Ref {
	return block.Ref{Piece: piece, Begin: index * block.Size, Length: p.cfg.BlockSize(piece, index)}
}
