// Package dhtnode drives a dht.Machine over a datagram socket, or two of them, one for each address
// family: it is the DHT node of the engine (BEP 5, 32). The machines decide; this package reads and
// writes the sockets, keeps the time, resolves the names of bootstrap nodes, and saves the tables
// between runs.
//
// One goroutine, the loop, owns the machines and never blocks. Each socket has a goroutine that
// reads it, and one goroutine does slow tasks (names, the state file). Callers send functions to
// the loop. A lookup goes to all DHTs that the node is in; what it finds waits for the caller,
// within bounds.
package dhtnode

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"shoal/internal/decide/dht"
	"shoal/internal/format/krpc"
	"shoal/internal/net/netio"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
)

// ErrClosed is returned by calls to a closed node.
var ErrClosed = errors.New("the DHT node is closed")

// Config configures a Node. Conn is required; the rest is optional.
type Config struct {
	// Conn is the socket. The node reads all of it, and closes it. Its family decides whether this
	// node is in the IPv4 or the IPv6 DHT (BEP 32).
	Conn netio.PacketConn
	// Beside is a socket of the other family, for a node in both DHTs; nil for none.
	Beside netio.PacketConn
	// Network resolves names; without it the node uses only addresses.
	Network netio.Network

	// Bootstrap are nodes to join the DHT through, as "host:port". Fallback are public ones, which
	// are asked only when no node was found for a while after the start.
	Bootstrap []string
	Fallback  []string

	// StateFile stores the id and the good nodes between runs; empty stores nothing.
	StateFile string

	// Version goes out with every message, as `v`: 4 bytes.
	Version string
	// ReadOnly is for a node that can't be reached: it sends queries and does not answer any (BEP
	// 43).
	ReadOnly bool

	// Announced, if set, is called by the loop when another node announces a peer to us. It must
	// not block.
	Announced func(hash [20]byte, peer netip.AddrPort)

	// SeenAs, if set, is called by the loop with our address as a node reports it. It must not
	// block.
	SeenAs func(by, says netip.Addr)
	// External, if set, returns our address in a family as the world sees it, or an invalid one.
	// The loop calls it often; it must not block.
	External func(v6 bool) netip.Addr

	Trace  trace.Func       // called by the loop
	Logger *slog.Logger     // nil logs nothing
	Clock  func() mono.Time // nil means a clock of the node's own
}

const (
	// packetRoom is the longest datagram, in bytes, that is read whole. KRPC messages stay below
	// 1400 bytes, to avoid fragments.
	packetRoom = 2048
	// packetsWaiting is how many datagrams wait for the loop. Later ones wait in the socket's own
	// buffer, and are lost when that is full.
	packetsWaiting = 64
	// wishesWaiting is how many calls wait for the loop.
	wishesWaiting = 256
	// readPause keeps a socket that only returns errors from occupying a core.
	readPause = 100 * time.Millisecond
)

// Node is a running DHT node. It is safe for concurrent use (decision 0094).
type Node struct {
	cfg   Config
	log   *slog.Logger
	sides []*side // one for each family, that of Config.Conn first

	packets chan packet
	calls   chan func(now mono.Time)
	names   chan bootstrap

	stop    context.CancelFunc
	stopped <-chan struct{} // Close was called
	ended   chan struct{}   // the loop has ended
	group   sync.WaitGroup
	closing sync.Once

	saved state // as loaded: kept until there is something better; owned by the loop

	mu    sync.Mutex // guards stats; held only for a copy
	stats []dht.Stats
}

// side is the node in the DHT of one family.
type side struct {
	v6   bool
	conn netio.PacketConn
	free chan *[packetRoom]byte

	// Owned by the loop.
	machine  *dht.Machine
	searches map[dht.LookupID]*search
	calls    map[dht.QueryID]*call
	outside  netip.Addr // our address, as the machine knows it
}

type packet struct {
	side *side
	room *[packetRoom]byte
	n    int
	from netip.AddrPort
}

