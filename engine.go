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
	"shoal/internal/value/infohash"
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

// Engine runs many torrents behind one port. Its methods are safe for concurrent use.
type Engine struct {
	e     *engine.Engine
	trace *traceWriter

	stateDir string // that of the Config
}

// New starts an engine. When New returns, its port is open, and with Config.Remember the
// torrents of the last run are back. The error is ErrConfig, ErrInUse when another engine has
// the StateDir, or names the address that could not be bound.
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
		ShareLimits: *shared, Queue: cfg.Queue.inner(), Limits: cfg.Limits.inner(), LocalExempt: cfg.LocalUnlimited,
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
	ec.Magnets.Choose = applyPending
	if cfg.StateDir != "" {
		ec.Magnets.Learned = func(meta *metainfo.Torrent) { keepReceived(cfg.StateDir, meta) }
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

// Addr returns the first address that the engine listens on, with its real port.
func (e *Engine) Addr() netip.AddrPort { return e.e.Addr() }

// Addrs returns all addresses that the engine listens on, with their real ports.
func (e *Engine) Addrs() []netip.AddrPort { return e.e.Addrs() }

// Reached returns how many peers have dialled the engine. While it is 0, a firewall or router
// may block the port.
func (e *Engine) Reached() int64 { return e.e.Reached() }

// ExternalAddrs returns the addresses at which others see the engine (BEP 24, BEP 42), as far as
// enough of them agree: at most one of each family.
func (e *Engine) ExternalAddrs() []netip.Addr { return e.e.External() }

// Add adds a torrent: the engine checks what is in its folder, and fetches the rest. Add does
// not wait for either. The error is ErrNotTorrent, with what is wrong and where, ErrDuplicate
// or ErrConfig. A magnet of the torrent that still waits for its metadata takes it from here, with
// the trackers and web seeds, and keeps what was chosen for it; the error is ErrDuplicate then, too.
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
		if spec.Storage, err = opt.openStorage(meta.Info); err != nil {
			return nil, err
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
	return t.Owner(func() any { return &Torrent{t: t} }).(*Torrent)
}

// spec returns the options as the engine takes them, without those that need the metainfo.
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
		Limits: opt.Limits.inner(), Paused: opt.Paused, Forced: opt.Forced, ShareLimits: shared,
	}, nil
}

// known returns what depends on the metainfo.
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
	if prio == nil {
		if prio, err = ruled(opt.Files, meta.Info.Files); err != nil {
			return nil, nil, err
		}
	}
	paths, err = opt.pathsOf(meta.Info)
	return prio, paths, err
}

// Torrent returns the torrent with an info-hash, 40 hex digits, and reports whether the engine
// has it.
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

// Torrents returns the torrents in the order in which they were added.
func (e *Engine) Torrents() []*Torrent {
	var out []*Torrent
	for _, t := range e.e.Torrents() {
		out = append(out, handle(t))
	}
	return out
}

// Close ends every torrent, announces to trackers that we leave, and closes the port. When it
// returns, nothing of the engine is left running and no file is open. When ctx ends, Close stops
// waiting for trackers. The error joins what went wrong: what is remembered or Config.Trace could
// not be written, for instance. Untold counts the announces that were not made in time.
func (e *Engine) Close(ctx context.Context) error {
	err := e.e.Close(ctx)
	if e.trace != nil {
		err = errors.Join(err, e.trace.close())
	}
	return err
}

// Untold returns how many announces of torrents that stopped or are complete could not be made
// in time: at the end there are five seconds for them. It counts since the engine began.
func (e *Engine) Untold() int { return e.e.Untold() }

// Torrent is one torrent of an Engine. Its methods are safe for concurrent use. A torrent has
// one handle, so == and map keys tell torrents apart.
type Torrent struct {
	t *engine.Torrent
}

// meta returns the torrent file; of a magnet without metadata what its link says.
func (t *Torrent) meta() *metainfo.Torrent { return t.t.Meta() }

// Name returns the torrent's name for people: characters that a terminal would act on are
// replaced. Path returns where its files are. Without metadata it is what the magnet link calls
// the torrent, or the info-hash.
func (t *Torrent) Name() string { return printable.Of(t.meta().Info.Name) }

// InfoHash returns the torrent's info-hash, 40 hex digits.
func (t *Torrent) InfoHash() string { return infohash.Hash(t.t.InfoHash()).String() }

