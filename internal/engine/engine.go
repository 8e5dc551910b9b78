package engine

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"shoal/internal/decide/crowd"
	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/choker"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/files/catalogue"
	"shoal/internal/files/content"
	"shoal/internal/files/journals"
	"shoal/internal/files/storage"
	"shoal/internal/format/wire"
	"shoal/internal/mailbox"
	"shoal/internal/net/announcer"
	"shoal/internal/net/dhtnode"
	"shoal/internal/net/lsdnode"
	"shoal/internal/net/netio"
	"shoal/internal/net/peerconn"
	"shoal/internal/net/trackerclient"
	"shoal/internal/net/webseed"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
)

// Config is what an Engine is made with. Zero numbers mean the default.
type Config struct {
	Network netio.Network
	Listen  netip.AddrPort // for TCP and UDP; port 0 picks one
	// ListenAlso are further addresses, such as one of the other family. Where their port
	// is 0 it is that which was picked for Listen.
	ListenAlso []netip.AddrPort
	DHT        *DHTConfig // nil: no DHT, no UDP socket
	LSD        bool       // look for peers on the local network (BEP 14)

	Slots       int              // unchoked peers a torrent; default 8; NoSlots: none
	MaxPeers    int              // connections a torrent; default 80
	Crowd       int              // connections, all torrents together; default 400
	SuperSeed   swarm.SuperSeed  // when seeds show each peer only what is dealt to it
	SeedChoke   choker.Algorithm // whom seeds serve
	HalfOpen    int              // dials at once, all torrents together; default 64
	Handshakes  int              // incoming handshakes at once; default 128
	MaxMetadata int64            // bytes of metadata fetched from peers; default 30 MiB
	Buffers     int64            // bytes for blocks on their way, on all devices together; default 8 MiB
	Workers     int              // disk workers; default GOMAXPROCS

	// KeepCached leaves what was fetched in the system's cache of files, also where
	// nobody is expected to read it soon.
	KeepCached bool

	Queue      Queue // how many torrents run at the same time
	NoWebSeeds bool  // web seeds are not asked

	RootCAs     *x509.CertPool // trusted for trackers and web seeds; nil means the system's
	LANTrackers []string       // where trackers may be in the local network, see trackerclient.Client
	Share       Share          // when a torrent is shared enough

	Limits      Limits // of the whole engine
	LocalExempt bool   // no limit holds for peers of this machine and its own network

	// StateDir is where the journals of verified pieces are kept, so that a start
	// checks only what is in doubt. Empty: everything is checked at each start.
	StateDir string
	// Remember has torrents that are added come back at the next start, those that are
	// stopped as stopped. It needs StateDir; one engine at a time remembers there.
	Remember bool
	// AtRest, with Remember, starts none of the remembered torrents: Start and Visit do.
	AtRest bool

	Version string // such as "0.1.0"; part of the client name and the peer id

	// Origin is the instant that traces count from; default: the start of the
	// engine. Engines that share it have comparable traces.
	Origin time.Time
	Trace  trace.Func   // called from several goroutines, one at a time
	Log    *slog.Logger // default: discarded

	seams *seams // nil but in tests
}

// DHTConfig is what the DHT node is made with.
type DHTConfig struct {
	Nodes       []string // ways in, "host:port"
	PublicNodes []string // ways in when there are no others
	StateFile   string   // empty: nothing is kept
	ReadOnly    bool     // asks and does not answer (BEP 43)
}

// NoSlots as Config.Slots unchokes nobody until SetSlots says otherwise.
const NoSlots = -1

// Defaults.
const (
	defaultHalfOpen   = 64
	defaultHandshakes = 128
	defaultCrowd      = 400
	defaultBuffers    = 8 << 20
	dialTimeout       = 10 * time.Second
	// lastWrite bounds what stopping waits for the list of torrents to be written.
	lastWrite = 30 * time.Second
)

// Errors that callers choose by.
var (
	ErrDuplicate = errors.New("torrent already added")
	ErrClosed    = errors.New("the engine is closed")
	ErrStopped   = content.ErrStopped
)

