// Package dhtnode drives a dht.Machine over a datagram socket, or two of them, one for each
// address family: it is the DHT node of the engine (BEP 5, 32). The machines decide; this
// package reads and writes the sockets, keeps the time, resolves the names of ways in, and
// saves the tables between runs.
//
// One goroutine, the loop, owns the machines and never waits for anybody: others read the
// sockets, one does what takes long (names, the state file). Callers hand their wishes to
// the loop. A lookup goes to all DHTs that the node is in; what it finds is collected for
// them, within bounds, until they take it.
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

// ErrClosed is returned by what a closed node is asked.
var ErrClosed = errors.New("the DHT node is closed")

// Config is what a Node is made with. Conn is needed; the rest may be left out.
type Config struct {
	// Conn is the socket. The node reads all of it, and closes it with itself. Its family
	// decides whether this is a node of the IPv4 or of the IPv6 DHT (BEP 32).
	Conn netio.PacketConn
	// Beside is a socket of the other family, for a node that is in both DHTs; may be nil.
	Beside netio.PacketConn
	// Network resolves names; without it only addresses are of use.
	Network netio.Network

	// Bootstrap are ways into the DHT as "host:port". Fallback are public ones, which are
	// asked only when nobody else was found a while after the start.
	Bootstrap []string
	Fallback  []string

	// StateFile keeps the id and the good nodes from run to run; empty keeps nothing.
	StateFile string

	// Version goes out with every message, as `v`: 4 bytes.
	Version string
	// ReadOnly is for who cannot be reached: it asks and does not answer (BEP 43).
	ReadOnly bool

	// Announced, if set, is called by the loop when another announced a peer to us. It must
	// not wait.
	Announced func(hash [20]byte, peer netip.AddrPort)

	// SeenAs, if set, is called by the loop with a node's word for our address. It must
	// not wait.
	SeenAs func(by, says netip.Addr)
	// External, if set, gives our address in a family as the world sees it, or none. It is
	// asked by the loop, often, and must not wait.
	External func(v6 bool) netip.Addr

	Trace  trace.Func       // called by the loop
	Logger *slog.Logger     // default: nothing is logged
	Clock  func() mono.Time // default: a clock of the node's own
}

const (
	// packetRoom is the longest datagram that is read whole. KRPC messages keep below 1400
	// bytes, so that they are not fragmented.
	packetRoom = 2048
	// packetsWaiting is how many datagrams wait for the loop; behind them they wait in the
	// socket's own buffer, and then are lost as datagrams are.
	packetsWaiting = 64
	// wishesWaiting is how many calls wait for the loop.
	wishesWaiting = 256
	// readPause keeps a socket that only gives errors from keeping a core busy.
	readPause = 100 * time.Millisecond
)

// Node is a running DHT node. It is safe for concurrent use (decision 0094).
type Node struct {
	cfg   Config
	log   *slog.Logger
	sides []*side // one for each family, that of Config.Conn first

	packets chan packet
	wishes  chan func(now mono.Time)
	chores  chan way

	stop    context.CancelFunc
	stopped <-chan struct{} // Close was called
	ended   chan struct{}   // the loop has ended
	group   sync.WaitGroup
	closing sync.Once

	saved state // as loaded: what is kept while there is nothing better; of the loop

	mu    sync.Mutex // guards stats, for the length of a copy
	stats []dht.Stats
}

// side is the node in the DHT of one family.
type side struct {
	v6   bool
	conn netio.PacketConn
	free chan *[packetRoom]byte

	// Of the loop alone.
	machine  *dht.Machine
	searches map[dht.LookupID]*search
	calls    map[dht.QueryID]*call
	outside  netip.Addr // our address, as the machine was told
}

type packet struct {
	side *side
	room *[packetRoom]byte
	n    int
	from netip.AddrPort
}

// New makes a node and starts it. Close ends it.
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
			if _, err := parseWay(name); err != nil {
				return nil, fmt.Errorf("make a DHT node: %w", err)
			}
		}
	}
	var seed [32]byte
	crand.Read(seed[:]) // never fails
	n := &Node{
		cfg: cfg, log: cfg.Logger,
		packets: make(chan packet, packetsWaiting),
		wishes:  make(chan func(mono.Time), wishesWaiting), chores: make(chan way, maxWays),
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
	n.group.Go(func() { n.doChores(ctx) })
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

// sideOf gives the side that has to do with an address; that of the other family when there
// is none, whose machine knows that it is not for it.
func (n *Node) sideOf(a netip.AddrPort) *side {
	for _, s := range n.sides {
		if s.v6 == a.Addr().Unmap().Is6() {
			return s
		}
	}
	return n.sides[0]
}

// Close saves the tables, closes the sockets and waits until nothing of the node is left
// running. Whoever waits for a lookup is told that it is over. The error is of saving.
func (n *Node) Close() error {
	var err error
	n.closing.Do(func() {
		n.stop()
		<-n.ended // the machines have no owner now
		for _, s := range n.sides {
			s.conn.Close()
		}
		n.group.Wait()
		err = n.save(n.snapshot(n.cfg.Clock()))
	})
	return err
}

// LocalAddr is the address of the first socket.
func (n *Node) LocalAddr() netip.AddrPort { return n.sides[0].conn.LocalAddr() }

// ID is the node's id, that of the first socket. It changes when our address does (BEP 42).
func (n *Node) ID() krpc.ID { return n.Stats().ID }

// Stats gives the counts as of a moment ago, of all sides together; the id and the address
// are those of the first.
func (n *Node) Stats() dht.Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := n.stats[0]
	for _, s := range n.stats[1:] {
		sum.Add(s)
	}
	return sum
}

// Sides gives the counts as of a moment ago, of each side: that of the first socket first.
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

// loop owns the machines: what happened goes in, what comes out is done. Nothing in it
// waits, except for what may happen.
func (n *Node) loop(ctx context.Context) {
	defer close(n.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	armed := mono.Time(-1) // not at all
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
			p.side.free <- p.room // it has room for every buffer there is
		case wish := <-n.wishes:
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

// perform does what the machines decided, until nothing more comes of it.
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

// act does one thing that a machine decided.
func (n *Node) act(now mono.Time, s *side, e dht.Effect) {
	switch e.Kind {
	case dht.Send:
		// A datagram that cannot be sent is as one that got lost: the machine will see
		// that no answer comes.
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
			// A DHT in which nobody is known does not hold up what the other found.
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

// receive reads the socket of a side. When the loop is behind it waits, and the kernel
// drops what comes meanwhile.
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

// do has the loop carry out a wish. It waits while the loop is far behind.
func (n *Node) do(ctx context.Context, wish func(now mono.Time)) error {
	select {
	case n.wishes <- wish:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.stopped:
		return ErrClosed
	}
}

// Told names the node of a peer, from its PORT message. It never waits: when the loop is
// far behind the hint is lost.
func (n *Node) Told(addr netip.AddrPort) {
	select {
	case n.wishes <- func(now mono.Time) { n.sideOf(addr).machine.Told(now, addr) }:
	default:
	}
}
