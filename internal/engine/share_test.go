package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A torrent that has been sent as often as was wanted is paused, and says so; the user may
// have it go on, without limits.
func TestShareRatio(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "shared", 64*kib, 1<<20)
		e := w.engine(1, Config{ShareLimits: ShareLimits{Ratio: 2.1}, Limits: Limits{Up: 256 * kib}})
		s := w.seed(e, c)
		events := watch(t, s)
		for n := range byte(3) {
			l, _ := w.leech(w.engine(n+2, Config{MaxPeers: 1, Slots: NoSlots}), c, e.Addr())
			if n < 2 {
				wait(t, l)
				continue
			}
			time.Sleep(time.Minute)
			if st := s.Stats(); st.State != Paused || st.Swarm.Peers != 0 {
				t.Errorf("after two copies and a bit: %v with %d peers", st.State, st.Swarm.Peers)
			}
			if s := l.Stats().Swarm; s.Have == s.Pieces {
				t.Error("a third peer has all of it")
			}
			s.Resume()
			wait(t, l)
		}
		if st := s.Stats(); st.State != Seeding {
			t.Errorf("after the user had it go on: %v", st.State)
		}
		told := kinds(events(), EventShared)
		if len(told) != 1 || !strings.HasPrefix(told[0].Text, "the share ratio is reached: ratio 2.") {
			t.Errorf("told %v", told)
		}
		// Other limits hold again.
		s.SetShareLimits(&ShareLimits{Ratio: 3})
		time.Sleep(3 * time.Second)
		if st := s.Stats(); st.State != Paused {
			t.Errorf("with a limit of its own: %v", st.State)
		}
	})
}

// Time counts while it is seeded. An idle torrent is woken when it is over, and by nothing else.
func TestShareTime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(1, Config{})
		long := w.seed(e, makeContent(t, "long", 16*kib, 1000))
		idle := w.seed(e, makeContent(t, "idle", 16*kib, 1000))
		free := w.seed(e, makeContent(t, "free", 16*kib, 1000))
		long.SetShareLimits(&ShareLimits{SeedTime: 10 * time.Hour})
		idle.SetShareLimits(&ShareLimits{IdleTime: time.Hour})
		time.Sleep(30 * time.Minute)
		if n := awake(e); n != 0 {
			t.Errorf("%d of three idle torrents are awake", n)
		}
		time.Sleep(31 * time.Minute)
		expect(t, "after an hour", states(long, idle, free), Seeding, Paused, Seeding)
		long.Pause()
		time.Sleep(100 * time.Hour)
		long.Resume()
		time.Sleep(8 * time.Hour)
		expect(t, "after nine hours of seeding", states(long, idle, free), Seeding, Paused, Seeding)
		time.Sleep(time.Hour)
		expect(t, "after ten", states(long, idle, free), Paused, Paused, Seeding)
		e.SetShareLimits(ShareLimits{SeedTime: time.Hour})
		synctest.Wait()
		expect(t, "with a limit for all", states(long, idle, free), Paused, Paused, Paused)
	})
}

// Where it is wanted so, a torrent that was shared enough goes, and its files stay. What was
// chosen, and for how long it was seeded, comes back with the next run.
func TestShareRemoves(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		for i := range 2 {
			c := makeContent(t, fmt.Sprintf("goes %d", i), 16*kib, 40_000)
			w.seed(r.seed, c)
			wait(t, add(t, r.e, r.spec(c)))
		}
		own := ShareLimits{Ratio: 1.25, SeedTime: 3 * time.Hour, Then: ShareRemove}
		r.one("goes 0").Torrent.SetShareLimits(&own)
		r.one("goes 1").Torrent.SetLimits(Limits{Up: 1000, PeerDown: 5})
		time.Sleep(2 * time.Hour)
		r.again()
		time.Sleep(time.Minute)
		tor := r.one("goes 0").Torrent
		if s, isOwn := tor.ShareLimits(); s != own || !isOwn {
			t.Errorf("its limits came back as %+v, its own: %v", s, isOwn)
		}
		if d := tor.Seeded().Round(time.Minute); d < 2*time.Hour || d > 2*time.Hour+2*time.Minute {
			t.Errorf("it was seeded for %v", d)
		}
		if l := r.one("goes 1").Torrent.Limits(); l != (Limits{Up: 1000, PeerDown: 5}) {
			t.Errorf("the limits of the other came back as %+v", l)
		}
		time.Sleep(time.Hour)
		r.expect("after three hours", "goes 1")
		if names := torrentNames(r.e); !slices.Equal(names, []string{"goes 1"}) {
			t.Errorf("in the engine: %v", names)
		}
		r.again()
		r.expect("in the next run", "goes 1")
	})
}

func torrentNames(e *Engine) (names []string) {
	for _, t := range e.Torrents() {
		names = append(names, t.Info().Name)
	}
	return names
}
