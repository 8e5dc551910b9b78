package engine

import (
	"net/netip"
	"testing"
	"time"

	"shoal/internal/value/why"
)

// worldwide starts an engine on a host of a network of its own, out in the world.
func (w *world) worldwide(n byte, cfg Config) *Engine {
	w.t.Helper()
	addr := netip.AddrFrom4([4]byte{81, n, 0, 1})
	cfg.Network, cfg.Listen = w.net.Host(addr), netip.AddrPortFrom(addr, port)
	e, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := e.Close(w.t.Context()); err != nil {
			w.t.Errorf("close: %v", err)
		}
		e.clean(w.t)
	})
	return e
}

// Nodes of the DHT in three networks tell an engine where they see it: that is where it is,
// its node takes an id that fits, and all its torrents know. Peers' words count, too.
func TestExternalAddress(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		first := w.worldwide(1, Config{DHT: &DHTConfig{}})
		way := &DHTConfig{Nodes: []string{first.Addr().String()}}
		for n := byte(2); n < 5; n++ {
			w.worldwide(n, Config{DHT: way})
		}
		log := &notes{}
		e := w.worldwide(9, Config{DHT: way, Trace: log.add})
		before := e.Node().ID()
		time.Sleep(time.Minute)
		want := netip.MustParseAddr("81.9.0.1")
		if got := e.External(); len(got) != 1 || got[0] != want {
			t.Errorf("the engine is at %v, want %v", got, want)
		}
		if e.Node().ID() == before {
			t.Error("the node kept its id")
		}
		for _, what := range []string{"external address", "new id"} {
			if n := log.count(what, netip.AddrPort{}, why.Voted); n != 1 {
				t.Errorf("the trace tells %d times of the %s", n, what)
			}
		}
	})
}

// Without a DHT it is the peers that say where they see us.
func TestExternalAddressByPeers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "seen", 16<<10, 100_000)
		seed := w.worldwide(1, Config{})
		s := w.seed(seed, c)
		for n := byte(2); n < 8; n++ {
			x, _ := w.leech(w.worldwide(n, Config{}), c, seed.Addr())
			waitFor(t, x, time.Minute)
			if got := x.Stats().External; got != nil {
				t.Errorf("one peer alone made %v believe that it is at %v", x.e.Addr(), got)
			}
		}
		time.Sleep(time.Second)
		if got := s.Stats().External; len(got) != 1 || got[0] != seed.Addr().Addr() {
			t.Errorf("the seed is at %v, want %v", got, seed.Addr().Addr())
		}
	})
}
