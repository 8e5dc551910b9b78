// Package picker decides which block to request next, and from whom (BEP 3).
//
// The order of preference for one peer, among what it has and we lack:
//
//  1. a piece already started: the one this peer last worked on, then the one
//     with the fewest blocks still to ask for, then the oldest (why.Started);
//  2. a new piece: at random while hardly any are had (why.RandomFirst), then
//     the rarest, ties at random (why.Rarest);
//  3. endgame: when no block is left to ask for, one that another peer was
//     asked for and has not sent (why.Endgame).
//
// Blocks of a piece go in ascending order, so that the disk can hash them as
// they come. A piece that failed its hash is suspect: it is fetched from one
// peer at a time (why.Suspect), so that a liar convicts itself.
//
// A Picker is owned by the swarm of one torrent. It knows nothing of time-outs,
// choking or queue lengths: the swarm calls Abandon and says how many blocks it
// wants. It allocates nothing in the steady state.
package picker

import (
	"math/rand/v2"
	"time"

	"shoal/internal/bitfield"
	"shoal/internal/block"
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

	// UrgentAfter is how old a request must be before a block that a reader waits
	// for is asked of another peer, too. Default 1 s.
	UrgentAfter time.Duration

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
	if c.UrgentAfter <= 0 {
		c.UrgentAfter = time.Second
	}
	if c.MaxStarted <= 0 {
		c.MaxStarted = DefaultMaxStarted
	}
	return c
}

// none is the absent slot, request or place.
const none = -1

// piece is what is kept of every piece. It is in exactly one state: had (in
// Picker.have), started (it has a slot), or free (in the open part of the order).
type piece struct {
	avail   uint32 // connected peers that have it, without those in Picker.seeds
	pos     uint32 // its place in the order
	slot    int32  // its started state, or none
	suspect bool   // its last copy failed the hash
	shut    bool   // skipped, and neither had nor started: it is in the order's first part
	prio    uint8
}

// Picker holds the state of every piece of one torrent. Make one with New.
type Picker struct {
	cfg  Config
	rng  *rand.Rand
	have *bitfield.Bitfield

	// Pieces by availability.
	pieces []piece
	order  order
	seeds  uint32 // peers counted as one on every piece; see PeerBits

	// Pieces in progress.
	slots     []started
	freeSlots []int32
	open      []int32 // slots with a block to ask for
	nstarted  int
	sequence  uint64 // of the next piece started
	busy      int    // blocks of the pieces with requests outstanding
	busyCount int    // and the number of those pieces
	owned     int    // suspect pieces that one peer holds
	failures  map[uint32][]uint32

	// Requests outstanding, in order of asking.
	requests      []request
	freeRequest   int32
	nrequests     int
	oldest        int32
	newest        int32
	peers         []peerState
	visit         uint64 // marks peers seen in one endgame search
	senderScratch []uint32

	// Blocks on offer: neither had, received nor requested, and not reserved
	// by the peer that holds a suspect piece.
	offered  int64
	orphaned int64 // of those, in pieces that nobody outside seeds has

	lacking int    // pieces that are missing and not skipped
	ranked  bool   // some pieces are of another priority than Normal
	urges   []urge // what readers wait for
	choices int    // of pieces, since somebody waits

	// generation changes whenever a block may have become available to a peer
	// that found nothing before.
	generation uint64
}

// New makes the picker of a torrent of have.Len() pieces, those in have being
// had. have is copied.
func New(cfg Config, have *bitfield.Bitfield, rng *rand.Rand) *Picker {
	p := &Picker{
		cfg:         cfg.withDefaults(),
		rng:         rng,
		have:        have.Clone(),
		pieces:      make([]piece, have.Len()),
		order:       newOrder(have.Len(), rng),
		freeRequest: none,
		oldest:      none,
		newest:      none,
		generation:  1,
	}
	for at, i := range p.order.pieces {
		p.pieces[i] = piece{pos: uint32(at), slot: none, prio: Normal}
	}
	for i := range have.Len() {
		if have.Has(i) {
			p.order.take(p.pieces, i)
		} else {
			p.offer(i, int64(p.cfg.Blocks(i)))
			p.lacking++
		}
	}
	return p
}

// Have reports whether the piece is had: verified and not lost since.
func (p *Picker) Have(piece uint32) bool { return p.have.Has(piece) }

