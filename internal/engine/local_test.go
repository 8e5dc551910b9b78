package engine

import (
	"net/netip"
	"testing"
	"time"

	"shoal/internal/value/why"
)

// Two engines on one link that know of nobody find each other.
func TestFoundOnTheLocalNetwork(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "nearby", 16<<10, 200_000)
		log := &notes{}
		w.seed(w.engine(1, Config{LSD: true}), c)
		x, fx := w.leech(w.engine(2, Config{LSD: true, Trace: log.add}), c)
		waitFor(t, x, time.Minute)
		c.in(t, fx)
		if log.count("bt-search", netip.AddrPort{}, why.Periodic) == 0 {
			t.Error("the trace tells of no announce")
		}
	})
}

// A private torrent is neither announced on the local network nor taken from there, and an
// engine that was not told to look there is silent.
func TestKeptFromTheLocalNetwork(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		private, public := makeContent(t, "private", 16<<10, 100_000).private(t), makeContent(t, "public", 16<<10, 100_000)
		seed := w.engine(1, Config{LSD: true})
		w.seed(seed, private)
		w.seed(w.engine(3, Config{}), public)
		log := &notes{}
		e := w.engine(2, Config{LSD: true, Trace: log.add})
		x, _ := w.leech(e, private)
		y, _ := w.leech(e, public)
		time.Sleep(30 * time.Minute)
		for _, l := range []*Torrent{x, y} {
			if st := l.Stats(); st.Swarm.Known != 0 || st.Swarm.Have != 0 {
				t.Errorf("%s: something was found: %+v", l.Info().Name, st.Swarm)
			}
		}
		if s := seed.local.Stats(); s.Sent != 0 || s.Torrents != 0 {
			t.Errorf("the private torrent: %+v", s)
		}
		if s := e.local.Stats(); s.Torrents != 1 || s.Sent == 0 {
			t.Errorf("the public one: %+v", s)
		}
		e.foundNearby(private.meta.InfoHash, at(1))
		time.Sleep(time.Second)
		if st := x.Stats(); st.Swarm.Known != 0 {
			t.Error("a neighbour named a peer of a private torrent, and it was taken")
		}
	})
}
