package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/files/storage"
	"shoal/internal/format/wire"
)

// states gives the states of torrents, once everybody waits.
func states(torrents ...*Torrent) (all []State) {
	synctest.Wait()
	for _, t := range torrents {
		all = append(all, t.Stats().State)
	}
	return all
}

func expect(t *testing.T, what string, got []State, want ...State) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Two of four downloads run at a time, in their order; the others have no peers and take
// no connections until it is their turn.
func TestDownloadsWaitInLine(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		seed := w.engine(1, Config{})
		e := w.engine(2, Config{Queue: Queue{Downloads: 2}, Limits: Limits{Down: 256 * kib}})
		var all []*Torrent
		var contents []payload
		for i := range 4 {
			c := makeContent(t, fmt.Sprintf("in line %d", i), 64*kib, int64(i+1)<<20)
			w.seed(seed, c)
			l, _ := w.leech(e, c, seed.Addr())
			all, contents = append(all, l), append(contents, c)
		}
		time.Sleep(2 * time.Second)
		expect(t, "at first", states(all...), Downloading, Downloading, Queued, Queued)
		if s := all[2].Stats().Swarm; s.Peers != 0 || s.Downloaded != 0 {
			t.Errorf("one that waits has %d peers and %d bytes", s.Peers, s.Downloaded)
		}
		if nc, err := w.net.Host(hostAddr(9)).Dial(t.Context(), e.Addr()); err != nil {
			t.Error(err)
		} else {
			nc.Write(wire.AppendHandshake(nil, wire.Handshake{InfoHash: contents[3].meta.InfoHash}))
			if n, err := nc.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Error("one that waits answered a handshake")
			}
			nc.Close()
		}

		// The last is moved to the top: the second, which was last to run, waits.
		e.SetQueuePosition(all[3], 0)
		time.Sleep(2 * time.Second)
		expect(t, "the last moved to the top", states(all...), Downloading, Queued, Queued, Downloading)
		// Forced ones run besides; paused ones give their place away.
		all[2].Force(true)
		time.Sleep(time.Second)
		expect(t, "the third forced", states(all...), Downloading, Queued, Downloading, Downloading)
		all[0].Pause()
		time.Sleep(time.Second)
		expect(t, "the first paused", states(all...), Paused, Downloading, Downloading, Downloading)
		all[0].Resume()
		all[2].Force(false)
		time.Sleep(time.Second)
		expect(t, "as before", states(all...), Downloading, Queued, Queued, Downloading)
		// Whoever is complete makes room.
		for _, l := range all {
			wait(t, l)
		}
		time.Sleep(time.Second)
		expect(t, "at the end", states(all...), Seeding, Seeding, Seeding, Seeding)
	})
}

// Bounds are set and lifted while torrents run: nobody is left waiting.
func TestQueueIsChanged(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(1, Config{})
		var all []*Torrent
		for i := range 3 {
			all = append(all, w.seed(e, makeContent(t, fmt.Sprintf("seed %d", i), 16*kib, 1000)))
		}
		all[0].Pause()
		expect(t, "without bounds", states(all...), Paused, Seeding, Seeding)
		e.SetQueue(Queue{Seeds: 1})
		time.Sleep(time.Second)
		expect(t, "one seed", states(all...), Paused, Seeding, Queued)
		all[0].Resume()
		time.Sleep(time.Second)
		expect(t, "the first goes on", states(all...), Seeding, Queued, Queued)
		// Seeds that nobody asks are slow, and keep nobody waiting.
		time.Sleep(5 * time.Minute)
		expect(t, "idle ones hold no place", states(all...), Seeding, Seeding, Seeding)
		all[1].Pause()
		e.SetQueue(Queue{Total: 1})
		time.Sleep(time.Second)
		expect(t, "one at all", states(all...), Seeding, Paused, Queued)
		e.SetQueue(Queue{})
		time.Sleep(time.Second)
		expect(t, "bounds lifted", states(all...), Seeding, Paused, Seeding)
		all[1].Resume()
		expect(t, "and the pause ended", states(all...), Seeding, Seeding, Seeding)
	})
}

