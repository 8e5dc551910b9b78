package shoal

import (
	"context"
	"errors"
	"net/netip"

	"shoal/internal/engine"
	"shoal/internal/mailbox"
	"shoal/internal/net/netio"
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
		ShareLimits: *shared, Queue: cfg.Queue.inner(), Limits: cfg.Limits.inner(true), LocalExempt: cfg.LocalUnlimited,
		StateDir: cfg.StateDir, Remember: cfg.Remember, AtRest: cfg.AtRest, KeepCached: cfg.KeepCached, NoWebSeeds: cfg.NoWebSeeds,
		SuperSeed: superSeeds[cfg.SuperSeed], SeedChoke: seedChokings[cfg.SeedChoking],
		RootCAs: cfg.RootCAs, LANTrackers: cfg.LANTrackers,
		Version: Version, Log: hidden(cfg.Log), Clock: engine.Clock{Bell: mailbox.SystemBell},
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
