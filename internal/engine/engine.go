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

	"shoal/internal/decide/quota"
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

// Config configures an Engine. Zero numbers mean the default.
type Config struct {
	Network netio.Network
	Listen  netip.AddrPort // for TCP and UDP; port 0 picks one
	// ListenAlso are further addresses, such as one of the other family. Their port 0 means
	// the port that was picked for Listen.
	ListenAlso []netip.AddrPort
	DHT        *DHTConfig // nil means no DHT and no UDP socket
	LSD        bool       // look for peers on the local network (BEP 14)

	Slots       int              // unchoked peers per torrent; default 8; NoSlots means none
	MaxPeers    int              // connections per torrent; default 80
	Crowd       int              // connections of all torrents together; default 400
	SuperSeed   swarm.SuperSeed  // when seeds reveal pieces to each peer one by one (BEP 16)
	SeedChoke   choker.Algorithm // how seeds choose the peers that they serve
	HalfOpen    int              // concurrent dials of all torrents together; default 64
	Handshakes  int              // concurrent incoming handshakes; default 128
	MaxMetadata int64            // largest metadata fetched from peers, in bytes; default 30 MiB
	Buffers     int64            // bytes of block buffers of all devices together; default 8 MiB
	Workers     int              // disk workers; default GOMAXPROCS

	// KeepCached leaves fetched data in the system's page cache, even when it is
	// unlikely to be read soon.
	KeepCached bool

	Queue      Queue // how many torrents run at the same time
	NoWebSeeds bool  // makes no requests to web seeds

	RootCAs     *x509.CertPool // certificates trusted for trackers and web seeds; nil means the system's
	LANTrackers []string       // trackers allowed on the local network, see trackerclient.Client
	ShareLimits ShareLimits    // share limits of torrents without their own

	Limits      Limits // limits of the whole engine
	LocalExempt bool   // exempts peers of this machine and its own network from limits

	// StateDir is the folder for journals of verified pieces, with which a start
	// checks only what is in doubt. Empty means that each start checks everything.
	StateDir string
	// Remember restores added torrents at the next start; stopped torrents stay stopped. It
	// needs StateDir, which one engine at a time can use.
	Remember bool
	// AtRest, with Remember, starts none of the remembered torrents; Start and Visit start them.
	AtRest bool

	Magnets MagnetHooks

	Version string // version such as "0.1.0"; part of the client name and the peer id

	Clock Clock
	Trace trace.Func   // called from several goroutines, but never concurrently
	Log   *slog.Logger // nil discards the log

	seams *seams // nil outside tests
}

// DHTConfig configures the DHT node.
type DHTConfig struct {
	Nodes       []string // bootstrap nodes, "host:port"
	PublicNodes []string // bootstrap nodes used when there are no others
	StateFile   string   // file of the routing table; empty means that the table is not saved
	ReadOnly    bool     // sends queries but does not answer any (BEP 43)
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
	// lastWrite bounds how long Close waits for the catalogue of torrents to be written.
	lastWrite = 30 * time.Second
)

// Errors that callers test for.
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

	listeners   []netio.Endpoint
	node        *dhtnode.Node // nil without a DHT
	local       *lsdnode.Node // nil without local service discovery
	files       *storage.Pool
	spares      *peerconn.Spares
	trackers    *trackerclient.Client
	webPlaces   webPlaces // slots for connections to web seeds
	limits      allLimits
	queue       queue
	shareLimits atomic.Pointer[ShareLimits]

	dialSlots chan struct{} // half-open connections
	porch     porch         // incoming handshakes
	announcer *announcer.Announcer

	seats seating // slots for peer connections

	disks *content.Shared // files, journals, devices, and the queues of their tasks

	library library

	life engineLife

	outside outside
	callers callers

	changes atomic.Uint64 // number of snapshots made

	inboxes *mailbox.Inboxes[event] // inboxes of the torrents' loops

	traceMu sync.Mutex

	list list
}