// Engine serves many torrents behind one port.
type Engine struct {
	cfg    Config
	log    *slog.Logger
	origin time.Time

	doors     []netio.Door
	node      *dhtnode.Node // nil without DHT
	local     *lsdnode.Node // nil without local service discovery
	files     *storage.Pool
	spares    *peerconn.Spares
	trackers  *trackerclient.Client
	webPlaces webPlaces // of connections to web seeds
	limits    allLimits
	line      line
	share     atomic.Pointer[Share]

	dialSlots chan struct{} // half-open connections
	porch     porch         // incoming handshakes
	announcer *announcer.Announcer

	seats seating // who is connected

	disks *content.Shared // files, journals, devices, and what tasks with them wait for

	library library

	life engineLife

	outside outside
	callers callers

	changes atomic.Uint64 // snapshots made

	inboxes *mailbox.Inboxes[event] // of the loops of torrents

	traceMu sync.Mutex

	list list
}

// New opens the port, joins the DHT and is ready for torrents. With Config.Remember those
// of earlier runs are back when it returns; what was wrong with them is told by Problems.
func New(cfg Config) (*Engine, error) {
	cfg = withDefaults(cfg)
	openFiles := cfg.fit(storage.HandleLimit())
	e := &Engine{
		cfg: cfg, log: cfg.Log, origin: cfg.Origin,
		files:     storage.NewPool(openFiles),
		spares:    new(peerconn.Spares),
		trackers:  &trackerclient.Client{Network: cfg.Network, UserAgent: wire.UserAgent(cfg.Version), RootCAs: cfg.RootCAs, LAN: cfg.LANTrackers},
		dialSlots: make(chan struct{}, cfg.HalfOpen),
		porch:     newPorch(cfg.Handshakes),
		inboxes:   mailbox.NewInboxes[event](inboxSize),
		seats:     seating{crowd: crowd.New(cfg.Crowd)},
		list:      newList(),
	}
	e.share.Store(&cfg.Share)
	e.line = newLine(e)
	if cfg.Queue != (Queue{}) {
		e.SetQueue(cfg.Queue)
	}
	e.limits.init(e.now)
	e.SetLimits(cfg.Limits)
	e.webPlaces.e, e.webPlaces.client = e, &webseed.Client{Network: cfg.Network, UserAgent: wire.UserAgent(cfg.Version), RootCAs: cfg.RootCAs}
	e.life.begin()
	e.disks = content.NewShared(content.SharedConfig{
		Pool: e.files, Log: e.log, Buffers: cfg.Buffers, Workers: cfg.Workers, KeepCached: cfg.KeepCached,
		Journals: journals.New(journals.Config{StateDir: cfg.StateDir, Log: e.log, Twin: cfg.twin()}),
	})
	if s := cfg.seams; s != nil {
		e.files.OpenFoldersWith(s.folder)
	}
	var lo *catalogue.Loaded
	if cfg.Remember {
		var err error
		if lo, err = e.openMemory(); err != nil {
			e.life.cancel()
			return nil, err
		}
	}
	if err := e.open(); err != nil {
		e.life.cancel()
		if e.library.memory != nil {
			err = errors.Join(err, e.library.close(context.Background()))
		}
		return nil, err
	}
	e.announcer = announcer.New(announcer.Config{Client: e.trackers, Now: e.now, Trace: e.traceFunc()})
	e.trackers.Local = e.families()
	if e.library.memory != nil {
		e.library.memory.restore(lo.Entries)
		e.life.wg.Go(func() { e.library.memory.run(e.life.ctx) })
	}
	for _, d := range e.doors {
		e.life.wg.Go(func() { e.acceptLoop(d.Streams) })
	}
	e.life.wg.Go(func() { e.disks.Watch(e.life.ctx, e.contents) })
	if j := e.disks.Journals(); j.Kept() {
		e.life.wg.Go(func() { j.SweepSoon(e.life.ctx, e.inUse) })
	}
	e.life.wg.Go(func() { e.line.run(e.life.ctx) })
	return e, nil
}

