package dhtnode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"shoal/internal/decide/dht"
	"shoal/internal/format/krpc"
	"shoal/internal/net/netio"
	"shoal/internal/simnet"
	"shoal/internal/value/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a network in memory with DHT nodes on it, one to a host.
type world struct {
	t     *testing.T
	net   *simnet.Net
	nodes []*Node
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, net: simnet.New(simnet.Options{Link: simnet.Link{Delay: 30 * time.Millisecond}})}
	t.Cleanup(func() {
		for _, n := range w.nodes {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
		w.net.Close()
	})
	return w
}

// node starts a node on a host of its own, port 6881.
func (w *world) node(cfg Config) *Node {
	w.t.Helper()
	host := w.net.Host(netip.AddrFrom4([4]byte{10, 0, 0, byte(len(w.nodes) + 1)}))
	conn, err := host.ListenPacket(netip.AddrPortFrom(host.Addr(), 6881))
	if err != nil {
		w.t.Fatal(err)
	}
	cfg.Conn, cfg.Network = conn, host
	n, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.nodes = append(w.nodes, n)
	return n
}

// populate starts nodes that join through the first.
func (w *world) populate(count int) {
	for range count {
		n := w.node(Config{})
		if n != w.nodes[0] {
			n.AddBootstrap(w.nodes[0].LocalAddr().String())
		}
	}
}

var hash = [20]byte{1, 2, 3}

func collect(into *[]netip.AddrPort) func([]netip.AddrPort) {
	return func(peers []netip.AddrPort) { *into = append(*into, peers...) }
}

// Twelve nodes join through one; what one of them announces another finds.
func TestAnnounceAndFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.populate(12)
		time.Sleep(20 * time.Second)
		for i, n := range w.nodes {
			if s := n.Stats(); s.Good < dht.K {
				t.Errorf("node %d knows %d", i, s.Good)
			}
		}
		var own []netip.AddrPort
		if holders := w.nodes[3].Lookup(t.Context(), hash, dht.Announce{Enabled: true, Port: 7000}, collect(&own)); holders != dht.K {
			t.Errorf("announced to %d nodes", holders)
		}
		var peers []netip.AddrPort
		found, err := w.nodes[9].Search(t.Context(), hash, dht.Announce{}, collect(&peers))
		if err != nil || len(peers) != 1 || peers[0] != netip.MustParseAddrPort("10.0.0.4:7000") {
			t.Errorf("found %v, %v", peers, err)
		}
		if found.Peers != 1 || found.Answered < dht.K || len(found.Nodes) != dht.K || found.Took > time.Second {
			t.Errorf("%+v", found)
		}
		closest, err := w.nodes[5].Closest(t.Context(), w.nodes[8].ID())
		if err != nil || closest.Nodes[0].ID != w.nodes[8].ID() {
			t.Errorf("closest to node 8 are %v, %v", closest.Nodes, err)
		}
	})
}

// Of two nodes alone the one that was there first has nobody to announce to. It learns of
// the other's peer when that is announced to it.
func TestAnnouncedToUs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		heard := make(chan netip.AddrPort, 1)
		first := w.node(Config{Announced: func(h [20]byte, peer netip.AddrPort) {
			if h == hash {
				heard <- peer
			}
		}})
		second := w.node(Config{Bootstrap: []string{first.LocalAddr().String()}})
		if holders := second.Lookup(t.Context(), hash, dht.Announce{Enabled: true, Port: 7000}, nil); holders != 1 {
			t.Errorf("announced to %d nodes", holders)
		}
		if peer := <-heard; peer != netip.MustParseAddrPort("10.0.0.2:7000") {
			t.Errorf("heard of %s", peer)
		}
	})
}

// Single queries: who is there, whom it knows, what it keeps.
func TestQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.populate(4)
		time.Sleep(5 * time.Second)
		a, b := w.nodes[0], w.nodes[1]
		pong, err := a.Ping(t.Context(), b.LocalAddr())
		if err != nil || pong.ID != b.ID() || pong.Took != 60*time.Millisecond {
			t.Errorf("%+v, %v", pong, err)
		}
		answer, err := a.FindNode(t.Context(), b.LocalAddr(), a.ID())
		if err != nil || len(answer.Nodes) != 2 { // all but who asks and who answers
			t.Errorf("%+v, %v", answer, err)
		}
		a.Lookup(t.Context(), hash, dht.Announce{Enabled: true, Port: 7000}, nil)
		answer, err = w.nodes[2].GetPeers(t.Context(), b.LocalAddr(), hash)
		if err != nil || len(answer.Peers) != 1 {
			t.Errorf("%+v, %v", answer, err)
		}
		if _, err = a.Ping(t.Context(), netip.MustParseAddrPort("10.0.0.200:1")); !errors.Is(err, ErrSilence) {
			t.Errorf("nobody is there, and: %v", err)
		}
		if _, err = a.Ping(t.Context(), netip.MustParseAddrPort("0.0.0.0:1")); !errors.Is(err, ErrBusy) {
			t.Errorf("no address: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err = a.Ping(ctx, netip.MustParseAddrPort("10.0.0.200:1")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no time: %v", err)
		}
	})
}

