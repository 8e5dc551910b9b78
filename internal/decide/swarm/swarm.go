// Package swarm decides what to do for one torrent: whom to dial, what to say to
// each peer, which blocks to ask for and which to serve (BEP 3), and when to
// look for more peers. What happened goes in as method calls with the time it
// happened; what to do comes out as effects and as bytes for each peer.
//
// A Swarm is not safe for concurrent use: the torrent loop owns it. It never
// blocks and never reads a clock. Payload does not enter it: a block.Block is
// carried through and never looked into. It composes the picker (what to
// request), the choker (whom to unchoke), the peer book (whom to dial), the
// announce machine (trackers) and the blame ledger (who lied), and routes
// between them.
// Decision 0001 says why.
package swarm

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/blame"
	"shoal/internal/decide/swarm/choker"
	"shoal/internal/decide/swarm/metadata"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/decide/swarm/picker"
	"shoal/internal/decide/swarm/ration"
	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/decide/swarm/window"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
	"shoal/metainfo"
)

// PeerKey names one connection. The engine gives it and never reuses it.
type PeerKey uint64

// Config is what a Swarm is made with.
type Config struct {
	InfoHash    [20]byte
	PeerID      [20]byte // ours
	Geometry    metainfo.Geometry
	Have        *bitfield.Bitfield // pieces verified at the start; taken over
	Metadata    []byte             // the info dictionary, served to others (BEP 9); nil: it is not
	MaxMetadata int64              // with Bare: the largest that is fetched; 0: metadata.DefaultLimit
	Bare        bool               // only InfoHash is known: no Geometry, Have and Metadata; see Known
	Private     bool               // BEP 27: peers from trackers and the user only
	SeedOnly    bool               // never ask for pieces
	Tiers       [][]string         // trackers

	Client  string // name and version, for the extension handshake
	Port    uint16 // where we listen; 0 when we do not
	DHTPort uint16 // UDP port of our DHT node; 0 when there is none

	// The same for IPv6, whose DHT is another (BEP 32).
	Port6, DHTPort6 uint16

	Slots     int // unchoked peers, the optimistic one included; negative: none; 0: 8, fewer under a low SetUpLimit
	SuperSeed SuperSeed
	SeedChoke choker.Algorithm // whom to serve as a seed
	InOrder   bool             // request three of four new pieces in order
	MaxPeers  int              // connections; default 80
	HalfOpen  int              // dials at once; default 16

	// Web gives the web seeds (BEP 19), once, when something is to be fetched for the
	// first time; nil: there are none.
	Web func() webplan.Config

	Trace trace.Func // nil: no trace
}

// Times by which the swarm acts, chosen so that deployed clients, which cut what
// is silent for 120 s and more, are content.
const (
	chokeInterval  = 10 * time.Second // BEP 3
	keepAliveAfter = 75 * time.Second // deployed clients cut at 120 s
	silentAfter    = 180 * time.Second
	snubAfter      = 20 * time.Second // without a block while some are due
	requestTimeout = 60 * time.Second // of one request while others are answered
	passedTimeout  = 2 * time.Second  // of one that passedBy later ones overtook
	passedBy       = 32
	// endgameAfter is how long a block is left to the one peer it was asked of
	// when all are asked for: what comes sooner than this costs nobody anything,
	// and asked for twice it would mostly come twice.
	endgameAfter = 200 * time.Millisecond
	// lookEvery is how often late blocks are looked for, in endgame and where a reader
	// waits, while a peer has room for them.
	lookEvery = 100 * time.Millisecond
	// kindAfter is how long the files take nothing before peers are told that we
	// want nothing, so that they give their slots to others.
	kindAfter = 30 * time.Second
)

