package engine

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/files/content"
	"shoal/internal/files/storage"
	"shoal/internal/format/wire"
	"shoal/internal/mailbox"
	"shoal/internal/net/announcer"
	"shoal/internal/net/peerconn"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/metainfo"
)

// Spec says which torrent is added, and how.
type Spec struct {
	Meta     *metainfo.Torrent
	Dir      string // holds the torrent's file or folder
	FileName string // of the .torrent file, a hint: see findFiles
	Peers    []netip.AddrPort
	SeedOnly bool
	InOrder  bool // pieces are asked for in order, three of four
	// Priorities are those of the files, by index: 0 skip, 1 low, 2 normal, 3 high; nil
	// means normal for all.
	Priorities []uint8
	Limits     Limits        // of the torrent
	Paused     bool          // it rests until Resume
	Forced     bool          // it does not wait in line
	Share      *Share        // when it is shared enough; nil: as the engine says
	seeded     time.Duration // in other runs
	// WebSeeds are URLs of web seeds (BEP 19) besides those of the torrent. The user
	// names them: they may be hosts of the local network in whatever form.
	WebSeeds []string
	// Trackers are used besides those of the torrent, of which NoTrackers are not used.
	Trackers   []Tracker
	NoTrackers []string
	// Allocate reserves room for every file that is wanted before the first byte.
	Allocate bool
	// Overwrite has files of the user written over that lie where the torrent's go. Without it
	// they are kept.
	Overwrite bool
	// NeedRoom holds the torrent while its volumes have less free space than it has to write.
	// Without it a shortage is only told.
	NeedRoom bool
	// Anew has files fetched again that were here and are not. Without it a torrent
	// whose files are gone altogether waits for them: nothing is made in an empty
	// mount point.
	Anew bool
	// Paths says how files are called, and where they lie until they are complete; nil
	// for as the torrent says, in Dir.
	Paths *Paths
	// Storage, when set, is used instead of files in Dir. It is closed with
	// the torrent, and when Add fails. It is checked whole at each start.
	Storage storage.Storage
	// Device tells storages apart that are on different devices: a slow one holds back
	// its own torrents only. Zero means that of Dir.
	Device uint64
	// Open, when set, opens the files instead of storage.OpenTorrent.
	Open func() (*storage.Files, error)

	// Raw is the torrent file that Meta was read from, for when it is remembered. It is
	// not kept.
	Raw []byte

	added    time.Time // when it was added for the first time
	restored bool      // it was added by an earlier run, and is told to nobody
	visit    bool      // see Engine.Visit
}

// spec is what stays of a Spec. What can change is elsewhere in the Torrent, and what concerns
// the files is in its content.
type spec struct {
	Meta     *metainfo.Torrent
	Peers    []netip.AddrPort
	added    time.Time
	SeedOnly bool
	InOrder  bool
	restored bool
	visit    bool // only its place and its names are remembered
	chosen   *chosen
}

func keptOf(s *Spec) spec {
	return spec{
		Meta: s.Meta, Peers: s.Peers,
		added: s.added, SeedOnly: s.SeedOnly, InOrder: s.InOrder, restored: s.restored, visit: s.visit,
		chosen: chosenOf(s),
	}
}

// options says how the files are treated.
func (s *Spec) options() content.Options {
	return content.Options{
		FileName: s.FileName, SeedOnly: s.SeedOnly, Allocate: s.Allocate, Overwrite: s.Overwrite, NeedRoom: s.NeedRoom,
		Anew: s.Anew, Restored: s.restored, Paths: s.Paths, Storage: s.Storage, Device: s.Device, Open: s.Open,
	}
}

// State is what a torrent is doing.
type State uint8

// The states.
const (
	Checking State = iota
	Downloading
	Seeding
	Incomplete // pieces are missing and none are asked for
	Held       // the files take nothing or can't be read in part: Err says why; what is had is served
	Missing    // the files were there and are not
	Queued     // it waits for its turn in the line
	Paused     // by the user
	Stopped
	Failed
	Metadata // only the info-hash is known
)

// Torrent is one torrent of an engine. What is not said to be the loop's is safe to use from
// any goroutine.
type Torrent struct {
	identity
	e       *Engine
	life    lives
	box     mailbox.Box[event] // a torrent with no peers and nothing to do has no loop
	content *content.Content   // what lies on disk
	links   links
	run     runState
	totals  totals
	sharing sharing

	private  atomic.Bool  // peers come from trackers and the user only (BEP 27)
	readers  atomic.Int32 // open ones
	checked  mailbox.Gate // what is on disk is known
	complete mailbox.Gate // every wanted file is complete, verified and durable
	events   broadcaster
	pub      publisher
	owner    owner // the library's handle

	// Owned by the loop.
	swarm     *swarm.Swarm
	web       *web    // nil before something is asked of web seeds
	magnet    *Magnet // nil when it began with its metainfo
	announces announcer.Torrent
	sent      lastSent
	slots     int // chosen by SetSlots before the swarm was there
	errText   error
}

