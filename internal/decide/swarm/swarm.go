// Package swarm decides what to do for one torrent: which peers to dial, what to send to each
// peer, which blocks to request and which to serve (BEP 3), and when to look for more peers.
// Events go in as method calls with the time at which they happened; decisions come out as
// effects and as bytes for each peer.
//
// A Swarm is not safe for concurrent use: the torrent loop owns it. It never blocks and never
// reads a clock. Payload does not enter it: a block.Block passes through unread. The Swarm
// composes the picker (what to request), the choker (which peers to unchoke), the peer book
// (which addresses to dial), the announce machine (trackers) and the blame ledger (which
// peers sent bad data), and routes between them (decision 0001).
package swarm

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/blame"
	"shoal/internal/decide/swarm/choker"
	"shoal/internal/decide/swarm/inflight"
	"shoal/internal/decide/swarm/metadata"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/decide/swarm/picker"
	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
	"shoal/metainfo"
)

// PeerKey names one connection. The engine assigns it and never reuses it.
type PeerKey uint64

// Config configures a Swarm.
type Config struct {
	InfoHash    [20]byte
	PeerID      [20]byte // ours
	Geometry    metainfo.Geometry
	Have        *bitfield.Bitfield // pieces verified at the start; the Swarm takes it over
	Metadata    []byte             // the info dictionary, served to peers (BEP 9); nil: not served
	MaxMetadata int64              // with NoMetadata: size limit of the metadata that we fetch; 0: metadata.DefaultLimit
	NoMetadata  bool               // only InfoHash is known: no Geometry, Have or Metadata; see Known
	Private     bool               // BEP 27: peers from trackers and the user only
	SeedOnly    bool               // never request pieces
	Tiers       [][]string         // tracker URLs by tier (BEP 12)

	Client  string // name and version, for the extension handshake
	Port    uint16 // TCP port on which we listen; 0: we do not listen
	DHTPort uint16 // UDP port of our DHT node; 0: no node

	// Ports for IPv6, which has a DHT of its own (BEP 32).
	Port6, DHTPort6 uint16

	Slots     int // unchoked peers, the optimistic one included; negative: none; 0: 8, fewer under a low SetUpLimit
	SuperSeed SuperSeed
	SeedChoke choker.Algorithm // choice of peers to serve as a seed
	InOrder   bool             // request three of four new pieces in order
	MaxPeers  int              // limit of connections; 0: 80
	HalfOpen  int              // limit of dials at once; 0: 16

	// Web returns the web seeds (BEP 19). The Swarm calls it once, when it first has something
	// to fetch. nil: no web seeds.
	Web func() webplan.Config

	Trace trace.Func // nil: no trace
}

// Intervals and timeouts, chosen for deployed clients, which close connections that are
// silent for 120 s or more.
const (
	chokeInterval  = 10 * time.Second // BEP 3
	keepAliveAfter = 75 * time.Second // deployed clients close after 120 s
	silentAfter    = 180 * time.Second
	snubAfter      = 20 * time.Second // without a block while requests are outstanding
	requestTimeout = 60 * time.Second // for one request while the peer answers others
	passedTimeout  = 2 * time.Second  // for a request that passedBy later ones overtook
	passedBy       = 32
	// endgameAfter is how long only one peer has a request for a block in endgame. A block
	// that arrives sooner needs no second request, and a copy would mostly arrive twice.
	endgameAfter = 200 * time.Millisecond
	// lookEvery is how often we look for late blocks to request from a second peer, in
	// endgame and while a reader waits, as long as a peer has room for them.
	lookEvery = 100 * time.Millisecond
	// kindAfter is how long writes may fail before we send NOT INTERESTED, so that peers give
	// their slots to others.
	kindAfter = 30 * time.Second
)

// Bounds on what a peer can make us hold or do.
const (
	// ourReqq is how many requests we keep for a peer, and the reqq that we announce (BEP
	// 10). Some clients send at most that many a second, so it is as large as that of other
	// clients.
	ourReqq = 2000
	// maxUploads leaves room for requests that crossed our answers. A peer that exceeds it
	// ignores our reqq.
	maxUploads = ourReqq + ourReqq/4
	// uploadWindow is how many blocks the writer has at most: two batches, so that it never
	// waits for the loop. For a slow peer it is about what the peer takes in uploadTime, and
	// at least leastUploads. Blocks that still wait here can be cancelled, by a peer that
	// wants something else first or that got the block elsewhere.
	uploadWindow = 32
	leastUploads = 4
	uploadTime   = 250 * time.Millisecond
	// maxUnasked is how many blocks that we never requested a peer may send.
	maxUnasked = 64
	// maxLate is how many withdrawn requests we remember of a peer: the most that we ever
	// have outstanding with one.
	maxLate = inflight.HardMax
	// maxRefused is how many requests that we can't serve (the peer is choked, or we lack the
	// piece) a peer may send between two unchokes before we drop it.
	maxRefused = 2048
)

