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

// Spec says which torrent Add adds, and how.
type Spec struct {
	Meta     *metainfo.Torrent
	Dir      string // folder that holds the torrent's file or folder
	FileName string // name of the .torrent file: a hint in the search for existing files
	Peers    []netip.AddrPort
	SeedOnly bool
	InOrder  bool // requests three of four new pieces in order
	// Priorities are the priorities of the files, by index: 0 skip, 1 low, 2 normal, 3 high.
	// nil means normal for all.
	Priorities  []uint8
	Limits      Limits        // limits of the torrent, besides the engine's
	Paused      bool          // rests until Resume
	Forced      bool          // bypasses the queue
	ShareLimits *ShareLimits  // share limits; nil means the engine's
	seeded      time.Duration // time seeded in earlier runs
	// WebSeeds are URLs of web seeds (BEP 19) besides those of the torrent. Since the user
	// names them, they can be hosts of the local network.
	WebSeeds []string
	// Trackers are used besides those of the torrent; NoTrackers are trackers of the torrent
	// that are not used.
	Trackers   []Tracker
	NoTrackers []string
	// Allocate reserves room for every file that is wanted before the first byte.
	Allocate bool
	// Overwrite replaces the user's files that lie at the paths of the torrent's files.
	// Without it those files are kept.
	Overwrite bool
	// NeedRoom holds the torrent while its volumes have less free space than it needs.
	// Without it a shortage is only reported.
	NeedRoom bool
	// Redownload fetches files again that have disappeared. Without it a torrent whose
	// files are all gone waits for them, so that nothing is created in an empty
	// mount point.
	Redownload bool
	// Paths holds the names of renamed files and the place of incomplete ones; nil means the
	// torrent's own names in Dir.
	Paths *Paths
	// Storage, when set, replaces the files in Dir. It is closed with the torrent, and
	// when Add fails. Each start checks all of it.
	Storage storage.Storage
	// Device identifies the device of the storage: a slow device delays its own torrents
	// only. 0 means the device of Dir.
	Device uint64
	// Open, when set, opens the files instead of storage.OpenIn.
	Open func() (*storage.Files, error)

	// Raw is the torrent file that Meta was read from. Add writes it to the catalogue and
	// does not retain it.
	Raw []byte

	added    time.Time // time when the torrent was first added
	restored bool      // torrent of an earlier run; the catalogue has it already
	visit    bool      // started by Engine.Visit
	patient  bool      // waits for a folder that is not there
}

// spec is the part of a Spec that never changes. What can change is elsewhere in the Torrent,
// and the options of the files are in its content.
type spec struct {
	Peers    []netip.AddrPort
	added    time.Time
	SeedOnly bool
	restored bool
	visit    bool // started by Engine.Visit: only the folder and file names are remembered
	chosen   *chosen
}

func keptOf(s *Spec) spec {
	return spec{
		Peers: s.Peers,
		added: s.added, SeedOnly: s.SeedOnly, restored: s.restored, visit: s.visit,
		chosen: chosenOf(s),
	}
}

// options returns the options of the files.
func (s *Spec) options() content.Options {
	return content.Options{
		FileName: s.FileName, SeedOnly: s.SeedOnly, Allocate: s.Allocate, Overwrite: s.Overwrite, NeedRoom: s.NeedRoom,
		Anew: s.Redownload, Restored: s.restored || s.patient, Paths: s.Paths, Storage: s.Storage, Device: s.Device, Open: s.Open,
	}
}

// State is what a torrent is doing.
type State uint8

// The states.
const (
	Checking State = iota
	Downloading
	Seeding
	Incomplete // pieces are missing, and we request none
	Stalled    // writes fail, or files are partly unreadable: Err says why; we serve what we have
	Missing    // the files have disappeared
	Queued     // waits for its turn in the queue
	Paused     // paused by the user
	Stopped
	Failed
	Metadata // only the info-hash is known
)

