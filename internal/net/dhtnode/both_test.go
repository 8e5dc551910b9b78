package dhtnode

import (
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/decide/dht"
	"shoal/internal/format/krpc"
	"shoal/internal/net/netio"
)

// both starts a node that is in both DHTs, on a host of its own.
func (w *world) both(cfg Config) *Node {
	w.t.Helper()
	i := byte(len(w.nodes) + 1)
	four, six := netip.AddrFrom4([4]byte{10, 0, 0, i}), netip.AddrFrom16([16]byte{0xfd, 15: i})
	host := w.net.Host(four, six)
	listen := func(a netip.Addr) netio.PacketConn {
		c, err := host.ListenPacket(netip.AddrPortFrom(a, 6881))
		if err != nil {
			w.t.Fatal(err)
		}
		return c
	}
	cfg.Conn, cfg.Beside, cfg.Network = listen(four), listen(six), host
	n, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.nodes = append(w.nodes, n)
	return n
}

// six starts a node of the IPv6 DHT alone.
func (w *world) six() *Node {
	w.t.Helper()
	host := w.net.Host(netip.AddrFrom16([16]byte{0xfd, 14: 1, 15: byte(len(w.nodes) + 1)}))
	conn, err := host.ListenPacket(netip.AddrPortFrom(host.Addr(), 6881))
	if err != nil {
		w.t.Fatal(err)
	}
	n, err := New(Config{Conn: conn, Network: host})
	if err != nil {
		w.t.Fatal(err)
	}
	w.nodes = append(w.nodes, n)
	return n
}

// A node with a socket of each family is in both DHTs. It was told a way into one of them
// and learned there of the other; its lookups and announces go to both.
func TestBothFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.both(Config{})
		four, six := w.node(Config{Bootstrap: []string{"10.0.0.1:6881"}}), w.six()
		six.AddBootstrap("[fd00::1]:6881")
		time.Sleep(10 * time.Second)
		second := w.both(Config{Bootstrap: []string{"10.0.0.2:6881"}}) // knows IPv4 alone
		time.Sleep(10 * time.Second)
		for i, n := range []*Node{first, second} {
			if s := n.Sides(); len(s) != 2 || s[0].Good != 2 || s[1].Good != 2 || s[0].ID == s[1].ID {
				t.Errorf("node %d: %+v", i, s)
			}
		}
		f, err := second.Search(t.Context(), hash, dht.Announce{Enabled: true, Port: 7000, Port6: 7006}, nil)
		if err != nil || f.Announced != 4 {
			t.Errorf("announced to %d nodes, %v", f.Announced, err)
		}
		for _, c := range []struct {
			who  *Node
			want []string
		}{
			{four, []string{"10.0.0.4:7000"}},
			{six, []string{"[fd00::4]:7006"}},
			{first, []string{"10.0.0.4:7000", "[fd00::4]:7006"}},
		} {
			var peers []netip.AddrPort
			if _, err := c.who.Search(t.Context(), hash, dht.Announce{}, collect(&peers)); err != nil {
				t.Error(err)
			}
			slices.SortFunc(peers, netip.AddrPort.Compare)
			if len(peers) != len(c.want) || peers[0].String() != c.want[0] || peers[len(peers)-1].String() != c.want[len(c.want)-1] {
				t.Errorf("%s found %v, want %v", c.who.LocalAddr(), peers, c.want)
			}
		}
		// A single node is asked over its own family; the nearest of both are told together.
		if a, err := first.Ping(t.Context(), six.LocalAddr()); err != nil || a.ID != six.ID() {
			t.Errorf("%v, %v", a.ID, err)
		}
		closest, err := second.Closest(t.Context(), six.ID())
		if err != nil || len(closest.Nodes) != 4 || closest.Nodes[0].ID != six.ID() {
			t.Errorf("%v, %v", closest.Nodes, err)
		}
	})
}

// Where nobody is in the IPv6 DHT, a lookup takes as long as that in the other, and no
// longer; where nobody is in either, it waits for somebody as long as ever.
func TestTheOtherDHTIsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.both(Config{})
		started := time.Now()
		if _, err := n.Search(t.Context(), hash, dht.Announce{}, nil); err == nil || time.Since(started) < 20*time.Second {
			t.Errorf("alone: %v after %v", err, time.Since(started))
		}
		n.AddBootstrap(w.node(Config{}).LocalAddr().String())
		time.Sleep(time.Second)
		started = time.Now()
		f, err := n.Search(t.Context(), hash, dht.Announce{Enabled: true, Port: 7000}, nil)
		if took := time.Since(started); err != nil || f.Announced != 1 || took > time.Second {
			t.Errorf("%+v, %v after %v", f.Result, err, took)
		}
	})
}

// Both ids and both tables are kept between runs, also over a run without IPv6.
func TestStateOfBoth(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dht.dat")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.both(Config{})
		n := w.both(Config{StateFile: file, Bootstrap: []string{"10.0.0.1:6881", "[fd00::1]:6881"}})
		time.Sleep(5 * time.Second)
		ids := func(n *Node) (ids []krpc.ID) {
			for _, s := range n.Sides() {
				ids = append(ids, s.ID)
			}
			return ids
		}
		was := ids(n)
		n.Close()
		four := w.node(Config{StateFile: file})
		time.Sleep(5 * time.Second)
		if got := ids(four); got[0] != was[0] || four.Stats().Good != 1 {
			t.Errorf("IPv4 alone: id %v, %d nodes", got, four.Stats().Good)
		}
		four.Close()
		again := w.both(Config{StateFile: file})
		time.Sleep(5 * time.Second)
		if s := again.Sides(); !slices.Equal(ids(again), was) || s[0].Good != 1 || s[1].Good != 1 {
			t.Errorf("again: ids %v, were %v; %d and %d nodes", ids(again), was, s[0].Good, s[1].Good)
		}
	})
}

// Two sockets of one family are no node.
func TestTwoSocketsOfOneFamily(t *testing.T) {
	network := netio.New(netio.Policy{LoopbackOnly: true})
	var conns [2]netio.PacketConn
	for i := range conns {
		c, err := network.ListenPacket(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
	}
	if n, err := New(Config{Conn: conns[0], Beside: conns[1]}); err == nil {
		n.Close()
		t.Error("passed")
	}
}