// An error of the other node comes through with its code.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(Config{})
		host := w.net.Host(netip.MustParseAddr("10.0.0.99"))
		conn, err := host.ListenPacket(netip.AddrPortFrom(host.Addr(), 1))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			b := make([]byte, 2048)
			size, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			var q krpc.Message
			if krpc.Parse(b[:size], &q) == nil {
				conn.WriteTo(krpc.Append(nil, &krpc.Message{Kind: krpc.Error, Transaction: q.Transaction, Code: 202, Text: []byte("no")}), from)
			}
		}()
		_, err = n.Ping(t.Context(), conn.LocalAddr())
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Code != 202 || refused.Text != "no" {
			t.Errorf("%v", err)
		}
	})
}

// A caller that takes nothing holds nobody up, and what waits for it is bounded.
func TestSlowCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.populate(4)
		time.Sleep(5 * time.Second)
		for i := range 3 {
			w.nodes[i].Lookup(t.Context(), hash, dht.Announce{Enabled: true, Port: uint16(7000 + i)}, nil)
		}
		taking, go_on := make(chan bool), make(chan bool)
		var got []netip.AddrPort
		done := make(chan error)
		go func() {
			_, err := w.nodes[3].Search(t.Context(), hash, dht.Announce{}, func(p []netip.AddrPort) {
				if len(got) == 0 {
					close(taking)
					<-go_on
				}
				got = append(got, p...)
			})
			done <- err
		}()
		<-taking
		if _, err := w.nodes[3].Ping(t.Context(), w.nodes[0].LocalAddr()); err != nil {
			t.Errorf("meanwhile: %v", err)
		}
		time.Sleep(time.Minute)
		close(go_on)
		if err := <-done; err != nil || len(got) != 3 {
			t.Errorf("%d peers, %v", len(got), err)
		}

		s := &search{wake: make(chan struct{}, 1)}
		var last netip.AddrPort
		for i := range 3 * maxUntaken {
			last = netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, 2, byte(i >> 8), byte(i)}), 1)
			s.put([]netip.AddrPort{last})
		}
		if peers, _ := s.take(); len(peers) != maxUntaken || peers[len(peers)-1] != last {
			t.Errorf("%d peers wait", len(peers))
		}
	})
}

// A caller that gives up leaves no lookup behind; a closed node lets everybody go.
func TestGivingUpAndClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Search(ctx, hash, dht.Announce{}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("given up: %v", err)
		}
		synctest.Wait()
		if s := n.Stats(); s.Lookups != 0 {
			t.Errorf("%d lookups left", s.Lookups)
		}
		// Nobody is known, and nobody turns up.
		if _, err := n.Search(t.Context(), hash, dht.Announce{}, nil); !errors.Is(err, ErrSilence) {
			t.Errorf("alone: %v", err)
		}

		var group sync.WaitGroup
		group.Go(func() {
			if _, err := n.Search(context.Background(), hash, dht.Announce{}, nil); !errors.Is(err, ErrClosed) {
				t.Errorf("lookup: %v", err)
			}
		})
		group.Go(func() {
			if _, err := n.Ping(context.Background(), netip.MustParseAddrPort("10.0.0.200:1")); !errors.Is(err, ErrClosed) {
				t.Errorf("ping: %v", err)
			}
		})
		synctest.Wait()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		group.Wait()
		if _, err := n.Search(t.Context(), hash, dht.Announce{}, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("after: %v", err)
		}
		n.Told(netip.MustParseAddrPort("10.0.0.1:1"))
		n.AddBootstrap("10.0.0.1:1")
		n.AddBootstrap("name:1")
	})
}

// Names are resolved, again when that fails; public ways in are left alone while there
// are others.
func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.node(Config{})
		w.net.Name("router.example", first.LocalAddr().Addr())
		late := w.node(Config{Bootstrap: []string{"late.example:6881"}, Fallback: []string{"never.example:6881"}})
		time.Sleep(2 * time.Second)
		w.net.Name("late.example", first.LocalAddr().Addr())
		time.Sleep(10 * time.Second)
		if s := late.Stats(); s.Good != 1 {
			t.Errorf("late name: %d nodes", s.Good)
		}
		lonely := w.node(Config{Fallback: []string{"router.example:6881"}})
		time.Sleep(4 * time.Second)
		if s := lonely.Stats(); s.Asked != 0 {
			t.Errorf("asked %d times before there was need", s.Asked)
		}
		time.Sleep(4 * time.Second)
		// The router shows the way to late, and stays out of the table.
		if s := lonely.Stats(); s.Good != 1 {
			t.Errorf("fallback: %d nodes", s.Good)
		}
	})
}