// Private reports whether the torrent's peers come from its trackers only (BEP 27); false while the
// metadata is missing.
func (t *Torrent) Private() bool { return t.meta().Info.Private }

// Dir returns the folder that holds the torrent's file or folder, or will hold it.
func (t *Torrent) Dir() string { return t.t.Dir() }

// Wait waits until every wanted file is complete, verified and durable; of a magnet it waits for
// the metadata first. The error is that of ctx, ErrStopped when the torrent ends first, or why it
// failed: ErrNotKept, for instance.
func (t *Torrent) Wait(ctx context.Context) error { return publicError(t.t.Wait(ctx)) }

// Move moves the files to another folder, which must exist and can be on another volume. The
// torrent stays in the engine, and fetches and serves nothing meanwhile. Files that are already
// there are not overwritten. A stop or crash at any moment leaves each file whole in one of the
// folders. progress, if not nil, gets the bytes moved and the bytes in all. The error is
// ErrNoMetadata while the metadata is missing.
func (t *Torrent) Move(ctx context.Context, dir string, progress func(done, total int64)) error {
	return publicError(t.t.Move(ctx, dir, progress))
}

// AddPeers dials these peers besides those that trackers and others name, as AddOptions.Peers
// does. It is not remembered.
func (t *Torrent) AddPeers(peers ...netip.AddrPort) { t.t.AddPeers(peers) }

// SetSequential sets whether new pieces are requested in order, as AddOptions.Sequential does.
// With Config.Remember it is remembered.
func (t *Torrent) SetSequential(on bool) { t.t.SetInOrder(on) }

// Sequential reports whether new pieces are requested in order.
func (t *Torrent) Sequential() bool { return t.t.InOrder() }

// RedownloadMissing fetches a torrent again that is StateMissing, as AddOptions.Redownload does.
func (t *Torrent) RedownloadMissing() { t.t.RedownloadMissing() }

// WaitChecked waits until we have checked what was on disk at the start (of a magnet it waits for
// the metadata first), and returns a snapshot of that moment. Its State is StateMissing or StateStalled when we could read nothing. The
// error is that of ctx, ErrStopped, or why the torrent failed.
func (t *Torrent) WaitChecked(ctx context.Context) (Stats, error) {
	err := t.t.Checked(ctx)
	return t.Stats(), publicError(err)
}

// Stop ends the torrent, and waits until nothing of it is left running. Its files stay, and are
// used when it is added again. With Config.Remember it stays on the list as stopped, until
// Engine.StartTorrent; Remove takes it off the list. Engine.Close ends torrents, too, and the
// next engine starts them again. When ctx ends, Stop stops waiting for trackers.
func (t *Torrent) Stop(ctx context.Context) { t.t.Stop(ctx) }

