package engine

import (
	"net/netip"
	"testing"
	"time"

	"shoal/internal/value/why"
)

// Peers that shook hands, have nothing and ask for nothing take every place, of the torrent or
// of the engine: the only seed gets in all the same, whether it comes or is dialled, and the
// one that gave way is told of with the reason.
func TestFullHouse(t *testing.T) {
	for name, cfg := range map[string]Config{"torrent": {MaxPeers: 8}, "engine": {Crowd: 8}} {
		for _, dialled := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					c := makeContent(t, "full house", 16<<10, 200_000)
					log := &notes{}
					cfg := cfg
					cfg.Trace = log.add
					e := w.engine(1, cfg)
					tor, _ := w.leech(e, c)
					time.Sleep(time.Second)
					for n := range byte(8) {
						p := w.connect(100+n, e.Addr(), c)
						defer p.nc.Close()
					}
					time.Sleep(5 * time.Second)
					if s := tor.Stats().Swarm; s.Peers != 8 || s.Unused.Vacant != 8 {
						t.Fatalf("%d peers, %d of them vacant", s.Peers, s.Unused.Vacant)
					}
					s := w.engine(2, Config{})
					if dialled {
						w.seed(s, c)
						tor.do(&found{addrs: []netip.AddrPort{at(2)}, src: 1})
					} else {
						seed := add(t, s, Spec{Meta: c.meta, Storage: c.on(t, c.memory(t)), Peers: []netip.AddrPort{at(1)}})
						wait(t, seed)
					}
					wait(t, tor)
					if n := log.count("close", netip.AddrPort{}, why.OthersWait) + log.count("close", netip.AddrPort{}, why.NoRoom); n == 0 {
						t.Error("nobody is told of as having given way")
					}
				})
			})
		}
	}
}
