package shoal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/engine"
	"shoal/internal/files/catalogue"
	"shoal/internal/files/content"
	files "shoal/internal/files/storage"
	"shoal/internal/net/netio"
	"shoal/internal/net/webseed"
	"shoal/internal/value/fault"
	"shoal/internal/value/printable"
	"shoal/metainfo"
)

// Version is the version of this library, as peers and trackers see it.
const Version = "0.1.0"

// publicNodes are well-known ways into the public DHT, used only with
// DHTConfig.PublicNodes.
var publicNodes = []string{
	"dht.libtorrent.org:25401",
	"dht.transmissionbt.com:6881",
	"router.bittorrent.com:6881",
}

// Engine serves many torrents behind one port. Its methods are safe for
// concurrent use.
type Engine struct {
	e     *engine.Engine
	trace *traceWriter

	stateDir string // that of the Config
}

// New makes an engine: its port is open when New returns, and with Config.Remember the
// torrents of the last run are back. The error says what is wrong with the configuration
// (ErrConfig), that another engine has the torrents (ErrInUse), or which address could
// not be bound.
func New(cfg Config) (*Engine, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	shared, err := cfg.Share.inner()
	if err != nil {
		return nil, err
	}
	ec := engine.Config{
		Network: cfg.network(),
		Listen:  cfg.Listen, ListenAlso: cfg.ListenAlso,
		Slots: cfg.Slots, MaxPeers: cfg.MaxPeers, Crowd: cfg.MaxConnections, MaxMetadata: cfg.MaxMetadata,
		Buffers: cfg.BufferBytes, Workers: cfg.Workers,
		Share: *shared, Queue: cfg.Queue.inner(), Limits: cfg.Limits.inner(), LocalExempt: cfg.LocalUnlimited,
		StateDir: cfg.StateDir, Remember: cfg.Remember, AtRest: cfg.AtRest, KeepCached: cfg.KeepCached, NoWebSeeds: cfg.NoWebSeeds,
		SuperSeed: superSeeds[cfg.SuperSeed], SeedChoke: seedChokings[cfg.SeedChoking],
		RootCAs: cfg.RootCAs, LANTrackers: cfg.LANTrackers,
		Version: Version, Log: hidden(cfg.Log),
	}
	ec.LSD = cfg.LSD == LSDAlways || cfg.LSD == LSDAuto && !netio.PolicyFor(cfg.listen()).LoopbackOnly
	if !cfg.DHT.Off {
		ec.DHT = &engine.DHTConfig{Nodes: cfg.DHT.Nodes, StateFile: cfg.DHT.StateFile, ReadOnly: cfg.DHT.ReadOnly}
		if cfg.DHT.PublicNodes {
			ec.DHT.PublicNodes = publicNodes
		}
	}
	e := &Engine{stateDir: cfg.StateDir}
	if cfg.Trace != nil {
		e.trace = newTraceWriter(cfg.Trace)
		ec.Trace = e.trace.record
	}
	if cfg.Listen.IsValid() {
		e.e, err = engine.New(ec)
	} else {
		e.e, err = listenByDefault(ec, OwnPort(cfg.StateDir))
	}
	if err != nil {
		if e.trace != nil {
			e.trace.close()
		}
		return nil, publicError(err)
	}
	return e, nil
}

// Addr is the first address bound, with its real port.
func (e *Engine) Addr() netip.AddrPort { return e.e.Addr() }

// Addrs are all addresses bound, with their real ports.
func (e *Engine) Addrs() []netip.AddrPort { return e.e.Addrs() }

// Reached is how many peers have connected to the engine by themselves: while it is 0, the port
// may not be open to the world.
func (e *Engine) Reached() int64 { return e.e.Reached() }

// ExternalAddrs gives the addresses at which the world sees the engine, as far as enough others
// agree: at most one of each family.
func (e *Engine) ExternalAddrs() []netip.Addr { return e.e.External() }