// Stats returns the latest snapshot. It never blocks.
func (t *Torrent) Stats() Stats {
	s := t.t.Stats()
	w := s.Swarm
	out := Stats{
		At: s.At, Name: t.Name(), InfoHash: t.InfoHash(), State: states[s.State], Err: publicError(s.Err),
		Size: w.Size, Verified: w.Verified, PieceLength: t.meta().Info.PieceLength,
		Pieces: int(w.Pieces), Have: int(w.Have), Checked: s.Checked, CheckRate: s.CheckRate, Hashed: s.Hashed, Map: s.Map,
		Downloaded: w.Downloaded, Wasted: w.Wasted, Uploaded: w.Uploaded,
		DownRate: w.Rates.Down, UpRate: w.Rates.Up,
		Peers: w.Peers, Seeds: w.Seeds, KnownPeers: w.Known, Unchoked: w.Unchoked, DHTNodes: s.DHT,
		DownMean: w.Rates.Mean, LastDown: wall(s, w.Rates.LastDown), LastUp: wall(s, w.Rates.LastUp),
		Waiting: waiting(s), Unavailable: int(w.Stand.Nobody),
		ExternalAddrs: s.External, Contacts: contacts(w.Contacts),
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
			URL: shown("", ws.URL), State: webSeedStates[ws.State], Err: shown(ws.URL, ws.Err), Next: wall(s, ws.Retry), Lacks: ws.Lacks, LackErr: shown(ws.URL, t.t.Lacking(ws.Status)), Connections: ws.Conns,
			Downloaded: ws.Downloaded, DownRate: ws.DownRate,
		})
	}
	if p := s.Metadata; t.t.Link() != "" {
		out.Metadata = MetadataStats{
			Have: p.Got, Size: p.Size, Sources: p.Sources, Limit: p.Limit, TooLarge: p.TooLarge, TooLargeSize: p.TooLargeSize,
		}
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

var trackerStates = map[announce.State]TrackerState{
	announce.Waiting: TrackerWaiting, announce.Asking: TrackerAsking, announce.Working: TrackerWorking,
	announce.Failing: TrackerFailing, announce.GivenUp: TrackerGivenUp, announce.Unsupported: TrackerUnsupported,
}

var webSeedStates = map[string]WebSeedState{
	"waiting": WebSeedWaiting, "working": WebSeedWorking, "failing": WebSeedFailing, "given up": WebSeedGivenUp,
}

func trackerStats(of *engine.Stats, s announce.TrackerStatus) TrackerStats {
	return TrackerStats{
		URL: shown("", s.URL), State: trackerStates[s.State], Err: shown(s.URL, s.Err), Warning: shown(s.URL, s.Warning),
		Fails: s.Fails, Next: wall(of, s.Next), Seeds: int(s.Seeders), Leechers: int(s.Leechers),
	}
}

// Progress yields snapshots: the first at once, then one each interval in which something
// changed, and the last when the torrent has ended. It ends with ctx, too.
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

// Events yields what happens from now on, until the torrent ends or ctx ends. A consumer that
// falls far behind loses the oldest events, and Event.More counts them; Stats and Wait are
// always right.
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

// Events yields what happens to several torrents of the engine, as Torrent.Events does for one,
// until all of them have ended or ctx ends.
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

// StatsTime returns the time of the latest snapshot. It costs less than Stats, for callers that
// look at many torrents.
func (t *Torrent) StatsTime() time.Time { at, _ := t.t.Updated(); return at }

// StatsVersion returns a number that grows with each new snapshot of any torrent: a caller that
// shows thousands need not look at them while it stays. Progress of StateChecking does not
// change it.
func (e *Engine) StatsVersion() uint64 { return e.e.Changes() }

// State returns the state in the latest snapshot. It costs less than Stats.
func (t *Torrent) State() State { _, s := t.t.Updated(); return states[s] }

var eventKinds = map[engine.EventKind]EventKind{
	engine.EventChecked: EventChecked, engine.EventMetadata: EventMetadata, engine.EventPeerJoined: EventPeerJoined, engine.EventPeerLeft: EventPeerLeft,
	engine.EventPieceVerified: EventPieceVerified, engine.EventPieceFailed: EventPieceFailed,
	engine.EventBanned: EventBanned, engine.EventWebSeed: EventWebSeed, engine.EventFiles: EventFiles, engine.EventKept: EventKept, engine.EventSpace: EventSpace, engine.EventHeld: EventStalled,
	engine.EventGoesOn: EventResumed, engine.EventComplete: EventComplete, engine.EventError: EventError,
	engine.EventStopped: EventStopped, engine.EventPaused: EventPaused, engine.EventQueued: EventQueued,
	engine.EventShared: EventShared,
}

// parse parses a torrent file. The error is ErrNotTorrent.
func parse(b []byte) (*metainfo.Torrent, error) {
	meta, err := metainfo.Parse(b)
	if err != nil {
		return nil, clean(fmt.Errorf("%w: %w", ErrNotTorrent, err))
	}
	return meta, nil
}

// publicError adds to an error of the inner packages the sentinel that callers choose by.
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
	case errors.Is(err, engine.ErrNoMetadata):
		sentinel = ErrNoMetadata
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

// taggedError has the text of the inner error, and wraps the sentinel as well.
type taggedError struct{ sentinel, err error }

func (e *taggedError) Error() string   { return e.err.Error() }
func (e *taggedError) Unwrap() []error { return []error{e.sentinel, e.err} }

// CheckWebSeed returns an error when a URL can't be that of a web seed. It is ErrConfig.
func CheckWebSeed(url string) error {
	if _, err := webseed.Check(url); err != nil {
		return clean(fmt.Errorf("%w: web seed: %w", ErrConfig, err))
	}
	return nil
}
