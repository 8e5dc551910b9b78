// Package picker decides which block to request next, and from which peer (BEP 3).
//
// The order of preference for one peer, among what it has and we lack:
//
//  1. what a reader waits for, in reading order, as far as this peer is fast enough to help
//     there (why.Urgent); and an urgent block that another peer is late with
//     (why.UrgentLate);
//  2. then by priority: high, normal, low; skipped pieces never. Within one:
//     a. a piece already started: the one this peer last worked on, then the one with the
//     fewest free blocks, then the oldest (why.Started);
//     b. a new piece: for a download in order the first one, three times of four
//     (why.InOrder); one that the peer suggests, if hardly any is rarer (why.Suggested);
//     a random one while we have hardly any (why.RandomFirst); then the rarest, ties at
//     random (why.Rarest);
//  3. endgame: when no block is free, one that another peer owes us (why.Endgame).
//
// Blocks of a piece go in ascending order, so that the disk can hash them as they come. A
// piece that failed its hash is suspect: we fetch it from one peer at a time (why.Suspect),
// so that a liar convicts itself. A peer that has not proved itself gets pieces of its own,
// see SetTrial.
//
// The swarm of one torrent owns a Picker. The Picker knows nothing of timeouts, choking or
// queue lengths: the swarm calls Abandon, says how many blocks it wants, and how fast a peer
// is. It allocates nothing in the steady state, and keeps only the set of pieces once that
// set is complete.
package picker

import (
	"math/rand/v2"
	"time"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// Peer is a small dense handle that the swarm assigns: the slot number of a connection. It
// may name another peer after AbandonAll.
type Peer uint32

// Geometry is what the picker must know about a torrent. The picker passes only valid
// indices.
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

	// maxCopies is the most peers of which one block is ever requested at once: with more,
	// endgame costs more than it saves.
	maxCopies = 3
	// minStarted pieces may be in progress at once, however large they are: with fewer, peers
	// that have none of them would be idle.
	minStarted = 4
	// randomFirstPieces: a torrent of at most that many pieces always goes rarest first,
	// because hardly anything can be traded before it is done.
	randomFirstPieces = 16
)

