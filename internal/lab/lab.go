// Package lab runs a whole swarm on this machine, with the real engine on loopback sockets, and
// shows the exchange as a conversation: each message with its sender, its recipient and its reason.
// It is the shortest introduction to the protocol that we know, and it checks what it shows: the
// run ends with a list of facts, each true or false.
//
// The torrent has three pieces and names no tracker, only one DHT node. Peer B has all pieces, peer
// C has pieces 0 and 1, and peer A has none and knows that one node.
package lab

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shoal/internal/engine"
	"shoal/internal/net/dhtnode"
	"shoal/internal/net/netio"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/metainfo"
)

// Options configure the lab.
type Options struct {
	Out   io.Writer
	JSON  bool   // one JSON object per line instead of a conversation
	Color bool   // dim the less important lines
	Keep  string // folder to keep the torrent and the peers' files in; empty keeps nothing
}

// The shape of the torrent.
const (
	pieces      = 3
	pieceLength = 64 << 10 // four blocks
	size        = pieces*pieceLength - 5000
	nodes       = 8
	name        = "lab.bin"
)

// timeout bounds the whole run, which takes a few seconds.
const timeout = time.Minute

// Run runs the lab and prints it. The error names the facts that did not hold.
func Run(ctx context.Context, opt Options) error {
	s, err := Watch(ctx, opt)
	if err != nil {
		return err
	}
	if missing := s.Missing(); len(missing) > 0 {
		return fmt.Errorf("the run did not show: %v", missing)
	}
	return nil
}

// Watch runs the lab, prints it, and returns the facts.
func Watch(ctx context.Context, opt Options) (*Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dir := opt.Keep
	if dir == "" {
		tmp, err := os.MkdirTemp("", "shoal-lab-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(tmp)
		dir = tmp
	} else if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("lab: create the folder for --keep: %w", err)
	}
	var kept io.Writer
	if opt.Keep != "" {
		f, err := os.Create(filepath.Join(dir, "trace.jsonl"))
		if err != nil {
			return nil, fmt.Errorf("lab: keep the trace: %w", err)
		}
		defer f.Close()
		kept = f
	}
	l := &lab{
		ctx: ctx, dir: dir, origin: time.Now(),
		names: make(map[netip.AddrPort]string),
		apart: true,
	}
	l.watcher = newWatcher(opt, l.origin, kept, l.name)
	defer l.close()
	err := l.run()
	l.close()
	summary := l.watcher.finish(errors.Is(ctx.Err(), context.Canceled))
	if err != nil {
		return summary, fmt.Errorf("lab: %w", err)
	}
	return summary, nil
}

// lab is one run.
type lab struct {
	ctx     context.Context
	dir     string
	origin  time.Time
	watcher *watcher

	meta *metainfo.Torrent
	data []byte

	nodes   []*dhtnode.Node
	shares  map[string]*engine.Torrent
	closers []func() error

	mu    sync.Mutex
	names map[netip.AddrPort]string
	apart bool // B and C can't dial yet
}

func (l *lab) run() error {
	if err := l.makeTorrent(); err != nil {
		return err
	}
	l.watcher.say("a DHT of %d nodes starts; each node knows one other", nodes)
	if err := l.startNodes(); err != nil {
		return err
	}
	if err := l.finishTorrent(); err != nil {
		return err
	}

	l.watcher.say("B, a seed, and C, with pieces 0 and 1, join and announce themselves; until A is complete they accept connections and do not dial")
	if err := l.startPeer("B", 1, l.data); err != nil {
		return err
	}
	if err := l.startPeer("C", 2, l.data[:2*pieceLength]); err != nil {
		return err
	}
	if err := l.watcher.await(l.ctx, "B and C to be announced", func(s *Summary) bool {
		return s.announced["B"] > 0 && s.announced["C"] > 0
	}); err != nil {
		return err
	}

	l.watcher.say("A joins: it has only the .torrent file, and knows one node, N1; B, then C, unchoke it when it knows what both have")
	if err := l.startPeer("A", 0, nil); err != nil {
		return err
	}
	if err := l.watcher.await(l.ctx, "A to know what B and C have", func(s *Summary) bool {
		return s.Bitfields["B"] != "" && s.Bitfields["C"] != ""
	}); err != nil {
		return err
	}
	l.shares["B"].SetSlots(4)
	if err := l.watcher.await(l.ctx, "A to request a block", func(s *Summary) bool { return s.asked }); err != nil {
		return err
	}
	l.shares["C"].SetSlots(4)
	if err := l.shares["A"].Wait(l.ctx); err != nil {
		return fmt.Errorf("wait for A to complete: %w", err)
	}
	l.watcher.say("A is complete, and seeds without a restart; B and C can dial again")
	l.mu.Lock()
	l.apart = false
	l.mu.Unlock()
	if err := l.shares["C"].Wait(l.ctx); err != nil {
		return fmt.Errorf("wait for C to complete: %w", err)
	}
	if err := l.watcher.await(l.ctx, "A to announce itself and the seeds to disconnect", func(s *Summary) bool {
		return s.announced["A"] > 0 && s.parted
	}); err != nil {
		return err
	}
	return l.compare()
}

// makeTorrent makes the content, which is the same in every run.
func (l *lab) makeTorrent() error {
	rng := rand.New(rand.NewPCG(3, 5))
	l.data = make([]byte, size)
	for i := range l.data {
		l.data[i] = byte(rng.Uint32())
	}
	return nil
}

