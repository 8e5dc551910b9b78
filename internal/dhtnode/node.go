// Package dhtnode drives a dht.Machine over a datagram socket: it is the DHT node of the
// engine (BEP 5). The machine decides; this package reads and writes the socket, keeps the
// time, resolves the names of ways in, and saves the table between runs.
//
// One goroutine, the loop, owns the machine and never waits for anybody: another reads the
// socket, a third does what takes long (names, the state file). Callers hand their wishes
// to the loop; what a lookup finds is collected for them, within bounds, until they take it.
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
	"sync"
	"time"

	"shoal/internal/dht"
	"shoal/internal/krpc"
	"shoal/internal/mono"
	"shoal/internal/netio"
	"shoal/internal/trace"
)

// ErrClosed is returned by what a closed node is asked.
var ErrClosed = errors.New("the DHT node is closed")

// Config is what a Node is made with. Conn is needed; the rest may be left out.
type Config struct {
	// Conn is the socket. The node reads all of it, and closes it with itself. Its family
	// decides whether this is a node of the IPv4 or of the IPv6 DHT (BEP 32).
	Conn netio.PacketConn
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
	// External, if set, gives our address as the world sees it, or none. It is asked by the
	// loop, often, and must not wait.
	External func() netip.Addr

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

// Node is a running DHT node. It is safe for concurrent use.
type Node struct {
	cfg  Config
	log  *slog.Logger
	conn netio.PacketConn

	packets chan packet
	free    chan *[packetRoom]byte
	wishes  chan func(now mono.Time)
	chores  chan way

	stop    context.CancelFunc
	stopped <-chan struct{} // Close was called
	ended   chan struct{}   // the loop has ended
	group   sync.WaitGroup
	closing sync.Once

	// Of the loop alone.
	machine  *dht.Machine
	searches map[dht.LookupID]*search
	calls    map[dht.QueryID]*call
	saved    []krpc.Node // as loaded: what is kept while there is nothing better
	outside  netip.Addr  // our address, as the machine was told

	mu    sync.Mutex // guards stats, for the length of a copy
	stats dht.Stats
}

type packet struct {
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
		cfg: cfg, log: cfg.Logger, conn: cfg.Conn,
		packets: make(chan packet, packetsWaiting), free: make(chan *[packetRoom]byte, packetsWaiting+1),
		wishes: make(chan func(mono.Time), wishesWaiting), chores: make(chan way, maxWays),
		ended:    make(chan struct{}),
		searches: map[dht.LookupID]*search{}, calls: map[dht.QueryID]*call{},
	}
	state := n.load()
	n.saved = state.nodes
	local := cfg.Conn.LocalAddr()
	known := local
	if local.Addr().IsUnspecified() {
		known = netip.AddrPort{}
	}
	now := cfg.Clock()
	n.machine = dht.New(dht.Config{
		ID: state.id, IPv6: local.Addr().Is6(), Local: known,
		Version: cfg.Version, ReadOnly: cfg.ReadOnly, Trace: cfg.Trace,
	}, now, rand.New(rand.NewChaCha8(seed)))
	n.machine.Import(now, state.nodes)
	n.publish(now)

	ctx, stop := context.WithCancel(context.Background())
	n.stop, n.stopped = stop, ctx.Done()
	n.group.Go(func() { n.loop(ctx) })
	n.group.Go(n.receive)
	n.group.Go(func() { n.doChores(ctx) })
	for _, name := range cfg.Bootstrap {
		n.AddBootstrap(name)
	}
	return n, nil
}

// Close saves the table, closes the socket and waits until nothing of the node is left
// running. Whoever waits for a lookup is told that it is over. The error is of saving.
func (n *Node) Close() error {
	var err error
	n.closing.Do(func() {
		n.stop()
		<-n.ended // the machine has no owner now
		n.conn.Close()
		n.group.Wait()
		err = n.save(n.snapshot(n.cfg.Clock()))
	})
	return err
}

// LocalAddr is the address of the socket.
func (n *Node) LocalAddr() netip.AddrPort { return n.conn.LocalAddr() }

// ID is the node's id. It changes when our address does (BEP 42).
func (n *Node) ID() krpc.ID { return n.Stats().ID }

// Stats gives the counts as of a moment ago.
func (n *Node) Stats() dht.Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

func (n *Node) publish(now mono.Time) {
	s := n.machine.Stats(now)
	n.mu.Lock()
	n.stats = s
	n.mu.Unlock()
}

// loop owns the machine: what happened goes in, what comes out is done. Nothing in it
// waits, except for what may happen.
func (n *Node) loop(ctx context.Context) {
	defer close(n.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	armed := mono.Time(-1) // not at all
	now := n.cfg.Clock()
	for {
		n.perform()
		if n.lookOutside(now) {
			n.perform()
		}
		n.publish(now)
		if at := n.machine.Deadline(); at != armed {
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
			n.machine.Packet(now, p.from, p.room[:p.n])
			n.free <- p.room // it has room for every buffer there is
		case wish := <-n.wishes:
			now = n.cfg.Clock()
			wish(now)
		case <-timer.C:
			now, armed = n.cfg.Clock(), -1
			n.machine.Tick(now)
		case <-ctx.Done():
			n.abandon()
			return
		}
	}
}

// lookOutside tells the machine our address when that has changed, and reports whether
// it has.
func (n *Node) lookOutside(now mono.Time) bool {
	if n.cfg.External == nil {
		return false
	}
	addr := n.cfg.External()
	if addr == n.outside {
		return false
	}
	n.outside = addr
	n.machine.External(now, addr)
	return true
}

// perform does what the machine decided.
func (n *Node) perform() {
	for _, e := range n.machine.Effects() {
		switch e.Kind {
		case dht.Send:
			// A datagram that cannot be sent is as one that got lost: the machine
			// will see that no answer comes.
			if err := n.conn.WriteTo(e.Bytes, e.To); err != nil && !errors.Is(err, net.ErrClosed) {
				n.log.Debug("DHT datagram not sent", "to", e.To, "err", err)
			}
		case dht.Peers:
			if s := n.searches[e.Lookup]; s != nil {
				s.put(e.Addrs)
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
			if s := n.searches[e.Lookup]; s != nil {
				delete(n.searches, e.Lookup)
				s.end(e)
			}
		case dht.QueryDone:
			if c := n.calls[e.Query]; c != nil {
				delete(n.calls, e.Query)
				c.end(e)
			}
		}
	}
}

// receive reads the socket. When the loop is behind it waits, and the kernel drops what
// comes meanwhile.
func (n *Node) receive() {
	made := 0
	for {
		var room *[packetRoom]byte
		select {
		case room = <-n.free:
		default:
			if made <= packetsWaiting {
				made++
				room = new([packetRoom]byte)
				break
			}
			select {
			case room = <-n.free:
			case <-n.stopped:
				return
			}
		}
		size, from, err := n.conn.ReadFrom(room[:])
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			n.log.Debug("DHT socket", "err", err)
			n.free <- room
			select {
			case <-time.After(readPause):
			case <-n.stopped:
				return
			}
			continue
		}
		select {
		case n.packets <- packet{room, size, from}:
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
	case n.wishes <- func(now mono.Time) { n.machine.Told(now, addr) }:
	default:
	}
}