// New starts a node. Close ends it.
func New(cfg Config) (*Node, error) {
	if cfg.Conn == nil {
		return nil, errors.New("make a DHT node: no socket")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		start := time.Now()
		cfg.Clock = func() mono.Time { return mono.Start.Add(time.Since(start)) }
	}
	for _, list := range [][]string{cfg.Bootstrap, cfg.Fallback} {
		for _, name := range list {
			if _, err := parseBootstrap(name); err != nil {
				return nil, fmt.Errorf("make a DHT node: %w", err)
			}
		}
	}
	var seed [32]byte
	crand.Read(seed[:]) // never fails
	n := &Node{
		cfg: cfg, log: cfg.Logger,
		packets: make(chan packet, packetsWaiting),
		calls:   make(chan func(mono.Time), wishesWaiting), names: make(chan bootstrap, maxNames),
		ended: make(chan struct{}),
	}
	n.saved = n.load()
	now, chance := cfg.Clock(), rand.New(rand.NewChaCha8(seed))
	n.sides = append(n.sides, n.newSide(now, cfg.Conn, chance))
	if cfg.Beside != nil {
		n.sides = append(n.sides, n.newSide(now, cfg.Beside, chance))
		if n.sides[0].v6 == n.sides[1].v6 {
			return nil, errors.New("make a DHT node: two sockets of one family")
		}
		dht.Pair(n.sides[0].machine, n.sides[1].machine)
	}
	for _, s := range n.sides {
		s.machine.Import(now, n.saved.nodes)
	}
	n.publish(now)

	ctx, stop := context.WithCancel(context.Background())
	n.stop, n.stopped = stop, ctx.Done()
	n.group.Go(func() { n.loop(ctx) })
	for _, s := range n.sides {
		n.group.Go(func() { n.receive(s) })
	}
	n.group.Go(func() { n.slowTasks(ctx) })
	for _, name := range cfg.Bootstrap {
		n.AddBootstrap(name)
	}
	return n, nil
}

func (n *Node) newSide(now mono.Time, conn netio.PacketConn, chance *rand.Rand) *side {
	local := conn.LocalAddr()
	s := &side{
		v6: local.Addr().Is6(), conn: conn, free: make(chan *[packetRoom]byte, packetsWaiting+1),
		searches: map[dht.LookupID]*search{}, calls: map[dht.QueryID]*call{},
	}
	if local.Addr().IsUnspecified() {
		local = netip.AddrPort{}
	}
	id := n.saved.id
	if s.v6 {
		id = n.saved.id6
	}
	s.machine = dht.New(dht.Config{
		ID: id, IPv6: s.v6, Local: local,
		Version: n.cfg.Version, ReadOnly: n.cfg.ReadOnly, Trace: n.cfg.Trace,
	}, now, chance)
	return s
}

// sideOf returns the side for an address. When there is none, it returns the other family's side,
// whose machine ignores the address.
func (n *Node) sideOf(a netip.AddrPort) *side {
	for _, s := range n.sides {
		if s.v6 == a.Addr().Unmap().Is6() {
			return s
		}
	}
	return n.sides[0]
}

// Close saves the tables, closes the sockets and waits until all goroutines of the node have ended.
// Pending lookups end. The error is that of saving.
func (n *Node) Close() error {
	var err error
	n.closing.Do(func() {
		n.stop()
		<-n.ended // nobody owns the machines any longer
		for _, s := range n.sides {
			s.conn.Close()
		}
		n.group.Wait()
		err = n.save(n.snapshot(n.cfg.Clock()))
	})
	return err
}

// LocalAddr returns the address of the first socket.
func (n *Node) LocalAddr() netip.AddrPort { return n.sides[0].conn.LocalAddr() }

// ID returns the node's id, that of the first socket. It changes when our address does (BEP 42).
func (n *Node) ID() krpc.ID { return n.Stats().ID }

// Stats returns recent counts of all sides together; the id and the address are those of the first
// side.
func (n *Node) Stats() dht.Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := n.stats[0]
	for _, s := range n.stats[1:] {
		sum.Add(s)
	}
	return sum
}

// Sides returns recent counts of each side, that of the first socket first.
func (n *Node) Sides() []dht.Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.stats)
}

func (n *Node) publish(now mono.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stats = n.stats[:0]
	for _, s := range n.sides {
		n.stats = append(n.stats, s.machine.Stats(now))
	}
}