func TestParseWay(t *testing.T) {
	for _, good := range []string{"router.example:6881", "127.0.0.1:1", "[2001:db8::1]:6881"} {
		if w, err := parseBootstrap(good); err != nil || w.port == 0 || strings.ContainsAny(w.host, "[]") {
			t.Errorf("%s: %+v, %v", good, w, err)
		}
	}
	for _, bad := range []string{"", "host", ":1", "host:0", "host:65536", "host:x", "2001:db8::1:1", "[::1:1", "host:-1"} {
		if _, err := parseBootstrap(bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no socket passed")
	}
}

// The table survives a restart: the node has its id again and finds its way back without
// any way in.
func TestState(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dht.dat")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.populate(5)
		n := w.node(Config{StateFile: file})
		n.AddBootstrap(w.nodes[0].LocalAddr().String())
		time.Sleep(5*time.Minute + time.Second) // saved on the way
		if s, err := readState(file); err != nil || s.id != n.ID() || len(s.nodes) != 5 {
			t.Errorf("%d nodes, %v", len(s.nodes), err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		again := w.node(Config{StateFile: file})
		if again.ID() != n.ID() {
			t.Error("another id")
		}
		time.Sleep(time.Second)
		if s := again.Stats(); s.Good != 5 {
			t.Errorf("%d nodes again", s.Good)
		}

		// A run without a network keeps what it has.
		for _, other := range w.nodes[:5] {
			w.net.Cut(netip.MustParseAddr("10.0.0.8"), other.LocalAddr().Addr())
		}
		again.Close()
		offline := w.node(Config{StateFile: file})
		time.Sleep(time.Hour)
		offline.Close()
		if s, err := readState(file); err != nil || len(s.nodes) != 5 {
			t.Errorf("after a run offline: %d nodes, %v", len(s.nodes), err)
		}
	})
	if leftover, _ := filepath.Glob(file + ".*"); len(leftover) != 0 {
		t.Errorf("left behind: %v", leftover)
	}
}

// A torn, foreign or hostile file costs a line in the log, never the start.
func TestStateIsNotTrusted(t *testing.T) {
	whole := state{id: krpc.ID{1}, nodes: []krpc.Node{{ID: krpc.ID{2}, Addr: netip.MustParseAddrPort("10.0.0.1:1")}}}.encode()
	if s, err := parseState(whole); err != nil || len(s.nodes) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	files := map[string][]byte{
		"empty": {}, "zeros": make([]byte, 4096), "huge": bytes.Repeat([]byte("x"), maxState+1), "list": []byte("le"),
		"no id": []byte("d5:nodes0:e"), "ragged": []byte("d2:id20:aaaaaaaaaaaaaaaaaaaa5:nodes3:abce"),
	}
	for i := range whole {
		files[fmt.Sprintf("torn at %d", i)] = whole[:i]
	}
	for name, b := range files {
		if s, err := parseState(b); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		file := filepath.Join(t.TempDir(), "dht.dat")
		if err := os.WriteFile(file, whole[:20], 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		n := w.node(Config{StateFile: file, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if n.Close(); !strings.Contains(log.String(), "DHT state not used") {
			t.Errorf("logged %q", log.String())
		}
		if s, err := readState(file); err != nil || s.id != n.ID() {
			t.Errorf("not overwritten: %v", err)
		}
		// A folder that is not there is an error of Close, which loses nothing else.
		n = w.node(Config{StateFile: filepath.Join(file, "x")})
		w.nodes = w.nodes[:len(w.nodes)-1]
		if n.Close() == nil {
			t.Error("saved into a file")
		}
	})
}

// Real sockets: a DHT of ten nodes on loopback, joined through one, traced.
func TestLoopback(t *testing.T) {
	network := netio.New(netio.Policy{LoopbackOnly: true})
	var nodes []*Node
	var mu sync.Mutex
	said := map[string]int{}
	for i := range 10 {
		conn, err := network.ListenPacket(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		cfg := Config{Conn: conn, Network: network, Trace: func(r trace.Record) {
			mu.Lock()
			defer mu.Unlock()
			said[r.What]++
		}}
		if i > 0 {
			cfg.Bootstrap = []string{nodes[0].LocalAddr().String()}
		}
		n, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		nodes = append(nodes, n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if holders := nodes[9].Lookup(ctx, hash, dht.Announce{Enabled: true, Port: 7000}, nil); holders == 0 {
		t.Error("nobody took the announce")
	}
	var peers []netip.AddrPort
	if nodes[4].Lookup(ctx, hash, dht.Announce{}, collect(&peers)); len(peers) != 1 || peers[0] != netip.MustParseAddrPort("127.0.0.1:7000") {
		t.Errorf("found %v", peers)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, what := range []string{"find_node", "find_node reply", "get_peers", "get_peers reply", "announce_peer", "announce_peer reply", "ping", "ping reply"} {
		if said[what] == 0 {
			t.Errorf("nobody said %s", what)
		}
	}
}