// inUse reports whether a torrent runs here or is remembered.
func (e *Engine) inUse(h infohash.Hash) bool {
	return e.lookup(h) != nil || e.library.memory.knows(h)
}

// seams are where tests put a twin of the file system.
type seams struct {
	folder func(dir string) (storage.FS, error)
	state  *journals.Twin
}

// twin returns what stands in for the journals on disk; nil but in tests.
func (c *Config) twin() *journals.Twin {
	if c.seams == nil {
		return nil
	}
	return c.seams.state
}

func withDefaults(cfg Config) Config {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.HalfOpen == 0 {
		cfg.HalfOpen = defaultHalfOpen
	}
	if cfg.Crowd == 0 {
		cfg.Crowd = defaultCrowd
	}
	if cfg.Handshakes == 0 {
		cfg.Handshakes = defaultHandshakes
	}
	if cfg.Buffers == 0 {
		cfg.Buffers = defaultBuffers
	}
	if cfg.Origin.IsZero() {
		cfg.Origin = time.Now()
	}
	if cfg.Version == "" {
		cfg.Version = "0.0.0"
	}
	return cfg
}

// announcedTo hears from our own DHT node that a peer announced itself for a
// torrent: when it is one of ours, that peer need not be looked for. It must not
// wait: a hint that finds the loop busy is lost.
func (e *Engine) announcedTo(infoHash [20]byte, peer netip.AddrPort) {
	if t := e.reach(infoHash); t != nil && t.accepts() && !t.private.Load() {
		t.hint(event{action: &found{src: peerbook.DHT, addrs: []netip.AddrPort{peer}}})
	}
}

// nodeVersion gives the two bytes that follow our letters in DHT messages.
func nodeVersion(version string) []byte {
	prefix := wire.PeerIDPrefix(version) // "-SO0120-"
	return []byte{prefix[3], prefix[4]}
}

// Node gives the DHT node; nil when there is none.
func (e *Engine) Node() *dhtnode.Node { return e.node }

// now reads the clock that every deciding package is given.
func (e *Engine) now() mono.Time { return mono.Start.Add(time.Since(e.origin)) }

// traceFunc gives the trace to those who write to it, one at a time; nil when
// there is none.
func (e *Engine) traceFunc() trace.Func {
	if e.cfg.Trace == nil {
		return nil
	}
	return func(r trace.Record) {
		e.traceMu.Lock()
		defer e.traceMu.Unlock()
		e.cfg.Trace(r)
	}
}

// Torrents gives the torrents in the order they were added.
func (e *Engine) Torrents() []*Torrent {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	return append([]*Torrent(nil), e.list.order...)
}

// Torrent returns the torrent of an info-hash that is on the list; nil when there is none.
func (e *Engine) Torrent(h infohash.Hash) *Torrent { return e.lookup(h) }

// lookup finds the torrent of an info-hash.
func (e *Engine) lookup(infoHash [20]byte) *Torrent {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	return e.list.byHash[infoHash]
}

// Close stops every torrent and gives up the port. It waits until nothing is
// left running; when ctx ends first, farewells to trackers are cut short.
func (e *Engine) Close(ctx context.Context) error {
	e.list.mu.Lock()
	torrents, again := e.list.close()
	e.list.mu.Unlock()

	var wg sync.WaitGroup
	for _, t := range torrents {
		wg.Go(func() { t.halt(ctx) })
	}
	wg.Wait()
	if again {
		<-e.list.done
		return nil
	}
	defer close(e.list.done)
	e.life.cancel()
	e.closeLimits()
	var err error
	for _, d := range e.doors {
		err = errors.Join(err, d.Streams.Close())
	}
	e.life.wg.Wait()
	if e.node != nil {
		err = errors.Join(err, e.node.Close())
	}
	err = errors.Join(err, e.closeLocal())
	e.announcer.Close()
	err = errors.Join(err, e.trackers.Close())
	e.webPlaces.close()
	e.disks.Close()
	if e.library.memory != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
		defer cancel()
		err = errors.Join(err, e.library.close(last))
	}
	return errors.Join(err, e.disks.Journals().Close())
}