// Add adds a torrent and begins to check what is on disk.
func (e *Engine) Add(spec Spec) (*Torrent, error) {
	t := e.newTorrent(&spec)
	if err := t.checkWebSeeds(); err != nil {
		return nil, err
	}
	if err := t.content.SetPriorities(spec.Priorities); err != nil {
		return nil, err
	}
	if err := t.content.CheckPaths(); err != nil {
		return nil, err
	}
	if err := t.content.FirstLook(spec.Dir); err != nil {
		return nil, err
	}
	if !t.content.Enter() {
		if spec.Storage != nil {
			spec.Storage.Close()
		}
		return nil, ErrClosed
	}
	t.pub.init(t)
	if err := e.library.memory.add(t, spec.Raw); err != nil {
		t.content.Leave()
		if spec.Storage != nil {
			spec.Storage.Close()
		}
		return nil, err
	}
	if e.node != nil && !t.info.Private {
		for _, n := range spec.Meta.Nodes {
			e.node.AddBootstrap(n)
		}
	}
	return t, nil
}

// newTorrent makes a torrent of which nothing runs yet.
func (e *Engine) newTorrent(spec *Spec) *Torrent {
	t := &Torrent{
		identity: identity{
			spec: keptOf(spec), info: spec.Meta.Info, geom: spec.Meta.Info.Geometry(), infoHash: spec.Meta.InfoHash,
			peerID: newPeerID(e.cfg.Version), key: randomKey(),
		},
		e:     e,
		slots: e.cfg.Slots,
	}
	t.links.limit(spec.Limits)
	t.private.Store(t.info.Private)
	t.run.paused.Store(spec.Paused)
	t.run.force.Store(spec.Forced)
	t.sharing.own.Store(spec.Share)
	t.sharing.machine.Restore(spec.seeded)
	t.content = content.New(content.Config{
		Shared: e.disks, Host: (*host)(t), Info: t.info, InfoHash: t.infoHash, Options: spec.options(),
		Now: e.now, Life: &t.life.ctx, Last: &t.life.byes,
	})
	t.announces.Init(e.announcer, (*host)(t), t.infoHash, &t.life.ctx, &t.life.byes)
	t.box.Init(e.inboxes, event{action: wake{}}, t.loop)
	t.sharing.seeded.Store(int64(spec.seeded))
	return t
}

// enlist puts a torrent that is ready on the list, where connections find it
// and Close does, and lets it begin.
func (e *Engine) enlist(t *Torrent) error {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	switch {
	case e.list.closed:
		return ErrClosed
	case !e.list.free(t):
		return fmt.Errorf("%w: %s", ErrDuplicate, t.infoHash)
	}
	e.list.add(t)
	e.line.add(t)
	t.content.Start()
	return nil
}

// vacant reports whether a torrent can be put on the list, as far as can be said now.
func (e *Engine) vacant(t *Torrent) bool {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	return !e.list.closed && e.list.free(t)
}

// InfoHash gives the torrent's info-hash.
func (t *Torrent) InfoHash() [20]byte { return t.infoHash }

// Info gives the torrent's info dictionary.
func (t *Torrent) Info() *metainfo.Info { return t.info }

// Meta gives the torrent file's content.
func (t *Torrent) Meta() *metainfo.Torrent { return t.spec.Meta }

// PeerID gives the peer id that this torrent goes by.
func (t *Torrent) PeerID() [20]byte { return t.peerID }

// connections gives what a connection of the torrent needs.
func (t *Torrent) connections() *peerconn.Torrent {
	t.links.mu.Lock()
	defer t.links.mu.Unlock()
	if t.links.shared == nil {
		shared := &peerconn.Torrent{
			Buffers: t.content.Buffers(), Source: t.content, Spare: t.e.spares,
			Deliver:    func(b *peerconn.Batch) bool { return t.post(event{kind: evBatch, batch: b}) },
			Sent:       func(key uint64, n int, bytes int64) { t.post(event{kind: evSent, key: key, n: int32(n), bytes: bytes}) },
			Unsent:     func(key uint64, n int) { t.do(unsent{key: key, blocks: n}) },
			PartsSent:  func(key uint64, n int) { t.do(partsSent{key: key, parts: n}) },
			Unreadable: func(ref block.Ref, err error) { t.content.ReportUnreadable(ref.Piece, err) },
			Closed:     func(key uint64, err error) { t.do(disconnected{key: key, err: err}) },
			Group:      &t.life.conns,
			Up:         t.e.limits.up.Group(), Down: t.e.limits.down.Group(),
		}
		bounds := wire.BoundsOf(t.geom, t.geom.Pieces)
		if t.magnet != nil && t.magnet.meta == nil {
			bounds = wire.Bounds{Pieces: metainfo.MaxPieces, NoMetadata: true}
		}
		shared.SetBounds(bounds)
		t.links.serve(shared)
		t.applyLimits()
	}
	return t.links.shared
}

