package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/choker"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/metainfo"
)

// Spec has the properties of a node. The zero Spec is an honest peer with nothing and without
// bounds.
type Spec struct {
	Name    string
	Have    *bitfield.Bitfield // nil means nothing; see World.Full
	Up      int64              // in bytes a second; 0 means no bound
	UpKnown bool               // it knows Up, as a limit that its user has set
	Lag     time.Duration      // time from here to the middle of the network

	Slots, MaxPeers, HalfOpen int // as in swarm.Config
	SeedOnly, Private         bool
	SuperSeed                 swarm.SuperSeed
	SeedChoke                 choker.Algorithm
	InOrder                   bool
	NoFast                    bool // it does not speak the fast extension
	DHT                       bool
	Tracker                   bool
	Magnet                    bool // it starts with the info-hash alone

	DiskDelay time.Duration // time to hash and write a piece
	Web       []*webServer

	// Misbehaviour. A node with any of it is not honest: the simulator requires only that its swarm
	// keeps its own invariants.
	Lie        func(block.Ref) bool // sends wrong content for these blocks
	StallAfter int64                // stops sending after this many blocks; 0 means never
	Selfish    bool                 // never unchokes a peer
	Spoils     bool                 // sends wrong metadata
	// Twist changes the bytes sent to a peer; nil sends nothing.
	Twist func(to *Conn, control []byte) []byte
}

// Node is an engine reduced to what a swarm needs: it performs a swarm's effects with virtual
// connections, a virtual disk and a virtual DHT node.
type Node struct {
	w      *World
	number int
	spec   Spec
	addr   netip.AddrPort
	id     [20]byte
	rng    *rand.Rand

	swarm  *swarm.Swarm
	up     bool
	life   int // number of starts
	due    mono.Time
	disk   disk
	uplink uplink
	ends   []*end // open ends, oldest first
	keys   swarm.PeerKey
	blocks int64 // blocks sent, for StallAfter
	look   int   // events since the last check of its invariants
	buffer int   // blocks given to the swarm and not yet returned

	wishes  wishes
	readers []*Reader
	web     *webNode // nil without web seeds
	dht     dhtSide
	History
}

// Conn is a node's view of a connection, for Twist.
type Conn = end

// Full returns the set of all pieces, for a seed.
func (w *World) Full() *bitfield.Bitfield {
	have := bitfield.New(w.Geometry.Pieces)
	have.SetAll()
	return have
}

// Some returns a set that has each piece with a probability in percent.
func (w *World) Some(percent int) *bitfield.Bitfield {
	have := bitfield.New(w.Geometry.Pieces)
	for i := range w.Geometry.Pieces {
		if w.chance.IntN(100) < percent {
			have.Set(i)
		}
	}
	return have
}

// Add creates a node and starts it.
func (w *World) Add(spec Spec) *Node {
	n := &Node{
		w: w, number: len(w.nodes), spec: spec, addr: w.address(),
		History: newHistory(),
	}
	if n.spec.Name == "" {
		n.spec.Name = fmt.Sprintf("N%d", n.number)
	}
	if n.spec.Lag == 0 {
		n.spec.Lag = 10 * time.Millisecond
	}
	n.uplink.rate = spec.Up
	n.disk = disk{n: n, verified: bitfield.New(w.Geometry.Pieces), parts: make(map[uint32]*part)}
	if spec.Have != nil {
		n.disk.verified = spec.Have.Clone()
	}
	w.nodes = append(w.nodes, n)
	n.Start()
	return n
}