// Swarm is the state machine of one torrent. It is composed of parts, each with a file that
// alone assigns its fields (decision 0190).
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
	spread   inflight.Spread // measures how late blocks are because of our own download limit

	peers   peerTable
	dials   map[netip.AddrPort]dial // dials in flight
	slots   slots
	blame   blaming
	dealing dealing
	search  search
	magnet  *magnet // nil once the metadata is known
	web     *web    // nil: no web seeds

	files    files
	goal     goal
	freed    bool   // blocks became free: ask every peer that has room
	pacing   pacing // speed of the peers while a reader waits
	traffic  traffic
	contacts Contacts

	effects []Effect
	scratch *scratch // nil while no peer needed it; see buffers
}

// buffers returns the scratch buffers.
func (s *Swarm) buffers() *scratch {
	if s.scratch == nil {
		s.scratch = new(scratch)
	}
	return s.scratch
}

// scratch holds buffers that calls reuse.
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
	foreign  bool // the address must no longer be a peer, see Private
	why      why.Why
}

// New returns the machine of one torrent. rng is its only source of randomness.
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
	s.cfg.Have = nil // the picker owns it
	if cfg.NoMetadata {
		s.magnet = &magnet{fetch: metadata.New(cfg.InfoHash, cfg.MaxMetadata)}
	}
	if cfg.Slots < 0 {
		s.slots.choker.SetSlots(0)
	}
	missing := s.picker.Missing() > 0
	s.goal.begins(s.Complete(), s.needs(), missing)
	s.dealing.first = !missing && s.magnet == nil
	s.search.at = mono.Never
	return s
}

// Start starts looking for peers.
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

// begin starts looking for peers, as if the torrent had just started.
func (s *Swarm) begin() {
	s.trackers.Start(s.now)
	s.search = search{at: mono.Never, running: s.search.running, external: s.search.external}
	if s.searches() {
		s.search.at = s.now
	}
	s.Tick(s.now)
}

// Stop ends the torrent: it drops every peer and dials nothing more. The "stopped" announces
// for trackers come as effects.
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

// Tick does what is due. The caller calls it at Deadline or later.
func (s *Swarm) Tick(now mono.Time) {
	s.now = now
	s.next = mono.Never
	if s.inactive() || !s.started {
		return
	}
	for p := range s.peers.all() {
		s.tickPeer(p)
	}
	s.tickSpread()
	s.tickFetch()
	if s.picker.Endgame() {
		s.freed = true // requests have become old enough to be asked of a second peer
	}
	if s.picker.Reading(now) {
		s.freed = true // the same while a reader waits
	}
	s.tickHeld()
	s.tickDeal()
	if s.peers.count > 0 {
		if now >= s.slots.roundAt {
			s.chokeRound()
			s.turnOver()
		}
		s.wakeBy(s.slots.roundAt)
	}
	s.seek()
}

// Deadline returns the time of the next Tick; mono.Never when nothing is due.
func (s *Swarm) Deadline() mono.Time { return s.next }

// wakeBy makes sure that Tick comes at t or earlier, unless the torrent is idle.
func (s *Swarm) wakeBy(t mono.Time) {
	if !s.inactive() {
		s.next = min(s.next, t)
	}
}

// Complete reports whether every piece that is not skipped is verified.
func (s *Swarm) Complete() bool { return s.magnet == nil && s.picker.Complete() }

// Idle reports whether the torrent has no peers, no dials in flight and no fetch from a web
// seed.
func (s *Swarm) Idle() bool { return s.peers.count == 0 && len(s.dials) == 0 && s.web.idle() }

// needs reports whether we lack a piece that we want to fetch, or the metadata.
func (s *Swarm) needs() bool { return s.magnet != nil || !s.cfg.SeedOnly && s.picker.Seeking() }

// wants reports whether we request blocks at all.
func (s *Swarm) wants() bool { return !s.inactive() && s.needs() }

// note records one line in the trace.
func (s *Swarm) note(way trace.Way, proto trace.Proto, p *peer, what string, r trace.Record) {
	r.At, r.Way, r.Proto, r.What, r.InfoHash = s.now, way, proto, what, s.cfg.InfoHash
	if p != nil {
		r.Peer = p.addr
	}
	s.cfg.Trace(r)
}

// record returns a record about neither a piece nor a block.
func record(w why.Why) trace.Record {
	return trace.Record{Piece: trace.No, Block: trace.No, Why: w}
}

// onPiece returns a record about a piece.
func onPiece(w why.Why, piece uint32) trace.Record {
	return trace.Record{Piece: int64(piece), Block: trace.No, Why: w}
}

// onBlock returns a record about a block.
func onBlock(w why.Why, r block.Ref) trace.Record {
	return trace.Record{Piece: int64(r.Piece), Block: int64(r.Index()), N: int64(r.Length), Why: w}
}

func (s *Swarm) tracing() bool { return s.cfg.Trace != nil }