// A paused torrent lets its peers go, takes none, and goes on where it was; added paused it
// is checked, and does nothing else.
func TestPause(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "paused", 64*kib, 4<<20)
		seed := w.engine(1, Config{})
		s := w.seed(seed, c)
		e := w.engine(2, Config{Limits: Limits{Down: 512 * kib}})
		l, fsys := w.leech(e, c, seed.Addr())
		events := watch(t, l)
		time.Sleep(3 * time.Second)
		l.Pause()
		synctest.Wait()
		had := l.Stats().Swarm
		if st := l.Stats(); st.State != Paused || had.Peers != 0 || had.Have == 0 {
			t.Errorf("paused: %v, %d peers, %d pieces", st.State, had.Peers, had.Have)
		}
		time.Sleep(time.Hour)
		if loops := awake(e); loops != 0 {
			t.Errorf("%d loops while paused", loops)
		}
		if got := l.Stats().Swarm; got.Downloaded != had.Downloaded || got.Have != had.Have {
			t.Errorf("%d bytes came while it was paused", got.Downloaded-had.Downloaded)
		}
		if s.Stats().Swarm.Peers != 0 {
			t.Error("the seed still has it as a peer")
		}
		l.Resume()
		wait(t, l)
		c.in(t, fsys)
		if n := len(kinds(events(), EventPaused)); n != 1 {
			t.Errorf("told of %d pauses", n)
		}
		if n := len(kinds(events(), EventResumed)); n != 1 {
			t.Errorf("told %d times that it goes on", n)
		}

		late := add(t, w.engine(3, Config{}), Spec{Meta: c.meta, Storage: c.on(t, c.memory(t)), Paused: true})
		if err := late.Checked(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if st := late.Stats(); st.State != Paused || st.Swarm.Have != st.Swarm.Pieces {
			t.Errorf("added paused: %v, %d pieces", st.State, st.Swarm.Have)
		}
	})
}

// A thousand torrents that wait, or are paused, cost no goroutine and are never woken.
func TestThoseThatWaitCostNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tr := w.tracker(200, func(query) string { return compact() })
		e := w.engine(1, Config{Queue: Queue{Seeds: 5, Total: 10}})
		before := runtime.NumGoroutine()
		for i := range 1000 {
			c := makeContent(t, fmt.Sprintf("waits %d", i), 16*kib, 100).withTracker(tr.url)
			add(t, e, Spec{Meta: c.meta, Storage: c.on(t, c.memory(t)), Paused: i%2 == 0})
		}
		time.Sleep(10 * time.Minute)
		count := map[State]int{}
		for _, s := range states(e.Torrents()...) {
			count[s]++
		}
		if count[Seeding] != 10 || count[Paused] != 500 || count[Queued] != 490 {
			t.Errorf("states %v", count)
		}
		if loops, more := awake(e), runtime.NumGoroutine()-before; loops > 10 || more > 10+few {
			t.Errorf("%d loops and %d goroutines", loops, more)
		}
		if n := len(tr.queries()); n > 100 {
			t.Errorf("%d announces where 10 torrents run", n)
		}
	})
}