// Start starts a node, with the content of its disk and a new peer id.
func (n *Node) Start() {
	w := n.w
	n.rng = rand.New(rand.NewPCG(w.Seed, streamNode+uint64(n.number)<<8+uint64(n.life)))
	n.life++
	copy(n.id[:], wire.PeerIDPrefix("v0.1.0"))
	for i := 8; i < 20; i++ {
		n.id[i] = 'a' + byte(n.rng.IntN(26))
	}
	n.up, n.due = true, mono.Never
	n.wishes = wishes{urged: make(map[uint32][2]uint32)}
	n.disk.open()
	cfg := swarm.Config{
		InfoHash: w.InfoHash, PeerID: n.id, Geometry: w.Geometry, Have: n.disk.verified.Clone(),
		Private: n.spec.Private, SeedOnly: n.spec.SeedOnly, Client: "shoal 0.1.0", Port: n.addr.Port(),
		SuperSeed: n.spec.SuperSeed, SeedChoke: n.spec.SeedChoke, InOrder: n.spec.InOrder,
		Slots: n.spec.Slots, MaxPeers: n.spec.MaxPeers, HalfOpen: n.spec.HalfOpen,
		Web:   n.webConfig(),
		Trace: func(r trace.Record) { w.record(n, r) },
	}
	cfg.Metadata = w.Metadata
	if n.spec.Magnet {
		cfg.Geometry, cfg.Have, cfg.Metadata, cfg.NoMetadata = metainfo.Geometry{}, nil, nil, true
	}
	if n.spec.Tracker && w.tracker != nil {
		cfg.Tiers = [][]string{{w.tracker.URL}}
	}
	w.listeners[n.addr] = n
	if n.spec.DHT {
		cfg.DHTPort = n.addr.Port()
		n.startDHT()
	}
	n.swarm = swarm.New(cfg, w.now, n.rng)
	if n.spec.UpKnown {
		n.swarm.SetUpLimit(n.spec.Up)
	}
	if n.spec.Selfish {
		n.swarm.SetSlots(0)
	}
	n.swarm.Start(w.now)
	n.step()
}

// Stop ends a node in order.
func (n *Node) Stop() {
	if !n.up {
		return
	}
	n.swarm.Stop(n.w.now)
	n.perform(n.swarm.Effects())
	n.down()
}

// Crash ends a node abruptly: silently, or with a reset of its connections.
func (n *Node) Crash(silent bool) {
	if !n.up {
		return
	}
	for _, e := range append([]*end(nil), n.ends...) {
		if silent {
			e.silence()
			e.closed = true
		} else {
			e.reset()
		}
	}
	n.down()
}

func (n *Node) down() {
	n.up = false
	n.ends = nil
	n.due = mono.Never
	n.dht.stopped()
	n.disk.close()
	delete(n.w.listeners, n.addr)
	delete(n.w.sockets, n.addr)
}

// honest reports whether we expect correct behaviour of the node.
func (n *Node) honest() bool {
	return n.spec.Lie == nil && n.spec.StallAfter == 0 && !n.spec.Selfish && !n.spec.Spoils && n.spec.Twist == nil
}

// Knows tells a node the addresses of other nodes, as a user would.
func (n *Node) Knows(others ...*Node) {
	for _, o := range others {
		n.Found(peerbook.Manual, o.addr)
	}
}

// Found tells a node addresses.
func (n *Node) Found(src peerbook.Source, addrs ...netip.AddrPort) {
	n.input(func(now mono.Time) { n.swarm.Found(now, src, addrs, nil) })
}

// Connect connects to another node without a dial by the swarm.
func (n *Node) Connect(o *Node) {
	e := n.w.connect(n, o, o.addr)
	e.onShake = func(h wire.Handshake, problem string) {
		if problem == "" {
			n.joined(e, h)
		}
	}
}

// input passes an event to the swarm, and performs the effects.
func (n *Node) input(f func(now mono.Time)) {
	if n.up {
		f(n.w.now)
		n.step()
	}
}

// step does what a torrent's loop does after each batch of inputs.
func (n *Node) step() {
	if !n.up {
		return
	}
	n.swarm.Flush(n.deliver)
	n.perform(n.swarm.Effects())
	if n.buffer != 0 {
		n.w.failf("%s: %d blocks were neither stored nor given back", n.spec.Name, n.buffer)
	}
	n.arm()
	if n.look++; n.look >= n.w.Every {
		n.look = 0
		n.check()
	}
}