// Config of a Picker. The zero value of a number means its default.
type Config struct {
	Geometry

	// RandomFirst is how many pieces we choose at random at first, in torrents of more than
	// 16 pieces, so that we soon have something to trade; a rare piece would come slowly. 0:
	// 4; negative: none.
	RandomFirst int

	// EndgameCopies is from how many peers we may request one block at once in endgame. 0: 2;
	// at most 3; 1 turns endgame off.
	EndgameCopies int

	// EndgameAfter is how old a request must be before another peer may get one for its
	// block. 0: no wait.
	EndgameAfter time.Duration

	// MaxStarted bounds the pieces in progress, in blocks: at the bound, peers get only
	// blocks of started pieces. Pieces in progress are downloaded but not verified, so this
	// is what a crash or a poisoned piece can cost. 0: 65,536 blocks, 1 GiB; 4 pieces may
	// always be in progress. A piece without outstanding requests does not count: it waits
	// for a peer that has it, and must not keep the others idle.
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

// none is the absent slot, request or position.
const none = -1

// piece is the state of one piece while any is missing. A piece is in exactly one state: ours
// (in Picker.have), started (it has a slot), free (in the order of its level), or left out
// (level Skip).
type piece struct {
	avail   uint32 // connected peers that have it, without those in availability.seeds
	pos     uint32 // position in the order, while free
	slot    int32  // slot of its started state, or none
	level   uint8  // its priority; Low if it is skipped and a reader wants it
	rank    uint8  // 1 + its rank in progress.urgent; 0: no reader waits for it
	suspect bool   // its last copy failed the hash
}

// Picker is the state of every piece of one torrent. Create one with New.
type Picker struct {
	cfg  Config
	rng  *rand.Rand
	have *bitfield.Bitfield

	wanted    wantedPieces
	reading   reading
	*progress // &nothing while we have every piece
}

// progress is the state that is needed only while a piece is missing: most torrents of an
// engine are complete.
type progress struct {
	pieces     []piece
	avail      availability
	urgent     []urgent // the missing pieces in front of readers, by rank
	begun      begunPieces
	requests   requestList
	sequential sequential

	// generation changes whenever a block may have become available to a peer for which we
	// found none before.
	generation uint64
}

// nothing is the progress of every torrent that has all pieces. No code writes to it: a
// change of a progress is always about a missing piece.
var nothing = progress{requests: noRequests}

// New returns the picker of a torrent of have.Len() pieces, of which we have those in have.
// It copies have.
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

// build creates the progress once a piece is missing.
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

// Have reports whether we have the piece: verified and not lost since.
func (p *Picker) Have(piece uint32) bool { return p.have.Has(piece) }

// Lacks reports whether the piece is missing, and wanted by its priority or by a reader.
func (p *Picker) Lacks(piece uint32) bool {
	return int(piece) < len(p.pieces) && p.pieces[piece].level != Skip && !p.have.Has(piece)
}

// Started reports whether the piece is started and not verified.
func (p *Picker) Started(piece uint32) bool { return p.slotOf(piece) != none }

func (p *Picker) slotOf(piece uint32) int32 {
	if int(piece) >= len(p.pieces) {
		return none
	}
	return p.pieces[piece].slot
}

// HaveCount returns the number of pieces that we have.
func (p *Picker) HaveCount() uint32 { return p.have.Count() }

// Missing returns the number of pieces that we lack, wanted or not.
func (p *Picker) Missing() uint32 { return p.have.Len() - p.have.Count() }

// Complete reports whether we have every piece that is not skipped.
func (p *Picker) Complete() bool { return p.wanted.lacking == 0 }

// Seeking reports whether a wanted piece is missing, if only a reader wants it.
func (p *Picker) Seeking() bool { return p.wanted.seeking > 0 }

// Bitfield returns the pieces that we have, to read only; it changes with the picker.
func (p *Picker) Bitfield() *bitfield.Bitfield { return p.have }

// Wants reports whether has holds a piece that we lack: whether we are interested in a peer
// (BEP 3).
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

// Verified says that the piece matched its hash: we have it. It releases the piece's state
// and forgets its outstanding requests; their blocks will be duplicates.
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

// Failed says that the piece did not match its hash: we must fetch all its blocks again, and
// the piece is suspect until it is verified. Peers that sent part of the failed copy get it
// only when nothing else is left for them.
func (p *Picker) Failed(piece uint32) {
	if p.slotOf(piece) == none {
		return
	}
	p.begun.failed(piece, contributors(p.Senders(piece)))
	p.pieces[piece].suspect = true
	p.Forget(piece)
}

// Forget says that the received blocks of the piece are gone, for example after a disk error:
// we must fetch them again. Outstanding requests stay.
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

// Lost says that a piece that we had is gone, for example found bad on disk. If we had every
// piece, nothing was counted of peers: the caller counts the connected ones now, with
// PeerBits.
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

// Endgame reports whether no block is free: every missing block that a connected peer has is
// received or requested, and some requests are outstanding.
func (p *Picker) Endgame() bool { return p.obtainable() == 0 && p.requests.count > 0 }

// Stats are counts of a Picker's state.
type Stats struct {
	Have, Missing uint32 // pieces
	Started       int    // pieces started and not verified
	Requests      int    // outstanding, each copy counted
	Offered       int64  // blocks neither received nor requested, of wanted pieces that a connected peer has

	Wanted, WantedHave uint32 // pieces not skipped; of these, those that we have
	Urgent, Copied     int64  // blocks requested for readers; of these, those requested once more
}

// Stats returns the current counts.
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

// index returns the block index that a reference from the wire names, and whether it is
// exactly one of our blocks.
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