// Pauses, places and what is forced come back with the next run.
func TestRestsAreRemembered(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		for _, name := range []string{"one", "two", "three", "four"} {
			c := makeContent(t, name, 16<<10, 40_000)
			w.seed(r.seed, c)
			wait(t, add(t, r.e, r.spec(c)))
		}
		r.one("two").Torrent.Pause()
		r.one("three").Torrent.Force(true)
		r.e.SetQueuePosition(r.one("four").Torrent, 0)
		r.e.ShiftQueuePosition(r.one("one").Torrent, 1)
		r.expect("moved", "four", "two", "one", "three")
		// One that is stopped keeps its place among those that run.
		r.one("one").Torrent.Stop(t.Context())
		r.e.SetQueuePosition(r.one("three").Torrent, 0)
		r.again()
		r.expect("after a start", "three", "four", "two", "-one")
		time.Sleep(time.Minute)
		for _, x := range r.e.Remembered() {
			switch {
			case x.Torrent == nil:
			case x.Torrent.Paused() != (x.Name == "two"), x.Torrent.Forced() != (x.Name == "three"):
				t.Errorf("%s is paused: %v, forced: %v", x.Name, x.Torrent.Paused(), x.Torrent.Forced())
			case (x.Torrent.Stats().State == Paused) != x.Torrent.Paused():
				t.Errorf("%s is %v", x.Name, x.Torrent.Stats().State)
			}
		}
	})
}

// Magnet links look for their metadata in places of their own, sixteen at a time, and then
// stand in line like any other torrent; one that is added paused rests from then on.
func TestMagnetsInLine(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		seed := w.engine(1, Config{})
		e := w.engine(2, Config{Queue: Queue{Downloads: 1}, Limits: Limits{Down: 64 * kib}})
		first := makeContent(t, "first", 64*kib, 1<<20)
		w.seed(seed, first)
		running, _ := w.leech(e, first, seed.Addr())
		var lost []*Torrent // nobody has these
		for i := range 16 {
			m, _ := w.magnet(e, makeContent(t, fmt.Sprintf("lost %d", i), 16*kib, 1000), MagnetSpec{})
			lost = append(lost, m)
		}
		found := makeContent(t, "found", 64*kib, 1<<20)
		w.seed(seed, found)
		m, _ := w.magnet(e, found, MagnetSpec{Spec: Spec{Peers: []netip.AddrPort{seed.Addr()}}})
		paused, _ := w.magnet(e, makeContent(t, "rests", 16*kib, 1000), MagnetSpec{Spec: Spec{Paused: true}})
		time.Sleep(2 * time.Second)
		expect(t, "the seventeenth", []State{m.Stats().State, paused.Stats().State}, Queued, Queued)
		lost[0].Stop(t.Context())
		lost[1].Stop(t.Context())
		tor := known(t, m)
		time.Sleep(time.Second)
		expect(t, "with its metadata", states(running, tor), Downloading, Queued)
		expect(t, "the paused one, without", []State{paused.Stats().State}, Metadata)
		e.SetQueue(Queue{})
		wait(t, tor)
		e.SetQueue(Queue{Downloads: 1})
		time.Sleep(time.Second)
		expect(t, "magnets while bounds are set", []State{lost[2].Stats().State, lost[15].Stats().State}, Metadata, Metadata)
		for _, m := range append(lost, paused) {
			m.Stop(t.Context())
		}
	})
}

// A magnet that is added paused learns what it is, and rests then.
func TestMagnetAddedPaused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "quiet", 64*kib, 1<<20)
		seed := w.engine(1, Config{})
		w.seed(seed, c)
		e := w.engine(2, Config{})
		m, dir := w.magnet(e, c, MagnetSpec{Peers: []netip.AddrPort{seed.Addr()}, Spec: Spec{Paused: true}})
		tor := known(t, m)
		if err := tor.Checked(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s := tor.Stats(); s.State != Paused || s.Swarm.Peers != 0 || s.Swarm.Downloaded != 0 {
			t.Errorf("%v, %d peers, %d bytes", s.State, s.Swarm.Peers, s.Swarm.Downloaded)
		}
		tor.Resume()
		wait(t, tor)
		c.onDisk(t, dir)
	})
}

// A magnet that was added paused looks for its metadata, and goes on with that when bounds are set.
func TestBoundsSetWhileAPausedMagnetLooks(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(1, Config{})
		m, _ := w.magnet(e, makeContent(t, "paused", 16*kib, 1000), MagnetSpec{Spec: Spec{Paused: true}})
		rests, _ := w.magnet(e, makeContent(t, "rests", 16*kib, 1000), MagnetSpec{})
		rests.Pause()
		time.Sleep(time.Second)
		e.SetQueue(Queue{Downloads: 1})
		if m.run.waits.Load() || !rests.run.waits.Load() {
			t.Errorf("the magnet that looks waits: %v; the one that rests: %v", m.run.waits.Load(), rests.run.waits.Load())
		}
		m.Stop(t.Context())
		rests.Stop(t.Context())
	})
}