func (n *Node) check() {
	if err := n.swarm.CheckInvariants(); err != nil {
		n.w.failf("%s: %w", n.spec.Name, err)
	}
	if n.spec.SuperSeed == swarm.SuperSeedOn || n.spec.Have != nil && n.spec.Have.All() || n.swarm.NoMetadata() {
		return // a super-seed reveals pieces as it chooses
	}
	have := n.swarm.Stats(n.w.now).Have
	for _, e := range n.ends {
		if said := e.watch.have.Count(); e.watch.said > 0 && said != have {
			n.w.failf("%s has %d pieces, and told %v of %d", n.spec.Name, have, e.remote, said)
		}
	}
}

// arm schedules the tick for the deadline.
func (n *Node) arm() {
	at := n.swarm.Deadline()
	if at == n.due || at == mono.Never {
		n.due = at
		return
	}
	n.due = at
	n.w.at(at, func() {
		if !n.up || n.due != at {
			return
		}
		n.due = unarmed
		n.swarm.Tick(n.w.now)
		n.step()
		if d := n.swarm.Deadline(); n.up && d <= n.w.now {
			n.w.failf("%s: a tick left a deadline that is over by %v", n.spec.Name, n.w.now.Sub(d))
		}
	})
}

// deliver passes the swarm's output to a connection.
func (n *Node) deliver(key swarm.PeerKey, out swarm.Out) {
	e := n.end(key)
	if e == nil {
		n.w.failf("%s: bytes for connection %d, which is closed", n.spec.Name, key)
		return
	}
	if parts := len(out.Parts); parts > 0 { // there are no limits here
		out.Bytes = bytes.Join(append([][]byte{out.Bytes}, out.Parts...), nil)
		n.w.after(0, func() {
			n.input(func(now mono.Time) { n.swarm.PartsSent(now, e.key, parts) })
		})
	}
	if err := e.watch.wrote(out); err != nil {
		n.w.failf("%s to %v: %w", n.spec.Name, e.remote, err)
	}
	control := out.Bytes
	if n.spec.Spoils {
		control = spoilMetadata(control)
	}
	if n.spec.Twist != nil {
		control = n.spec.Twist(e, control)
	}
	if out.TakeBack {
		unsent, blocks, size := e.takeBack()
		n.w.after(0, func() {
			if blocks > 0 {
				n.sent(e, blocks, size)
			}
			n.input(func(now mono.Time) { n.swarm.Unsent(now, e.key, unsent) })
		})
	}
	e.write(control, out.Uploads)
}

// perform performs the swarm's effects.
func (n *Node) perform(effects []swarm.Effect) {
	for i := range effects {
		e := effects[i]
		switch e.Kind {
		case swarm.Store:
			n.buffer--
			if c := n.end(e.Peer); c != nil {
				if err := c.watch.stored(e.Ref); err != nil {
					n.w.failf("%s from %v: %w", n.spec.Name, e.Addr, err)
				}
			}
			n.disk.store(e.Ref, binary.BigEndian.Uint64(e.Block.Data), e.Sums)
		case swarm.Discard:
			n.buffer--
		case swarm.Forget:
			n.disk.forget(e.Piece)
		case swarm.Dial:
			n.dial(e.Addr)
		case swarm.Drop:
			n.dropped(e.Why)
			if c := n.end(e.Peer); c != nil {
				n.remove(c)
				c.close()
			}
		case swarm.Announce:
			if n.w.tracker != nil {
				n.w.tracker.announce(n, e)
			}
		case swarm.FindPeers:
			n.findPeers()
		case swarm.Told:
			n.told(e.Addr)
		case swarm.PieceVerified:
			n.w.after(0, func() {
				for _, r := range n.readers {
					r.look()
				}
			})
		case swarm.PieceFailed:
			n.failed()
		case swarm.Ban:
			n.banned(e.Addr.Addr())
		case swarm.Web:
			n.webAct(e.Web)
		case swarm.Metadata:
			n.learned()
		case swarm.Complete:
			n.completed(n.w.now)
			for i := range n.w.Geometry.Pieces {
				if !n.skips(i) && !n.disk.verified.Has(i) {
					n.w.failf("%s believes to be complete with %v, of priorities %v", n.spec.Name, n.disk.verified, n.wishes.prio)
				}
			}
		}
	}
}