// Bounds on what a peer may make us hold or do.
const (
	// ourReqq is how many requests we keep for a peer, as we tell it. Some
	// clients send so many a second and no more, so it is as large as others
	// have it.
	ourReqq = 2000
	// maxUploads leaves room for requests that crossed our answers. A peer that
	// sends more does not listen.
	maxUploads = ourReqq + ourReqq/4
	// uploadWindow is how many blocks the writer is given at once: enough for
	// two batches, so that it never waits for the loop. To a slow peer fewer, but
	// leastUploads, are given: about what it takes in uploadTime. What waits here
	// can be cancelled, by a peer that wants something else first, or that has it
	// from others.
	uploadWindow = 32
	leastUploads = 4
	uploadTime   = 250 * time.Millisecond
	// maxUnasked is how many blocks that were never asked for a peer may send.
	maxUnasked = 64
	// maxLate is how many requests that were taken back are remembered of a
	// peer: the most that are ever asked of one.
	maxLate = window.HardMax
	// maxRefused is how many requests that cannot be served (choked, or for a
	// piece we do not have) a peer may send between two unchokes before it is dropped.
	maxRefused = 2048
)

// Swarm is the state machine of one torrent.
type Swarm struct {
	cfg     Config
	rng     *rand.Rand
	now     mono.Time // time of the latest input
	next    mono.Time // the deadline
	started bool
	stopped bool

	// The machines it composes.
	picker   *picker.Picker
	book     *peerbook.Book
	trackers *announce.Machine
	ration   ration.Machine // how late blocks are because of a limit of what comes in

	peers   peerTable
	dials   map[netip.AddrPort]dial // attempts under way
	slots   slots
	blame   blaming
	dealing dealing
	search  search
	bare    *magnet // nil once the metadata is known
	web     *web    // nil: no web seeds

	files    files
	goal     goal
	freed    bool   // blocks became free: ask every peer with room
	pacing   pacing // how quick the peers are, while a reader waits
	traffic  traffic
	contacts Contacts

	effects []Effect
	scratch *scratch // nil while there was nobody to use it for; see tmp
}

// tmp returns the buffers.
func (s *Swarm) tmp() *scratch {
	if s.scratch == nil {
		s.scratch = new(scratch)
	}
	return s.scratch
}

// scratch holds buffers that are reused from call to call.
type scratch struct {
	choices []picker.Choice
	others  []picker.Peer
	chokes  []choker.Peer
	changes []choker.Change
	senders []blame.Sender
}

type dial struct {
	expectID [20]byte
	expects  bool
	foreign  bool // it may not be a peer any more, see Private
	why      why.Why
}

// New makes the machine of one torrent. rng is its only source of chance.
func New(cfg Config, now mono.Time, rng *rand.Rand) *Swarm {
	followLimit := cfg.Slots == 0
	if followLimit {
		cfg.Slots = choker.DefaultSlots
	}
	if cfg.MaxPeers == 0 {
		cfg.MaxPeers = 80
	}
	if cfg.HalfOpen == 0 {
		cfg.HalfOpen = 16
	}
	if cfg.Have == nil {
		cfg.Have = bitfield.New(cfg.Geometry.Pieces)
	}
	s := &Swarm{
		cfg:      cfg,
		rng:      rng,
		now:      now,
		picker:   picker.New(picker.Config{Geometry: cfg.Geometry, EndgameAfter: endgameAfter}, cfg.Have, rng),
		slots:    newSlots(choker.New(choker.Config{Slots: cfg.Slots, Seed: cfg.SeedChoke}, rng), followLimit),
		book:     peerbook.New(peerbook.Config{}, rng),
		trackers: announce.New(announce.Config{Tiers: cfg.Tiers, Private: cfg.Private}, rng),
		next:     mono.Never,
	}
	s.cfg.Have = nil // the picker has its own
	if cfg.Bare {
		s.bare = &magnet{fetch: metadata.New(cfg.InfoHash, cfg.MaxMetadata)}
	}
	if cfg.Slots < 0 {
		s.slots.choker.SetSlots(0)
	}
	missing := s.picker.Missing() > 0
	s.goal.begins(s.Complete(), s.needs(), missing)
	s.dealing.first = !missing && s.bare == nil
	s.search.at = mono.Never
	return s
}