// finishTorrent writes the .torrent file: no tracker, one node.
func (l *lab) finishTorrent() error {
	draft, err := metainfo.NewDraft(name, []metainfo.NewFile{{Length: size}}, pieceLength)
	if err != nil {
		return err
	}
	var hashes []byte
	for rest := l.data; len(rest) > 0; {
		n := min(len(rest), pieceLength)
		sum := sha1.Sum(rest[:n])
		hashes = append(hashes, sum[:]...)
		rest = rest[n:]
	}
	info, err := draft.Info(hashes)
	if err != nil {
		return err
	}
	t := &metainfo.Torrent{Info: info, Nodes: []string{l.nodes[0].LocalAddr().String()}}
	b, err := t.Encode()
	if err != nil {
		return err
	}
	if l.meta, err = metainfo.Parse(b); err != nil {
		return err
	}
	l.watcher.begin(l.meta)
	return os.WriteFile(filepath.Join(l.dir, name+".torrent"), b, 0o666)
}

// startNodes starts the DHT: each node knows the previous one.
func (l *lab) startNodes() error {
	network := netio.New(netio.Policy{LoopbackOnly: true})
	for i := range nodes {
		pc, err := network.ListenPacket(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			return err
		}
		who := fmt.Sprintf("N%d", i+1)
		l.called(pc.LocalAddr(), who)
		cfg := dhtnode.Config{Conn: pc, Network: network, Clock: l.now, Trace: l.watcher.traceOf(who)}
		if i > 0 {
			cfg.Bootstrap = []string{l.nodes[i-1].LocalAddr().String()}
		}
		n, err := dhtnode.New(cfg)
		if err != nil {
			pc.Close()
			return err
		}
		l.nodes = append(l.nodes, n)
		l.closers = append(l.closers, n.Close)
	}
	// A node that knows a third of the others can lead a lookup to all of them.
	for _, n := range l.nodes {
		for n.Stats().Nodes < nodes/3 {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-l.ctx.Done():
				return fmt.Errorf("the DHT nodes did not find each other: %w", l.ctx.Err())
			}
		}
	}
	return nil
}

// startPeer starts an engine with the torrent. has is the content of its file.
func (l *lab) startPeer(who string, via int, has []byte) error {
	dir := filepath.Join(l.dir, who)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if has != nil {
		if err := os.WriteFile(filepath.Join(dir, name), has, 0o666); err != nil {
			return err
		}
	}
	var ways []string
	if who != "A" {
		ways = []string{l.nodes[via].LocalAddr().String()}
	}
	cfg := engine.Config{
		Network: &road{Network: netio.New(netio.Policy{LoopbackOnly: true}), who: who, lab: l},
		Listen:  netip.MustParseAddrPort("127.0.0.1:0"),
		DHT:     &engine.DHTConfig{Nodes: ways},
		Version: "lab", Clock: engine.Clock{Origin: l.origin}, Trace: l.watcher.traceOf(who),
	}
	if who != "A" {
		cfg.Slots = engine.NoSlots
	}
	e, err := engine.New(cfg)
	if err != nil {
		return err
	}
	l.called(e.Addr(), who)
	l.closers = append(l.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return e.Close(ctx)
	})
	t, err := e.Add(engine.Spec{Meta: l.meta, Dir: dir})
	if err != nil {
		return err
	}
	if l.shares == nil {
		l.shares = make(map[string]*engine.Torrent)
	}
	l.shares[who] = t
	return t.Checked(l.ctx)
}

// compare checks the files of all peers against the content.
func (l *lab) compare() error {
	for _, who := range []string{"A", "B", "C"} {
		got, err := os.ReadFile(filepath.Join(l.dir, who, name))
		if err != nil {
			return err
		}
		if sha1.Sum(got) != sha1.Sum(l.data) {
			return fmt.Errorf("the file of %s differs from the content", who)
		}
	}
	l.watcher.filesMatch()
	return nil
}

// close closes everything, the latest first.
func (l *lab) close() {
	for i := len(l.closers) - 1; i >= 0; i-- {
		l.closers[i]()
	}
	l.closers = nil
}

func (l *lab) now() mono.Time { return mono.Start.Add(time.Since(l.origin)) }

// called records the name of an address.
func (l *lab) called(addr netip.AddrPort, who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names[addr] = who
}

// name returns the name of an address, or its text.
func (l *lab) name(addr netip.AddrPort) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if who, ok := l.names[addr]; ok {
		return who
	}
	return addr.String()
}

// road is a peer's network: it records which peer dials from which address. It keeps B and C from
// dialling until A is complete, so that the story is A's and C still lacks a piece when A arrives.
type road struct {
	netio.Network
	who string
	lab *lab
}

var errApart = errors.New("dialling is not allowed yet")

func (r *road) Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	l := r.lab
	l.mu.Lock()
	apart := l.apart && r.who != "A"
	l.mu.Unlock()
	if apart {
		return nil, errApart
	}
	c, err := r.Network.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	l.called(netio.AddrPort(c.LocalAddr()), r.who)
	return &lane{c}, nil
}

// lane is a stream that carries about a block every few milliseconds, so that a transfer has a
// middle: over the bare loopback all would be over before a second peer had sent a message.
type lane struct{ net.Conn }

const blockTime = 4 * time.Millisecond

func (c *lane) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), block.Size)])
	if n > block.Size/2 {
		time.Sleep(blockTime)
	}
	return n, err
}