// Add adds a torrent: what lies in its folder is checked and used, then the
// rest is fetched. It returns at once. The error is ErrNotTorrent when the
// metainfo cannot be honoured, saying why and where, or ErrDuplicate.
func (e *Engine) Add(opt AddOptions) (*Torrent, error) {
	meta, err := parse(opt.Metainfo)
	if err != nil {
		return nil, err
	}
	spec, err := opt.spec()
	if err != nil {
		return nil, err
	}
	spec.Meta, spec.Raw = meta, opt.Metainfo
	if spec.Priorities, spec.Paths, err = opt.known(meta); err != nil {
		return nil, err
	}
	if opt.Storage != nil {
		if spec.Storage, err = opt.Storage(files.Entries(meta.Info)); err != nil {
			return nil, fmt.Errorf("open the storage of %s: %w", printable.Of(meta.Info.Name), err)
		}
	}
	t, err := e.e.Add(spec) // which closes the storage when it fails
	if err != nil {
		return nil, publicError(err)
	}
	return handle(t), nil
}

// handle returns the Torrent of a torrent of the engine, always the same one.
func handle(t *engine.Torrent) *Torrent {
	return t.Owner(func() any { return &Torrent{t: t, meta: t.Meta()} }).(*Torrent)
}

// spec gives what the engine is told, but for what the metainfo decides.
func (opt *AddOptions) spec() (engine.Spec, error) {
	if err := opt.Limits.check(); err != nil {
		return engine.Spec{}, err
	}
	shared, err := opt.Share.inner()
	if err != nil {
		return engine.Spec{}, err
	}
	if opt.Dir == "" {
		opt.Dir = "."
	}
	return engine.Spec{
		Dir: opt.Dir, FileName: opt.FileName, Peers: opt.Peers, WebSeeds: opt.WebSeeds, SeedOnly: opt.SeedOnly, InOrder: opt.Sequential, Redownload: opt.Redownload, Allocate: opt.Allocate, Overwrite: opt.Overwrite, NeedRoom: opt.NeedRoom,
		Limits: opt.Limits.inner(), Paused: opt.Paused, Forced: opt.Forced, Share: shared,
	}, nil
}

// known gives what depends on the metainfo.
func (opt *AddOptions) known(meta *metainfo.Torrent) (prio []uint8, paths *engine.Paths, err error) {
	if opt.Priority != nil {
		var files []File
		for _, f := range meta.Info.Files {
			if !f.Pad {
				files = append(files, File{Path: strings.Join(f.Path, "/"), Length: f.Length, Priority: PriorityNormal})
			}
		}
		if prio, err = choices(files, meta.Info.Files, opt.Priority); err != nil {
			return nil, nil, err
		}
	}
	paths, err = opt.pathsOf(meta.Info)
	return prio, paths, err
}

// Torrent returns the torrent with an info-hash, 40 hex digits; false where the engine runs none.
func (e *Engine) Torrent(infoHash string) (*Torrent, bool) {
	h, err := parseHash(infoHash)
	if err != nil {
		return nil, false
	}
	t := e.e.Torrent(h)
	if t == nil {
		return nil, false
	}
	return handle(t), true
}

// Torrents gives the torrents in the order they were added.
func (e *Engine) Torrents() []*Torrent {
	var out []*Torrent
	for _, t := range e.e.Torrents() {
		out = append(out, handle(t))
	}
	return out
}

// Close stops every torrent, says farewell to trackers and gives up the port.
// When it returns, nothing of the engine is left running and no file is open.
// When ctx ends first, the farewells are cut short.
func (e *Engine) Close(ctx context.Context) error {
	err := e.e.Close(ctx)
	if e.trace != nil {
		err = errors.Join(err, e.trace.close())
	}
	return err
}

// Torrent is one torrent of an Engine. Its methods are safe for concurrent use. A torrent has
// one handle, so == and map keys tell torrents apart.
type Torrent struct {
	t    *engine.Torrent
	meta *metainfo.Torrent
}