// Start begins to look for peers.
func (s *Swarm) Start(now mono.Time) {
	s.now = now
	if s.stopped {
		return
	}
	s.started = true
	if !s.files.suspended {
		s.begin()
	}
}

// begin looks for peers from now on, as if the torrent had just started.
func (s *Swarm) begin() {
	s.trackers.Start(s.now)
	s.search = search{at: mono.Never, running: s.search.running, external: s.search.external}
	if s.searches() {
		s.search.at = s.now
	}
	s.Tick(s.now)
}

// Stop ends the torrent: every peer is dropped, nothing more is dialled, and
// trackers are owed a "stopped", which come as effects.
func (s *Swarm) Stop(now mono.Time) {
	s.now = now
	if s.stopped {
		return
	}
	s.stopped = true
	s.endWeb()
	for p := range s.peers.all() {
		s.drop(p, why.Stopping, "")
	}
	for _, r := range s.trackers.Stop(now) {
		s.announce(r)
	}
	s.next = mono.Never
}

// Tick does what is due. It is called at Deadline or later.
func (s *Swarm) Tick(now mono.Time) {
	s.now = now
	s.next = mono.Never
	if s.idle() || !s.started {
		return
	}
	for p := range s.peers.all() {
		s.tickPeer(p)
	}
	s.tickRation()
	s.tickFetch()
	if s.picker.Endgame() {
		s.freed = true // requests have become old enough to be copied
	}
	if s.picker.Reading(now) {
		s.freed = true // the same, where somebody reads
	}
	s.tickHeld()
	s.tickDeal()
	if s.peers.count > 0 {
		if now >= s.slots.roundAt {
			s.chokeRound()
			s.turnOver()
		}
		s.due(s.slots.roundAt)
	}
	s.seek()
}

// Deadline is when Tick is wanted next; mono.Never when nothing is due.
func (s *Swarm) Deadline() mono.Time { return s.next }

// due makes sure that Tick comes at t or before; while nothing is to be done, never.
func (s *Swarm) due(t mono.Time) {
	if !s.idle() {
		s.next = min(s.next, t)
	}
}

// Complete reports whether every piece is verified that is not skipped.
func (s *Swarm) Complete() bool { return s.bare == nil && s.picker.Complete() }

// Idle reports whether the torrent has no peer and none being dialled, and asks no web
// seed.
func (s *Swarm) Idle() bool { return s.peers.count == 0 && len(s.dials) == 0 && s.web.idle() }

// needs reports whether a piece is missing that is to be fetched.
func (s *Swarm) needs() bool { return s.bare != nil || !s.cfg.SeedOnly && s.picker.Seeking() }

// wants reports whether blocks are to be asked for at all.
func (s *Swarm) wants() bool { return !s.idle() && s.needs() }

// note records one line of the trace.
func (s *Swarm) note(way trace.Way, proto trace.Proto, p *peer, what string, r trace.Record) {
	r.At, r.Way, r.Proto, r.What, r.InfoHash = s.now, way, proto, what, s.cfg.InfoHash
	if p != nil {
		r.Peer = p.addr
	}
	s.cfg.Trace(r)
}

// bare is a record about no piece and no block.
func bare(w why.Why) trace.Record {
	return trace.Record{Piece: trace.No, Block: trace.No, Why: w}
}

// onPiece is a record about a piece.
func onPiece(w why.Why, piece uint32) trace.Record {
	return trace.Record{Piece: int64(piece), Block: trace.No, Why: w}
}

// onBlock is a record about a block.
func onBlock(w why.Why, r block.Ref) trace.Record {
	return trace.Record{Piece: int64(r.Piece), Block: int64(r.Index()), N: int64(r.Length), Why: w}
}

func (s *Swarm) tracing() bool { return s.cfg.Trace != nil }