// loop owns the machines: it feeds events in and performs the effects. It blocks only to wait for
// the next event.
func (n *Node) loop(ctx context.Context) {
	defer close(n.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	armed := mono.Time(-1) // not armed
	now := n.cfg.Clock()
	for {
		n.perform(now)
		n.lookOutside(now)
		n.publish(now)
		at := mono.Never
		for _, s := range n.sides {
			at = min(at, s.machine.Deadline())
		}
		if at != armed {
			armed = at
			if at == mono.Never {
				timer.Stop()
			} else {
				timer.Reset(max(at.Sub(now), 0))
			}
		}
		select {
		case p := <-n.packets:
			now = n.cfg.Clock()
			p.side.machine.Packet(now, p.from, p.room[:p.n])
			p.side.free <- p.room // never blocks: free has room for every buffer
		case wish := <-n.calls:
			now = n.cfg.Clock()
			wish(now)
		case <-timer.C:
			now, armed = n.cfg.Clock(), -1
			for _, s := range n.sides {
				s.machine.Tick(now)
			}
		case <-ctx.Done():
			n.abandon()
			return
		}
	}
}

// lookOutside tells the machines our addresses when those have changed.
func (n *Node) lookOutside(now mono.Time) {
	if n.cfg.External == nil {
		return
	}
	for _, s := range n.sides {
		if addr := n.cfg.External(s.v6); addr != s.outside {
			s.outside = addr
			s.machine.External(now, addr)
			n.perform(now)
		}
	}
}

// perform performs the machines' effects until there are no more.
func (n *Node) perform(now mono.Time) {
	for more := true; more; {
		more = false
		for _, s := range n.sides {
			for _, e := range s.machine.Effects() {
				n.act(now, s, e)
				more = true
			}
		}
	}
}

// act performs one effect of a machine.
func (n *Node) act(now mono.Time, s *side, e dht.Effect) {
	switch e.Kind {
	case dht.Send:
		// A datagram that can't be sent counts as lost: the machine notices that no answer comes.
		if err := s.conn.WriteTo(e.Bytes, e.To); err != nil && !errors.Is(err, net.ErrClosed) {
			n.log.Debug("DHT datagram not sent", "to", e.To, "err", err)
		}
	case dht.Peers:
		if x := s.searches[e.Lookup]; x != nil {
			x.put(e.Addrs)
		}
	case dht.Announced:
		if n.cfg.Announced != nil {
			n.cfg.Announced(e.Hash, e.Addrs[0])
		}
	case dht.SeenAs:
		if n.cfg.SeenAs != nil {
			n.cfg.SeenAs(e.To.Addr(), e.Addrs[0].Addr())
		}
	case dht.LookupDone:
		x := s.searches[e.Lookup]
		if x == nil {
			return
		}
		delete(s.searches, e.Lookup)
		if x.end(e); e.Result.Outcome == dht.Answered {
			// A DHT without any known node must not delay what the other one found.
			for _, o := range n.sides {
				if id, running := x.ids[o]; running && o != s {
					o.machine.Hurry(now, id)
				}
			}
		}
	case dht.QueryDone:
		if c := s.calls[e.Query]; c != nil {
			delete(s.calls, e.Query)
			c.end(e)
		}
	}
}

// receive reads the socket of a side. It waits while the loop is behind, and the kernel drops what
// arrives meanwhile.
func (n *Node) receive(s *side) {
	made := 0
	for {
		var room *[packetRoom]byte
		select {
		case room = <-s.free:
		default:
			if made <= packetsWaiting {
				made++
				room = new([packetRoom]byte)
				break
			}
			select {
			case room = <-s.free:
			case <-n.stopped:
				return
			}
		}
		size, from, err := s.conn.ReadFrom(room[:])
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			n.log.Debug("DHT socket", "err", err)
			s.free <- room
			select {
			case <-time.After(readPause):
			case <-n.stopped:
				return
			}
			continue
		}
		select {
		case n.packets <- packet{s, room, size, from}:
		case <-n.stopped:
			return
		}
	}
}

// do makes the loop call wish. It waits while the loop is far behind.
func (n *Node) do(ctx context.Context, wish func(now mono.Time)) error {
	select {
	case n.calls <- wish:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.stopped:
		return ErrClosed
	}
}

// Told passes on the DHT node of a peer, from the peer's PORT message. It never blocks: when the
// loop is far behind, the hint is lost.
func (n *Node) Told(addr netip.AddrPort) {
	select {
	case n.calls <- func(now mono.Time) { n.sideOf(addr).machine.Told(now, addr) }:
	default:
	}
}