// Name is the torrent's name for showing: what does something to a terminal is replaced. Where
// it lies Path says.
func (t *Torrent) Name() string { return printable.Of(t.meta.Info.Name) }

// InfoHash is the torrent's info-hash, 40 hex digits.
func (t *Torrent) InfoHash() string { return t.meta.InfoHash.String() }

// Private reports whether the torrent keeps to its trackers (BEP 27).
func (t *Torrent) Private() bool { return t.meta.Info.Private }

// Dir is the folder that holds the torrent's file or folder.
func (t *Torrent) Dir() string { return t.t.Dir() }

// Wait waits until every file is complete, verified and durable. The error is
// that of ctx, ErrStopped when the torrent was stopped first, or why it failed:
// ErrNoSpace among others.
func (t *Torrent) Wait(ctx context.Context) error { return publicError(t.t.Wait(ctx)) }

// Move brings the files into another folder, which must exist, also on another volume,
// while the torrent runs. What has the same name there is not written over. Meanwhile
// nothing is fetched or served. A stop at any moment leaves the files whole in one of the
// two places. progress, if not nil, is told the bytes moved.
func (t *Torrent) Move(ctx context.Context, dir string, progress func(done, total int64)) error {
	return publicError(t.t.Move(ctx, dir, progress))
}

// AddPeers dials these peers besides those that are found, as AddOptions.Peers does. It is
// for this run, and is not remembered. The torrent must be checked: see Checked.
func (t *Torrent) AddPeers(peers ...netip.AddrPort) { t.t.AddPeers(peers) }

// RedownloadMissing fetches a torrent in StateMissing again, as AddOptions.Redownload does.
func (t *Torrent) RedownloadMissing() { t.t.RedownloadMissing() }

// WaitChecked waits until what lay on disk at the start is checked, and gives the
// state of things then: also StateMissing or StateStalled, when nothing could be read.
func (t *Torrent) WaitChecked(ctx context.Context) (Stats, error) {
	err := t.t.Checked(ctx)
	return t.Stats(), publicError(err)
}

// Stop stops the torrent and waits until nothing of it is left running. What
// is verified stays on disk and is used when the torrent is added again. With
// Config.Remember it is remembered as stopped; Engine.StartTorrent has it run again, and
// Engine.Close stops torrents without that.
func (t *Torrent) Stop(ctx context.Context) { t.t.Stop(ctx) }

// Stats gives the latest snapshot. It never waits for the engine.
func (t *Torrent) Stats() Stats {
	s := t.t.Stats()
	w := s.Swarm
	out := Stats{
		At: s.At, Name: t.Name(), InfoHash: t.InfoHash(), State: states[s.State], Err: publicError(s.Err),
		Size: w.Size, Verified: w.Verified, PieceLength: t.meta.Info.PieceLength,
		Pieces: int(w.Pieces), Have: int(w.Have), Checked: s.Checked, CheckRate: s.CheckRate, Hashed: s.Hashed, Map: s.Map,
		Downloaded: w.Downloaded, Wasted: w.Wasted, Uploaded: w.Uploaded,
		DownRate: w.Rates.Down, UpRate: w.Rates.Up,
		Peers: w.Peers, Seeds: w.Seeds, KnownPeers: w.Known, Unchoked: w.Unchoked, DHTNodes: s.DHT,
		DownMean: w.Rates.Mean, LastDown: wall(s, w.Rates.LastDown), LastUp: wall(s, w.Rates.LastUp),
		Waiting: waiting(s), Nobody: int(w.Stand.Nobody),
		External: s.External, Contacts: contacts(w.Contacts),
	}
	out.Left = w.Size - w.Verified
	if w.WantedSize > 0 { // 0 before the swarm is there
		out.Unwanted = w.Size - w.WantedSize
		out.UnwantedVerified = w.Verified - w.WantedVerified
	}
	out.Short = shortage(t.t.Short())
	t.withoutPads(&out)
	before := t.t.Before()
	out.TotalDownloaded, out.TotalUploaded = before.Downloaded+w.Downloaded, before.Uploaded+w.Uploaded
	out.WebDownloaded, out.WebRate = w.WebDownloaded, w.WebRate
	for _, ws := range w.WebSeeds {
		out.WebSeeds = append(out.WebSeeds, WebSeedStats{
			URL: shown("", ws.URL), State: ws.State, Err: shown(ws.URL, ws.Err), Next: wall(s, ws.Retry), Lacks: ws.Lacks, LackErr: shown(ws.URL, t.t.Lacking(ws.Status)), Connections: ws.Conns,
			Downloaded: ws.Downloaded, DownRate: ws.DownRate,
		})
	}
	for _, tr := range w.Trackers {
		out.Trackers = append(out.Trackers, trackerStats(s, tr))
	}
	return out
}