// accepts reports whether incoming connections are taken.
func (t *Torrent) accepts() bool { return t.links.open.Load() }

// handshake gives what we say first to a peer of this torrent.
func (t *Torrent) handshake() wire.Handshake {
	h := wire.Handshake{InfoHash: t.infoHash, PeerID: t.peerID}
	h.Reserved = h.Reserved.WithExtensions().WithFast()
	if t.e.node != nil && !t.private.Load() {
		h.Reserved = h.Reserved.WithDHT()
	}
	return h
}

// joined gives a connection with done handshakes to the loop.
func (t *Torrent) joined(nc net.Conn, addr netip.AddrPort, dialled bool, theirs wire.Handshake) {
	if !dialled {
		t.e.callers.came()
	}
	a := swarm.Arrival{Addr: addr, Dialled: dialled, Handshake: theirs}
	if !t.do(&arrival{a, nc}) {
		nc.Close()
	}
}

// Stop stops the torrent and waits until nothing of it is left running. When
// ctx ends first, farewells to trackers are cut short. Where torrents are remembered it
// is remembered as stopped, and not started with the others.
func (t *Torrent) Stop(ctx context.Context) {
	t.e.library.memory.stopped(t)
	t.halt(ctx)
}

// halt is Stop of a torrent that the next run goes on with.
func (t *Torrent) halt(ctx context.Context) {
	t.life.once.Do(func() {
		t.life.ctx.End()
		t.do(stop{})
	})
	select {
	case <-t.life.stopped.C():
	case <-ctx.Done():
		t.life.byes.End()
		t.announces.Cut()
		<-t.life.stopped.C()
	}
	t.box.Wait() // the last lines of the loop
}

// AddPeers dials these peers of the user's besides those that are found, in this run. Before
// the files are checked it does nothing.
func (t *Torrent) AddPeers(peers []netip.AddrPort) {
	if len(peers) > 0 {
		t.do(&found{src: peerbook.Manual, addrs: slices.Clone(peers)})
	}
}

// FetchAnew has files fetched again that were here and are not.
func (t *Torrent) FetchAnew() { t.do(redownload{}) }

// SetPriorities changes the priorities of the files, as in Spec. A file that is wanted
// after all comes out of the part file.
func (t *Torrent) SetPriorities(prio []uint8) error {
	if err := t.content.SetPriorities(prio); err != nil {
		return err
	}
	if err := t.e.library.memory.changed(t, false); err != nil {
		return err
	}
	heard := make(chan struct{})
	if !t.do(prioritized{heard}) {
		return t.Err()
	}
	select {
	case <-heard:
		return nil
	case <-t.life.stopped.C():
		return t.Err()
	}
}

// SetSlots changes how many peers are unchoked at once.
func (t *Torrent) SetSlots(n int) { t.do(slots{n: n}) }

// Wait waits until every file is complete, verified and durable.
func (t *Torrent) Wait(ctx context.Context) error {
	if t.complete.Passed() {
		return t.content.NotKept()
	}
	select {
	case <-t.complete.C():
		return t.content.NotKept()
	case <-t.life.stopped.C():
		return t.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Checked waits until what is on disk is checked.
func (t *Torrent) Checked(ctx context.Context) error {
	if t.checked.Passed() {
		return nil
	}
	select {
	case <-t.checked.C():
		return nil
	case <-t.life.stopped.C():
		return t.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Err says why a stopped torrent is not complete.
func (t *Torrent) Err() error {
	if s := t.Stats(); s.State == Failed && s.Err != nil {
		return s.Err
	}
	return ErrStopped
}

// link is a connection to a peer, as the loop knows it.
type link struct {
	conn    *peerconn.Conn
	addr    netip.AddrPort
	dialled bool
	started bool
	left    bool // it ends: only its last words are still on their way
}

// inboxSize bounds what waits for the loop: enough that it always finds a batch
// of work, few enough that producers feel when it falls behind.
const inboxSize = 64

// post hands an event to the loop, starting it when there is none. It waits
// while the inbox is full. False says that the torrent has ended.
func (t *Torrent) post(ev event) bool { return t.box.Post(ev) }

// do is post for an action.
func (t *Torrent) do(a action) bool { return t.post(event{action: a}) }

// nudge hands an event to the loop, and reports false where it has ended or is behind. It
// never waits: the loops of two torrents may nudge each other.
func (t *Torrent) nudge(ev event) bool { return t.box.Offer(ev) }

// hint hands an event to the loop unless that would wait.
func (t *Torrent) hint(ev event) { t.box.Hint(ev) }

// until returns for how long to wait for a deadline.
func (e *Engine) until(deadline mono.Time) time.Duration {
	if deadline == mono.Never {
		return mailbox.Forever
	}
	return max(deadline.Sub(e.now()), 0)
}