func (n *Node) dial(addr netip.AddrPort) {
	n.dialled()
	life := n.life
	n.w.dial(n, addr, func(e *end, h wire.Handshake, problem string) {
		switch {
		case !n.up || n.life != life:
			if e != nil {
				e.close()
			}
		case problem != "":
			n.input(func(now mono.Time) { n.swarm.DialFailed(now, addr, swarm.FaultRefused, problem) })
		default:
			n.joined(e, h)
		}
	})
}

// joined passes a connection to the swarm after its handshakes.
func (n *Node) joined(e *end, h wire.Handshake) {
	if !n.up {
		e.close()
		return
	}
	n.keys++
	e.key = n.keys
	e.watch = newWitness(n, e)
	n.ends = append(n.ends, e)
	if n.spec.NoFast {
		h.Reserved = wire.Reserved{}.WithExtensions() // both sides must speak an extension
	}
	e.watch.fast = h.Reserved.Fast()
	n.swarm.Joined(n.w.now, e.key, swarm.Arrival{Addr: e.remote, Dialled: e.dialled, Handshake: h})
	n.step()
}

func (n *Node) end(key swarm.PeerKey) *end {
	for _, e := range n.ends {
		if e.key == key {
			return e
		}
	}
	return nil
}

func (n *Node) remove(e *end) {
	for i, x := range n.ends {
		if x == e {
			n.ends = append(n.ends[:i], n.ends[i+1:]...)
			return
		}
	}
}

// The node as a party.

func (n *Node) host() netip.Addr   { return n.addr.Addr() }
func (n *Node) lag() time.Duration { return n.spec.Lag }
func (n *Node) line() *uplink      { return &n.uplink }
func (n *Node) stalled() bool      { return n.spec.StallAfter > 0 && n.blocks >= n.spec.StallAfter }
func (n *Node) deaf() bool         { return false }

func (n *Node) handshake() wire.Handshake {
	h := wire.Handshake{InfoHash: n.w.InfoHash, PeerID: n.id}
	h.Reserved = h.Reserved.WithExtensions()
	if !n.spec.NoFast {
		h.Reserved = h.Reserved.WithFast()
	}
	if n.spec.DHT {
		h.Reserved = h.Reserved.WithDHT()
	}
	return h
}

func (n *Node) arrived(e *end, h wire.Handshake) { n.joined(e, h) }

// taken is a block on its way through the swarm: its data is its tag.
type taken struct {
	block.Block
	data [8]byte
}

func (n *Node) take(e *end, m wire.Message, tag uint64) {
	if !n.up {
		return
	}
	var b *block.Block
	if m.ID == wire.Piece {
		t := new(taken)
		binary.BigEndian.PutUint64(t.data[:], tag)
		t.Data = t.data[:]
		b = &t.Block
		n.buffer++
	}
	e.watch.received(m)
	n.swarm.Message(n.w.now, e.key, m, b)
}

func (n *Node) turn(*end) { n.step() }

func (n *Node) tag(ref block.Ref) uint64 {
	n.blocks++
	if n.spec.Lie != nil && n.spec.Lie(ref) {
		return uint64(n.number+1)<<32 | uint64(n.blocks)
	}
	return 0
}

func (n *Node) sent(e *end, blocks int, bytes int64) {
	n.input(func(now mono.Time) { n.swarm.Sent(now, e.key, blocks, bytes) })
}

func (n *Node) lost(e *end, reason string) {
	n.remove(e)
	n.input(func(now mono.Time) { n.swarm.Left(now, e.key, reason) })
}

func (n *Node) standing() string {
	s := n.swarm.Stats(n.w.now)
	return fmt.Sprintf("%-8s up=%v honest=%v have %d/%d, %d started, %d peers (%d dialling, %d known), %d requests, down %d up %d wasted %d, deadline %.1f",
		n.spec.Name, n.up, n.honest(), s.Have, s.Pieces, s.Started, s.Peers, s.Dialling, s.Known, s.Requests,
		s.Downloaded, s.Uploaded, s.Wasted, n.swarm.Deadline().Seconds())
}

// unarmed is a deadline that no machine has.
const unarmed mono.Time = -1
