package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/decide/obstacle"
)

// causeOf finds a cause of a snapshot.
func causeOf(s *Stats, kind obstacle.Kind) (obstacle.Cause, bool) {
	for _, c := range s.Waiting {
		if c.Kind == kind {
			return c, true
		}
	}
	return obstacle.Cause{}, false
}

// The rate falls to zero with the last byte, and not with the window of choking; the torrent
// says what it waits for and since when. When its seed is back the ETA is right at once.
func TestTheOnlySeedStops(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		const speed = 100 << 10
		c := makeContent(t, "stops", 16<<10, 20<<20)
		seed := w.engine(1, Config{Limits: Limits{Up: speed}})
		first := w.seed(seed, c)
		e := w.engine(2, Config{})
		tor, _ := w.leech(e, c, at(1))
		time.Sleep(40 * time.Second)
		synctest.Wait()
		s := tor.Stats()
		if r := s.Swarm.Rates; r.Down < 0.8*speed || r.Down > 1.2*speed || r.Mean < 0.8*speed || r.Mean > 1.2*speed || len(s.Waiting) != 0 {
			t.Errorf("while it comes: %+v, waits for %+v", r, s.Waiting)
		}

		first.Stop(t.Context())
		time.Sleep(6 * time.Second)
		synctest.Wait()
		s = tor.Stats()
		if s.Swarm.Rates.Down != 0 {
			t.Errorf("six seconds after the last byte the rate is %.0f", s.Swarm.Rates.Down)
		}
		none, ok := causeOf(s, obstacle.NoPeers)
		if !ok || none.N != 1 {
			t.Errorf("without the seed it waits for %+v", s.Waiting)
		}
		if _, ok := causeOf(s, obstacle.Unreached); !ok {
			t.Errorf("nobody has connected, and it waits for %+v", s.Waiting)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if again, _ := causeOf(tor.Stats(), obstacle.NoPeers); again.Since != none.Since {
			t.Errorf("it waits since %v, and then since %v", none.Since, again.Since)
		}
		if r := tor.Stats().Swarm.Rates; r.Mean != 0 {
			t.Errorf("nothing came for half a minute, and the mean is %.0f", r.Mean)
		}

		w.seed(seed, c)
		for tor.Stats().Swarm.Rates.Down == 0 {
			time.Sleep(time.Second)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if r := tor.Stats().Swarm.Rates; r.Mean < 0.7*speed || r.Mean > 1.3*speed {
			t.Errorf("the seed is back, and the mean is %.0f, want about %d", r.Mean, speed)
		}
	})
}

// What is complete has no rate, however fast it came, and waits for nothing.
func TestCompleteHasNoRate(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "whole", 16<<10, 1<<20)
		w.seed(w.engine(1, Config{}), c)
		tor, _ := w.leech(w.engine(2, Config{}), c, at(1))
		wait(t, tor)
		s := tor.Stats()
		if s.Swarm.Rates.Down != 0 || s.Swarm.Downloaded != 1<<20 || len(s.Waiting) != 0 {
			t.Errorf("complete: %.0f bytes a second, %d came, waits for %+v", s.Swarm.Rates.Down, s.Swarm.Downloaded, s.Waiting)
		}
	})
}

// Peers that are there and send nothing, that choke, that lack what is missing, and none.
func TestWhatATorrentWaitsFor(t *testing.T) {
	for name, c := range map[string]struct {
		peers []netip.AddrPort
		want  obstacle.Kind
	}{
		"nobody": {nil, obstacle.NoPeers},
		"choked": {[]netip.AddrPort{at(1)}, obstacle.Choked},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				data := makeContent(t, "wait", 16<<10, 1<<20)
				w.seed(w.engine(1, Config{Slots: NoSlots}), data)
				tor, _ := w.leech(w.engine(2, Config{}), data, c.peers...)
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if s := tor.Stats(); len(s.Waiting) == 0 || s.Waiting[0].Kind != c.want {
					t.Errorf("waits for %+v, want %d first", s.Waiting, c.want)
				}
			})
		})
	}
}

// More events of a kind than a listener can take are counted, and none is lost.
func TestFloodsAreCounted(t *testing.T) {
	var b broadcaster
	for range 100 {
		b.keep(Event{Kind: EventFiles})
	}
	n := 0
	for _, e := range b.early {
		n += 1 + e.More
	}
	if n != 100 || len(b.early) != earlyEvents {
		t.Errorf("%d events in %d, want 100 in %d", n, len(b.early), earlyEvents)
	}
	s := &Subscription{C: make(chan Event, 4)}
	for range 100 {
		s.send(Event{Kind: EventFiles})
	}
	n = 0
	for range 4 {
		n += 1 + (<-s.C).More
	}
	if n != 100 {
		t.Errorf("%d of 100 events are accounted for", n)
	}
}