// Torrent is one torrent of an engine. Any goroutine can use the fields that are not marked as
// owned by the loop.
type Torrent struct {
	identity
	e       *Engine
	life    lives
	box     mailbox.Box[event] // inbox of the loop; a torrent with nothing to do has no loop
	content *content.Content   // data on disk
	links   links
	run     runState
	totals  totals
	sharing sharing

	metadata mailbox.Gate // open once the metadata is known; of a magnet, once the files are being opened
	private  atomic.Bool  // accepts peers from trackers and the user only (BEP 27)
	readers  atomic.Int32 // number of open Readers
	checked  mailbox.Gate // open once the data on disk is checked
	complete mailbox.Gate // open while every wanted file is complete, verified and durable
	events   broadcaster
	pub      publisher
	owner    owner // handle of the library

	// Owned by the loop.
	swarm     *swarm.Swarm
	web       *web        // nil until web seeds are used
	magnet    *magnetLink // nil unless the torrent began as a magnet link
	announces announcer.Torrent
	sent      lastSent
	slots     int   // slots for a swarm that is created later
	errText   error // reason of the end; nil while the torrent runs
}

// Add adds a torrent and starts to check the data on disk. If its magnet still waits for the
// metadata, Add hands that over; the error is ErrDuplicate all the same (decision 0192). Of a magnet
// that wants only the metadata, Add waits for the end.
func (e *Engine) Add(spec Spec) (*Torrent, error) {
	if err := e.adopted(&spec); err != nil {
		return nil, err
	}
	t := e.newTorrent(&spec, true)
	t.metadata.Open()
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
	if err := e.library.librarian.add(t, spec.Raw); err != nil {
		t.content.Leave()
		if spec.Storage != nil {
			spec.Storage.Close()
		}
		return nil, err
	}
	if e.node != nil && !t.Info().Private {
		for _, n := range spec.Meta.Nodes {
			e.node.AddBootstrap(n)
		}
	}
	return t, nil
}

// newTorrent returns a torrent that does not run yet. full says that spec.Meta has the metadata.
func (e *Engine) newTorrent(spec *Spec, full bool) *Torrent {
	t := &Torrent{
		identity: identity{
			spec: keptOf(spec), infoHash: spec.Meta.InfoHash,
			peerID: newPeerID(e.cfg.Version), key: randomKey(),
		},
		e:     e,
		slots: e.cfg.Slots,
	}
	t.learned(spec.Meta, full)
	t.links.limit(spec.Limits)
	t.private.Store(t.Info().Private)
	t.run.paused.Store(spec.Paused)
	t.run.force.Store(spec.Forced)
	t.run.inOrder.Store(spec.InOrder)
	t.sharing.own.Store(spec.ShareLimits)
	t.sharing.machine.Restore(spec.seeded)
	t.content = content.New(content.Config{
		Shared: e.disks, Host: (*host)(t), Info: t.Info(), Options: spec.options(),
		Life: &t.life.ctx, Last: &t.life.byes,
	})
	t.announces.Init(e.announcer, (*host)(t), t.infoHash, &t.life.ctx, &t.life.byes)
	t.box.Init(e.inboxes, t.loop)
	t.sharing.seeded.Store(int64(spec.seeded))
	return t
}

// enlist adds a prepared torrent to the list, where connections and Close find it, and
// starts the opening of its files, if they are known.
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
	e.queue.add(t)
	if t.magnet == nil {
		t.content.Start()
	}
	return nil
}

// vacant reports whether the list would accept a torrent at this moment.
func (e *Engine) vacant(t *Torrent) bool {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	return !e.list.closed && e.list.free(t)
}

// connections returns what all connections of the torrent share.
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
			Beats:      t.e.life.beats,
			Up:         t.e.limits.up.Group(), Down: t.e.limits.down.Group(),
		}
		bounds := wire.BoundsOf(t.geom(), t.geom().Pieces)
		if !t.known.Load().full {
			bounds = wire.Bounds{Pieces: metainfo.MaxPieces, NoMetadata: true}
		}
		shared.SetBounds(bounds)
		t.links.serve(shared)
		t.applyLimits()
	}
	return t.links.shared
}

// accepts reports whether the torrent accepts incoming connections.
func (t *Torrent) accepts() bool { return t.links.accepting.Load() }

// handshake returns our handshake for peers of this torrent.
func (t *Torrent) handshake() wire.Handshake {
	h := wire.Handshake{InfoHash: t.infoHash, PeerID: t.peerID}
	h.Reserved = h.Reserved.WithExtensions().WithFast()
	if t.e.node != nil && !t.private.Load() {
		h.Reserved = h.Reserved.WithDHT()
	}
	return h
}