// New opens the port, joins the DHT and returns an engine that is ready for torrents. With
// Config.Remember it restores those of earlier runs first; Problems returns what went wrong.
func New(cfg Config) (*Engine, error) {
	cfg = withDefaults(cfg)
	openFiles := cfg.fit(storage.HandleLimit())
	e := &Engine{
		cfg: cfg, log: cfg.Log, origin: cfg.Clock.Origin,
		files:     storage.NewPool(openFiles),
		spares:    new(peerconn.Spares),
		trackers:  &trackerclient.Client{Network: cfg.Network, UserAgent: wire.UserAgent(cfg.Version), RootCAs: cfg.RootCAs, LAN: cfg.LANTrackers},
		dialSlots: make(chan struct{}, cfg.HalfOpen),
		porch:     newPorch(cfg.Handshakes),
		inboxes:   mailbox.NewInboxes(inboxSize, event{action: wake{}}),
		seats:     seating{conns: quota.NewConns(cfg.Crowd)},
		list:      newList(),
	}
	e.shareLimits.Store(&cfg.ShareLimits)
	e.queue = newQueue(e)
	if cfg.Queue != (Queue{}) {
		e.SetQueue(cfg.Queue)
	}
	e.life.begin(e.now, cfg.Clock.Bell)
	e.limits.init(e.life.beats)
	e.SetLimits(cfg.Limits)
	e.webPlaces.e, e.webPlaces.client = e, &webseed.Client{Network: cfg.Network, UserAgent: wire.UserAgent(cfg.Version), RootCAs: cfg.RootCAs}
	e.disks = content.NewShared(content.SharedConfig{
		Pool: e.files, Log: e.log, Now: e.now, Buffers: cfg.Buffers, Workers: cfg.Workers, KeepCached: cfg.KeepCached,
		Journals: journals.New(journals.Config{StateDir: cfg.StateDir, Log: e.log, Twin: cfg.twin()}),
	})
	if s := cfg.seams; s != nil {
		e.files.OpenFoldersWith(s.folder)
	}
	var lo *catalogue.Loaded
	if cfg.Remember {
		var err error
		if lo, err = e.openLibrary(); err != nil {
			e.life.abandon()
			return nil, err
		}
	}
	if err := e.listen(); err != nil {
		e.life.abandon()
		if e.library.librarian != nil {
			err = errors.Join(err, e.library.close(context.Background()))
		}
		return nil, err
	}
	e.announcer = announcer.New(announcer.Config{Client: e.trackers, Now: e.now, Trace: e.traceFunc()})
	e.trackers.Local = e.families()
	if e.library.librarian != nil {
		e.library.librarian.restore(lo.Entries)
		e.life.wg.Go(func() { e.library.librarian.run(e.life.ctx) })
	}
	for _, d := range e.listeners {
		e.life.wg.Go(func() { e.acceptLoop(d.Streams) })
	}
	e.life.wg.Go(func() { e.disks.Watch(e.life.ctx, e.contents) })
	if j := e.disks.Journals(); j.Kept() {
		e.life.wg.Go(func() { j.SweepSoon(e.life.ctx, e.inUse) })
	}
	e.life.wg.Go(func() { e.queue.run(e.life.ctx) })
	return e, nil
}

// inUse reports whether a torrent runs in this engine or is remembered.
func (e *Engine) inUse(h infohash.Hash) bool {
	return e.lookup(h) != nil || e.library.librarian.knows(h)
}

// seams let tests replace the file system.
type seams struct {
	folder func(dir string) (storage.FS, error)
	state  *journals.Twin
}

// twin returns the substitute for the journals on disk; nil outside tests.
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
	if cfg.Clock.Bell == nil {
		cfg.Clock.Bell = mailbox.TimerBell
	}
	if cfg.Clock.Origin.IsZero() {
		cfg.Clock.Origin = time.Now()
	}
	if cfg.Version == "" {
		cfg.Version = "0.0.0"
	}
	return cfg
}

// announcedTo is called by our DHT node when a peer announces itself for a torrent. If
// the torrent is ours, the peer saves us a search. announcedTo must not wait: a hint that
// finds the loop busy is lost.
func (e *Engine) announcedTo(infoHash [20]byte, peer netip.AddrPort) {
	if t := e.lookup(infoHash); t != nil && t.accepts() && !t.private.Load() {
		t.hint(event{action: &found{src: peerbook.DHT, addrs: []netip.AddrPort{peer}}})
	}
}

// nodeVersion returns the two version bytes that follow our client letters in DHT messages.
func nodeVersion(version string) []byte {
	prefix := wire.PeerIDPrefix(version) // "-SO0120-"
	return []byte{prefix[3], prefix[4]}
}

// Node returns the DHT node; nil when there is none.
func (e *Engine) Node() *dhtnode.Node { return e.node }

// now returns the time that the shell passes to every deciding package.
func (e *Engine) now() mono.Time { return mono.Start.Add(time.Since(e.origin)) }

// traceFunc returns a function that writes trace records one at a time; nil without
// a trace.
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

// Torrents returns the torrents in the order of the queue.
func (e *Engine) Torrents() []*Torrent {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	return append([]*Torrent(nil), e.list.order...)
}

// Torrent returns the listed torrent with an info-hash; nil when there is none.
func (e *Engine) Torrent(h infohash.Hash) *Torrent { return e.lookup(h) }

// lookup returns the listed torrent with an info-hash; nil when there is none.
func (e *Engine) lookup(infoHash [20]byte) *Torrent {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	return e.list.byHash[infoHash]
}

// Close stops every torrent and closes the port. It returns when nothing is left
// running. If ctx ends first, it cuts the farewells to trackers short.
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
	for _, d := range e.listeners {
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
	e.life.beats.Close()
	e.disks.Close()
	if e.library.librarian != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
		defer cancel()
		err = errors.Join(err, e.library.close(last))
	}
	return errors.Join(err, e.disks.Journals().Close())
}
