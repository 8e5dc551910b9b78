package engine

import (
	"net/netip"
	"testing"
	"time"

	"shoal/internal/why"
)

// Two that know a third find each other through it; of a private torrent they do not.
func TestPeerExchange(t *testing.T) {
	for _, private := range []bool{false, true} {
		bubble(t, func(t *testing.T, w *world) {
			c := makeContent(t, "exchanged", 16<<10, 3_000_000)
			if private {
				c = c.private(t)
			}
			slow := Limits{Up: 4 << 10, Down: 4 << 10} // so that it lasts
			hub := w.engine(1, Config{})
			w.seed(hub, c)
			log := &notes{}
			var all []*Torrent
			for i := range byte(3) {
				x, _ := w.leech(w.engine(2+i, Config{Trace: log.add}), c, at(1))
				x.SetLimits(slow)
				all = append(all, x)
			}
			time.Sleep(4 * time.Minute)
			for i, x := range all {
				if n := x.Stats().Swarm.Peers; private && n != 1 || !private && n != 3 {
					t.Errorf("private %v: torrent %d has %d peers", private, i, n)
				}
			}
			if n := log.count("peer exchange", netip.AddrPort{}, why.Periodic); private != (n == 0) {
				t.Errorf("private %v: %d messages", private, n)
			}
		})
	}
}