func contacts(c swarm.Contacts) Contacts {
	return Contacts{
		Dialled: c.Dialled, Connected: c.Connected, Refused: c.Refused, TimedOut: c.TimedOut,
		Unreachable: c.Unreachable, Closed: c.Closed, Failed: c.Other, Arrived: c.Arrived, Turned: c.Turned,
	}
}

var states = map[engine.State]State{
	engine.Checking: StateChecking, engine.Downloading: StateDownloading, engine.Seeding: StateSeeding,
	engine.Incomplete: StateIncomplete, engine.Held: StateStalled, engine.Missing: StateMissing,
	engine.Stopped: StateStopped, engine.Failed: StateFailed, engine.Metadata: StateMetadata, engine.Queued: StateQueued, engine.Paused: StatePaused,
}

func trackerStats(of *engine.Stats, s announce.TrackerStatus) TrackerStats {
	return TrackerStats{
		URL: shown("", s.URL), State: s.State.String(), Err: shown(s.URL, s.Err), Warning: shown(s.URL, s.Warning),
		Fails: s.Fails, Next: wall(of, s.Next), Seeds: int(s.Seeders), Leechers: int(s.Leechers),
	}
}

// Progress yields snapshots, the first at once and then one each interval
// while things change, until the torrent has stopped or ctx ends.
func (t *Torrent) Progress(ctx context.Context, every time.Duration) iter.Seq[Stats] {
	return func(yield func(Stats) bool) {
		tick := time.NewTicker(max(every, 10*time.Millisecond))
		defer tick.Stop()
		var last time.Time
		var checked int
		for {
			s := t.Stats()
			if s.At != last || s.Checked != checked {
				last, checked = s.At, s.Checked
				if !yield(s) {
					return
				}
			}
			if s.State == StateStopped || s.State == StateFailed {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Events yields what happens from now on, until the torrent has stopped or ctx
// ends. A consumer that falls far behind loses the oldest events; Stats and Wait
// never lie.
func (t *Torrent) Events(ctx context.Context) iter.Seq[Event] {
	all := eventsOf(ctx, engine.Subscribe(t.t))
	return func(yield func(Event) bool) {
		for _, e := range all {
			if !yield(e) {
				return
			}
		}
	}
}

// Events yields what happens to several torrents of the engine, as Torrent.Events does
// for one, until all of them have stopped or ctx ends.
func (e *Engine) Events(ctx context.Context, torrents ...*Torrent) iter.Seq2[*Torrent, Event] {
	var inner []*engine.Torrent
	for _, t := range torrents {
		inner = append(inner, t.t)
	}
	return eventsOf(ctx, engine.Subscribe(inner...))
}

func eventsOf(ctx context.Context, sub *engine.Subscription) iter.Seq2[*Torrent, Event] {
	return func(yield func(*Torrent, Event) bool) {
		defer sub.Close()
		for {
			select {
			case e, ok := <-sub.C:
				if !ok {
					return
				}
				if !yield(handle(e.Torrent), Event{
					At: e.At, Kind: eventKinds[e.Kind], Piece: e.Piece, Peer: e.Peer,
					More: e.More, Text: shown("", e.Text), Err: publicError(e.Err), Kept: usersFiles(e.Kept),
				}) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// StatsTime is when the latest snapshot was made, and State what it says: to find out
// whether there is anything new in Stats, of many torrents and often.
func (t *Torrent) StatsTime() time.Time { at, _ := t.t.Updated(); return at }

// StatsVersion goes up whenever a snapshot of a torrent is made, so that of thousands it is
// found out at once that there is nothing new. It says nothing of torrents that are
// Checking, which count on.
func (e *Engine) StatsVersion() uint64 { return e.e.Changes() }

// State is that of the latest snapshot.
func (t *Torrent) State() State { _, s := t.t.Updated(); return states[s] }

var eventKinds = map[engine.EventKind]EventKind{
	engine.EventChecked: EventChecked, engine.EventPeerJoined: EventPeerJoined, engine.EventPeerLeft: EventPeerLeft,
	engine.EventPieceVerified: EventPieceVerified, engine.EventPieceFailed: EventPieceFailed,
	engine.EventBanned: EventBanned, engine.EventWebSeed: EventWebSeed, engine.EventFiles: EventFiles, engine.EventKept: EventKept, engine.EventSpace: EventSpace, engine.EventHeld: EventStalled,
	engine.EventGoesOn: EventResumed, engine.EventComplete: EventComplete, engine.EventError: EventError,
	engine.EventStopped: EventStopped, engine.EventPaused: EventPaused, engine.EventQueued: EventQueued,
	engine.EventShared: EventShared,
}

// parse reads a torrent file, and says that it is none in a way callers can
// choose by.
func parse(b []byte) (*metainfo.Torrent, error) {
	meta, err := metainfo.Parse(b)
	if err != nil {
		return nil, clean(fmt.Errorf("%w: %w", ErrNotTorrent, err))
	}
	return meta, nil
}

// publicError gives an error of the inner packages the sentinel that callers
// choose by.
func publicError(err error) error {
	if s, ok := shortageIn(err); ok {
		return &taggedError{ErrNoSpace, s}
	}
	var sentinel error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, engine.ErrStopped), errors.Is(err, engine.ErrClosed):
		sentinel = ErrStopped
	case errors.Is(err, engine.ErrDuplicate):
		sentinel = ErrDuplicate
	case errors.Is(err, engine.ErrMetadata):
		sentinel = ErrNotTorrent
	case errors.Is(err, catalogue.ErrInUse):
		sentinel = ErrInUse
	case errors.Is(err, engine.ErrUnknown):
		sentinel = ErrUnknown
	case files.KindOf(err) == files.NoSpace, files.KindOf(err) == files.NoFiles:
		sentinel = ErrNoSpace
	case errors.Is(err, content.ErrNotKept), files.KindOf(err).Then() == fault.Refuse:
		sentinel = ErrNotKept
	case errors.Is(err, engine.ErrWebSeed), errors.Is(err, engine.ErrTracker):
		sentinel = ErrConfig
	case errors.Is(err, metainfo.ErrPath):
		sentinel = ErrPath
	default:
		return clean(err)
	}
	return &taggedError{sentinel, clean(err)}
}

// taggedError reads as the inner error and is found by the sentinel too.
type taggedError struct{ sentinel, err error }

func (e *taggedError) Error() string   { return e.err.Error() }
func (e *taggedError) Unwrap() []error { return []error{e.sentinel, e.err} }

// CheckWebSeed reports what is wrong with the URL of a web seed, if anything.
func CheckWebSeed(url string) error {
	if _, err := webseed.Check(url); err != nil {
		return clean(fmt.Errorf("%w: web seed: %w", ErrConfig, err))
	}
	return nil
}