// Started reports whether the piece is begun and not verified. It must exist.
func (p *Picker) Started(piece uint32) bool { return p.pieces[piece].slot != none }

// HaveCount is the number of pieces had.
func (p *Picker) HaveCount() uint32 { return p.have.Count() }

// Missing is the number of pieces not had.
func (p *Picker) Missing() uint32 { return p.have.Len() - p.have.Count() }

// Complete reports whether every piece is had, but for those skipped.
func (p *Picker) Complete() bool { return p.lacking == 0 }

// Bitfield gives the pieces had, to read only; it changes with the picker.
func (p *Picker) Bitfield() *bitfield.Bitfield { return p.have }

// Wants reports whether has holds a piece that we lack: whether to be
// interested in a peer (BEP 3).
func (p *Picker) Wants(has *bitfield.Bitfield) bool {
	return !p.have.All() && has.HasAny(p.have)
}

// Verified says that the piece matched its hash: it is had, and what was kept
// for fetching it is released. Requests for it that are still outstanding are
// forgotten; their blocks will be duplicates.
func (p *Picker) Verified(piece uint32) {
	if piece >= p.have.Len() || p.have.Has(piece) {
		return
	}
	p.offer(piece, -p.offeredOf(piece))
	p.have.Set(piece)
	p.lacking -= wanted(p.pieces[piece].prio)
	switch slot := p.pieces[piece].slot; {
	case slot != none:
		p.dropRequests(slot)
		p.releaseSlot(slot)
	case p.pieces[piece].shut:
		p.pieces[piece].shut = false
	default:
		p.order.take(p.pieces, piece)
	}
	if p.pieces[piece].suspect {
		p.pieces[piece].suspect = false
		delete(p.failures, piece)
	}
}

// Failed says that the piece did not match its hash: all its blocks are to be
// fetched again, and the piece is suspect until it is verified. Peers that sent
// part of the failed copy get it only when nothing else is left for them.
func (p *Picker) Failed(piece uint32) {
	if piece >= p.have.Len() || p.pieces[piece].slot == none {
		return
	}
	if p.failures == nil {
		p.failures = make(map[uint32][]uint32)
	}
	p.failures[piece] = contributors(p.Senders(piece))
	p.pieces[piece].suspect = true
	p.Forget(piece)
}

// Forget says that the blocks received of the piece are gone, for example after
// a disk error: they are to be fetched again. Requests outstanding stay.
func (p *Picker) Forget(piece uint32) {
	if piece >= p.have.Len() || p.pieces[piece].slot == none {
		return
	}
	slot := p.pieces[piece].slot
	st := &p.slots[slot]
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

// Lost says that a piece we had is gone, for example found bad on disk.
func (p *Picker) Lost(piece uint32) {
	if !p.have.Clear(piece) {
		return
	}
	p.order.put(p.pieces, piece)
	p.offer(piece, int64(p.cfg.Blocks(piece)))
	p.lacking += wanted(p.pieces[piece].prio)
	p.refresh(piece)
	p.generation++
}

// Senders gives who sent each block of a started piece, by the identities given
// to Received; 0 where nothing has arrived. It is nil when the piece is not
// started, and valid until the next call.
func (p *Picker) Senders(piece uint32) []uint32 {
	if piece >= p.have.Len() || p.pieces[piece].slot == none {
		return nil
	}
	p.senderScratch = p.senderScratch[:0]
	for _, b := range p.slots[p.pieces[piece].slot].blocks {
		p.senderScratch = append(p.senderScratch, b.sender)
	}
	return p.senderScratch
}

// Endgame reports whether no block is left to ask for: every missing block that
// a connected peer has was received or is requested, and some are on their way.
func (p *Picker) Endgame() bool { return p.obtainable() == 0 && p.nrequests > 0 }

// Stats are counts of a Picker's state.
type Stats struct {
	Have, Missing uint32 // pieces
	Started       int    // pieces begun and not verified
	Requests      int    // outstanding, each copy counted
	Offered       int64  // blocks neither received nor requested, of pieces that a connected peer has
}

// Stats gives the counts as they are now.
func (p *Picker) Stats() Stats {
	return Stats{
		Have:     p.HaveCount(),
		Missing:  p.Missing(),
		Started:  p.nstarted,
		Requests: p.nrequests,
		Offered:  p.obtainable(),
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