// joined hands a connection whose handshakes are complete to the loop.
func (t *Torrent) joined(nc net.Conn, addr netip.AddrPort, dialled bool, theirs wire.Handshake) {
	if !dialled {
		t.e.callers.came()
	}
	a := swarm.Arrival{Addr: addr, Dialled: dialled, Handshake: theirs}
	if !t.do(&arrival{a, nc}) {
		nc.Close()
	}
}

// Stop stops the torrent and returns when nothing of it is left running. If ctx ends
// first, Stop cuts the farewells to trackers short. An engine that remembers torrents
// remembers this one as stopped and does not start it with the others.
func (t *Torrent) Stop(ctx context.Context) {
	t.e.library.librarian.stopped(t)
	t.halt(ctx)
}

// halt stops a torrent like Stop, but the next run starts it again.
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
	t.box.Wait() // the loop still runs after it opened stopped
}

// AddPeers adds peers that the user names; the next run does not know them.
func (t *Torrent) AddPeers(peers []netip.AddrPort) {
	if len(peers) > 0 {
		t.do(namedPeers{addrs: slices.Clone(peers)})
	}
}

// SetInOrder sets whether the torrent requests three of four new pieces in order.
func (t *Torrent) SetInOrder(on bool) {
	if t.run.inOrder.Swap(on) != on {
		t.do(inOrder{})
		t.remember()
	}
}

// InOrder reports whether the torrent requests pieces in order.
func (t *Torrent) InOrder() bool { return t.run.inOrder.Load() }

// RedownloadMissing fetches files again that have disappeared.
func (t *Torrent) RedownloadMissing() { t.do(redownload{}) }

// SetPriorities changes the priorities of the files, as in Spec. The data of a file that
// becomes wanted is moved out of the part file.
func (t *Torrent) SetPriorities(prio []uint8) error {
	if !t.metadata.Passed() {
		return t.errNoMetadata("choose files")
	}
	if err := t.content.SetPriorities(prio); err != nil {
		return err
	}
	if err := t.e.library.librarian.changed(t, false); err != nil {
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

// SetSlots changes the number of upload slots.
func (t *Torrent) SetSlots(n int) { t.do(slots{n: n}) }

// Wait waits until every wanted file is complete, verified and durable.
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

// WaitMetadata waits until we have the metadata of a magnet.
func (t *Torrent) WaitMetadata(ctx context.Context) error {
	if t.metadata.Passed() {
		return nil
	}
	select {
	case <-t.metadata.C():
		return nil
	case <-t.life.stopped.C():
		return t.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// HasMetadata reports whether we have the metadata. A magnet begins without.
func (t *Torrent) HasMetadata() bool { return t.metadata.Passed() }

// Checked waits until the data on disk is checked.
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

// Err returns why a torrent failed; ErrStopped when it did not fail.
func (t *Torrent) Err() error {
	if s := t.Stats(); s.State == Failed && s.Err != nil {
		return s.Err
	}
	return ErrStopped
}

// link is the loop's record of a connection to a peer.
type link struct {
	conn    *peerconn.Conn
	addr    netip.AddrPort
	dialled bool
	started bool
	left    bool // EventPeerLeft is sent; the connection may still be sending its last bytes
}

// inboxSize bounds the events that wait for the loop: enough that it finds a batch of
// work, few enough that producers slow down when it falls behind.
const inboxSize = 64

// post hands an event to the loop, and starts the loop when the torrent is parked. It
// waits while the inbox is full, and reports false when the torrent has ended.
func (t *Torrent) post(ev event) bool { return t.box.Post(ev) }

// do posts an action.
func (t *Torrent) do(a action) bool { return t.post(event{action: a}) }

// nudge hands an event to the loop, and reports false when the loop has ended or its inbox
// is full. It never waits: the loops of two torrents may nudge each other.
func (t *Torrent) nudge(ev event) bool { return t.box.Offer(ev) }

// hint hands an event to the loop, or drops it when the inbox is full.
func (t *Torrent) hint(ev event) { t.box.Hint(ev) }

// until returns the time left to a deadline.
func (e *Engine) until(deadline mono.Time) time.Duration {
	if deadline == mono.Never {
		return mailbox.Forever
	}
	return max(deadline.Sub(e.now()), 0)
}