// A torrent whose files take nothing keeps nobody waiting, and has its place again when they
// do; one that is being checked has none yet, and one that was stopped none any more.
func TestTroublesHoldNoPlace(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		seed := w.engine(1, Config{})
		e := w.engine(2, Config{Queue: Queue{Downloads: 1}, Limits: Limits{Down: 256 * kib}})
		var full atomic.Bool
		full.Store(true)
		leech := func(name string, read, write func() error) *Torrent {
			c := makeContent(t, name, 64*kib, 4<<20)
			w.seed(seed, c)
			return add(t, e, Spec{Meta: c.meta, Storage: hooked(c.on(t, storage.NewMemFS()), read, write), Peers: []netip.AddrPort{seed.Addr()}})
		}
		first := leech("full", nil, func() error {
			if full.Load() {
				return syscall.ENOSPC
			}
			return nil
		})
		second := leech("fine", nil, nil)
		time.Sleep(2 * time.Second)
		expect(t, "one takes nothing", states(first, second), Stalled, Downloading)
		full.Store(false)
		time.Sleep(10 * time.Second)
		expect(t, "it has room again", states(first, second), Downloading, Queued)
		first.Stop(t.Context())
		time.Sleep(time.Second)
		expect(t, "it has ended", states(second), Downloading)

		// A check takes its time.
		c := makeContent(t, "checked", 64*kib, 1<<20)
		checked := add(t, e, Spec{Meta: c.meta, Storage: hooked(c.on(t, c.memory(t)), func() error { time.Sleep(time.Second); return nil }, nil)})
		e.SetQueuePosition(checked, 0)
		time.Sleep(3 * time.Second)
		expect(t, "while one is checked", states(checked, second), Checking, Downloading)
		e.SetLimits(Limits{})
		wait(t, second)
	})
}

// Who reads a torrent does not wait until its turn has come; a paused one gives what it has,
// and says so of the rest, also to those that wait already.
func TestReadersDoNotWaitInLine(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		seed := w.engine(1, Config{})
		e := w.engine(2, Config{Queue: Queue{Downloads: 1}, Limits: Limits{Down: 64 * kib}})
		one, two := makeContent(t, "first", 64*kib, 4<<20), makeContent(t, "second", 64*kib, 4<<20)
		w.seed(seed, one)
		w.seed(seed, two)
		first, _ := w.leech(e, one, seed.Addr())
		second, _ := w.leech(e, two, seed.Addr())
		time.Sleep(2 * time.Second)
		expect(t, "before", states(first, second), Downloading, Queued)
		r := second.NewReader(0, 1<<40)
		b := make([]byte, 100)
		if _, err := r.ReadAt(t.Context(), b, 1<<20); err != nil || string(b) != string(two.data[1<<20:][:100]) {
			t.Errorf("read: %v", err)
		}
		expect(t, "while it is read", states(first, second), Downloading, Downloading)
		time.AfterFunc(time.Second, second.Pause)
		if _, err := r.ReadAt(t.Context(), b, 3<<20); !errors.Is(err, ErrNotComing) {
			t.Errorf("read of what is not there, and paused: %v", err)
		}
		if _, err := r.ReadAt(t.Context(), b, 1<<20); err != nil {
			t.Errorf("read of what is there, and paused: %v", err)
		}
		second.Resume()
		time.Sleep(time.Second)
		expect(t, "resumed", states(first, second), Downloading, Downloading)
		r.Close()
		time.Sleep(time.Second)
		expect(t, "not read any more", states(first, second), Downloading, Queued)
	})
}
