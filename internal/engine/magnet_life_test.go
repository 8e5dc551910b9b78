package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/files/catalogue"
	"shoal/internal/value/infohash"
	"shoal/internal/value/why"
	"shoal/metainfo"
)

// next returns the next event that is one of these kinds.
func next(t *testing.T, sub *Subscription, kinds ...EventKind) Event {
	t.Helper()
	timeout := time.After(10 * time.Minute)
	for {
		select {
		case e, ok := <-sub.C:
			if !ok {
				t.Fatalf("no event of the kinds %v comes any more", kinds)
			}
			if slices.Contains(kinds, e.Kind) {
				return e
			}
		case <-timeout:
			t.Fatalf("no event of the kinds %v", kinds)
		}
	}
}

// A magnet is a torrent from the first moment: on the list, in the queue, found by its hash, with
// one handle. It tells when its metadata is there, before it tells that its files are checked.
func TestMagnetIsATorrent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "life", 16<<10, 100_000)
		e := w.engine(2, Config{})
		before, _ := w.leech(e, makeContent(t, "before", 16<<10, 1000))
		m, dir := w.magnet(e, c, MagnetSpec{Name: "what the link says", Peers: []netip.AddrPort{at(1)}})
		sub := m.Subscribe()
		defer sub.Close()
		if e.Torrent(c.meta.InfoHash) != m || e.QueuePosition(m) != 1 || !slices.Equal(e.Torrents(), []*Torrent{before, m}) {
			t.Errorf("it is at %d of %v", e.QueuePosition(m), e.Torrents())
		}
		if m.HasMetadata() || m.Info().Name != "what the link says" || m.InfoHash() != [20]byte(c.meta.InfoHash) {
			t.Errorf("it has metadata: %v; it is called %q", m.HasMetadata(), m.Info().Name)
		}
		e.SetQueuePosition(m, 0)
		for what, err := range map[string]error{
			"priorities": m.SetPriorities(nil),
			"move":       m.Move(t.Context(), t.TempDir(), nil),
			"rename":     m.Rename(t.Context(), Names{0: "x"}),
			"verify":     second(m.Verify(t.Context(), nil)),
		} {
			if !errors.Is(err, ErrNoMetadata) {
				t.Errorf("%s without metadata: %v", what, err)
			}
		}
		time.Sleep(time.Second)
		expect(t, "without metadata", states(m), Metadata)

		w.seed(w.engine(1, Config{}), c)
		if e := next(t, sub, EventMetadata, EventChecked); e.Kind != EventMetadata || e.Torrent != m {
			t.Errorf("the first event is %v of %v", e.Kind, e.Torrent)
		}
		if !m.HasMetadata() || m.Info().Name != "life" {
			t.Error("at the event the metadata is not there")
		}
		next(t, sub, EventChecked)
		next(t, sub, EventComplete)
		if e.QueuePosition(m) != 0 || e.Torrent(c.meta.InfoHash) != m {
			t.Errorf("it is at %d afterwards", e.QueuePosition(m))
		}
		c.onDisk(t, dir)
		m.Stop(t.Context())
		if len(e.Torrents()) != 1 {
			t.Error("it is on the list after a stop")
		}
	})
}

func second[T any](_ T, err error) error { return err }

// What was chosen for a magnet survives a restart and counts when the metadata comes.
func TestMagnetComesBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "comes back", 16<<10, 100_000, 200_000)
		m, err := r.e.AddMagnet(MagnetSpec{
			InfoHash: c.meta.InfoHash, Name: "dn", Trackers: []string{"http://10.0.0.77:1/a"}, WebSeeds: []string{"http://10.0.0.99/none/"},
			Peers: []netip.AddrPort{at(90)}, Hosts: []string{"host.example:1"},
			Pending: Pending{Files: []catalogue.FileRule{{Pattern: "*b", Priority: 3}}, Rename: []catalogue.PathRename{{From: "x", To: "y"}}},
			Spec: Spec{
				Dir: r.dir, Peers: []netip.AddrPort{r.seed.Addr()}, WebSeeds: []string{"http://10.0.0.98/mine/"}, Allocate: true,
				Limits: Limits{Up: 1000}, ShareLimits: &ShareLimits{Ratio: 2}, Paths: &Paths{Suffix: ".part"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.AddTracker("http://10.0.0.78:1/later", 0); err != nil {
			t.Fatal(err)
		}
		m.SetLimits(Limits{Up: 2000})
		added := r.one("dn").Added
		r.expect("before a restart", "dn")
		for range 2 {
			r.again()
			r.expect("after a restart", "dn")
		}
		x := r.one("dn")
		m = x.Torrent
		if x.HasMetadata || m.HasMetadata() || !x.Added.Equal(added) || x.Dir != r.dir {
			t.Errorf("it comes back as %+v", x)
		}
		if s, own := m.ShareLimits(); m.Limits().Up != 2000 || s.Ratio != 2 || !own {
			t.Errorf("with %+v, %+v", m.Limits(), s)
		}
		if got := slices.Concat(m.Trackers()...); !slices.Equal(got, []string{"http://10.0.0.77:1/a", "http://10.0.0.78:1/later"}) {
			t.Errorf("with the trackers %v", got)
		}
		r.close()

		var asked *Pending
		r.host++
		r.e = r.engine(r.host, Config{
			StateDir: r.state, Remember: true,
			Magnets: MagnetHooks{Choose: func(p *Pending, paths *Paths, meta *metainfo.Torrent) ([]uint8, *Paths, error) {
				asked = p
				return []uint8{0, 2}, paths, nil
			}},
		})
		w.seed(r.seed, c)
		m = r.one("dn").Torrent
		waitFor(t, known(t, m), 5*time.Minute)
		if asked == nil || len(asked.Files) != 1 || asked.Files[0].Pattern != "*b" || len(asked.Rename) != 1 {
			t.Errorf("asked for %+v", asked)
		}
		if s := m.Stats(); s.Swarm.WantedSize != 201_696 || m.Priority(0) != 0 {
			t.Errorf("%d bytes are wanted", s.Swarm.WantedSize)
		}
		if w := m.content.Where(); w.Suffix != ".part" || !m.content.Options().Allocate {
			t.Errorf("its files are at %+v", w)
		}
		r.again()
		r.expect("with its metadata", "comes back")
		x = r.one("comes back")
		if s := checkedNow(t, x.Torrent); !x.HasMetadata || s.State != Seeding || s.Hashed != 0 || x.Torrent.Priority(0) != 0 || x.Torrent.Limits().Up != 2000 {
			t.Errorf("it comes back as %+v, %v, with %d pieces hashed", x, s.State, s.Hashed)
		}
	})
}

// Stop, pause, start and removal while the metadata is missing; each holds after a restart, too.
func TestMagnetRests(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		log := &notes{}
		c := makeContent(t, "rests", 16<<10, 100_000)
		again := func() {
			r.close()
			r.host++
			r.e = r.engine(r.host, Config{StateDir: r.state, Remember: true, Trace: log.add})
		}
		again()
		name := infohash.Hash(c.meta.InfoHash).String()
		m, err := r.e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Spec: Spec{Dir: r.dir, Peers: []netip.AddrPort{r.seed.Addr()}}})
		if err != nil {
			t.Fatal(err)
		}
		sub := m.Subscribe()
		time.Sleep(time.Minute)
		m.Pause()
		next(t, sub, EventPaused)
		sub.Close()
		expect(t, "paused", states(m), Paused)
		again()
		m = r.one(name).Torrent
		expect(t, "paused, after a restart", states(m), Paused)
		w.seed(r.seed, c)
		dials := log.count("dial", netip.AddrPort{}, why.None)
		time.Sleep(time.Hour)
		if n := log.count("dial", netip.AddrPort{}, why.None); n != dials || m.HasMetadata() {
			t.Errorf("a paused magnet dials %d times", n-dials)
		}

		m.Stop(t.Context())
		r.expect("after a stop", "-"+name)
		again()
		r.expect("stopped, after a restart", "-"+name)
		if m, err = r.e.Start(c.meta.InfoHash, ""); err != nil {
			t.Fatal(err)
		}
		expect(t, "started while it is paused", states(m), Paused)
		if err := r.e.Remove(t.Context(), c.meta.InfoHash); err != nil {
			t.Fatal(err)
		}
		r.expect("after a removal")
		again()
		r.expect("removed, after a restart")

		// Removed with its files, of which there are none.
		if m, err = r.e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Spec: Spec{Dir: r.dir}}); err != nil {
			t.Fatal(err)
		}
		if res, err := r.e.Erase(t.Context(), c.meta.InfoHash); err != nil || len(res.Removed)+len(res.Left) > 0 {
			t.Errorf("removed with its files: %+v, %v", res, err)
		}
		if _, err := r.e.Remembered(), m.WaitMetadata(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("it ends with %v", err)
		}

		// Resumed, it finds what it is.
		if m, err = r.e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Spec: Spec{Dir: r.dir, Peers: []netip.AddrPort{r.seed.Addr()}}}); err != nil {
			t.Fatal(err)
		}
		m.Pause()
		synctest.Wait()
		m.Resume()
		waitFor(t, known(t, m), time.Minute)
		r.expect("with its metadata", "rests")
	})
}

// A torrent file that is added while its magnet waits gives it the metadata and the trackers. What
// was chosen with the magnet stays.
func TestMagnetTakesTheFile(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "adopted", 16<<10, 100_000)
		w.seed(r.seed, c)
		m, err := r.e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Trackers: []string{"http://10.0.0.77:1/a"}, Spec: Spec{Dir: r.dir}})
		if err != nil {
			t.Fatal(err)
		}
		other := t.TempDir()
		with := c.withTracker("http://10.0.0.78:1/b")
		if _, err := r.e.Add(Spec{Meta: with.meta, Dir: other}); !errors.Is(err, ErrDuplicate) {
			t.Errorf("the file of a magnet that waits: %v", err)
		}
		known(t, m).AddPeers([]netip.AddrPort{r.seed.Addr()})
		checkedNow(t, m)
		m.AddPeers([]netip.AddrPort{r.seed.Addr()})
		waitFor(t, m, time.Minute)
		c.onDisk(t, r.dir)
		var urls []string
		for _, tr := range m.Stats().Swarm.Trackers {
			urls = append(urls, tr.URL)
		}
		if !slices.Equal(urls, []string{"http://10.0.0.77:1/a", "http://10.0.0.78:1/b"}) {
			t.Errorf("it asks %v", urls)
		}
		if _, err := r.e.Add(Spec{Meta: with.meta, Dir: other}); !errors.Is(err, ErrDuplicate) {
			t.Errorf("once more: %v", err)
		}
		r.again()
		if x := r.one("adopted"); len(x.Torrent.Meta().Trackers()) != 2 || !x.HasMetadata {
			t.Errorf("it comes back with %v", x.Torrent.Meta().Trackers())
		}

		// A private torrent keeps to the trackers of its file, and asks those of the link no more.
		p := makeContent(t, "private", 16<<10, 1000).private(t).withTracker("http://10.0.0.79:1/c")
		m, err = r.e.AddMagnet(MagnetSpec{InfoHash: p.meta.InfoHash, Trackers: []string{"http://10.0.0.77:1/a"}, WebSeeds: []string{"http://10.0.0.99/x/"}, Spec: Spec{Dir: r.dir}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.e.Add(Spec{Meta: p.meta, Dir: other}); !errors.Is(err, ErrDuplicate) {
			t.Errorf("a private file: %v", err)
		}
		checkedNow(t, known(t, m))
		if s := m.Stats().Swarm; len(s.Trackers) != 1 || s.Trackers[0].URL != "http://10.0.0.79:1/c" || len(m.webSources()) != 0 {
			t.Errorf("the private torrent asks %+v and %v", s.Trackers, m.webSources())
		}
	})
}

// A magnet that wants only the metadata takes it from a torrent that is added, and ends. The torrent
// is added for good, also when the magnet has its metadata already.
func TestAddAfterMetadataOnly(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "only", 16<<10, 100_000)
		w.seed(r.seed, c)
		for _, when := range []string{"before its metadata", "at its metadata"} {
			only, err := r.e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Only: true})
			if err != nil {
				t.Fatal(err)
			}
			if when == "at its metadata" {
				only.AddPeers([]netip.AddrPort{r.seed.Addr()})
				known(t, only)
			}
			tor, err := r.e.Add(r.spec(c))
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			if !only.HasMetadata() {
				t.Errorf("%s: the magnet did not take it", when)
			}
			waitFor(t, tor, time.Minute)
			r.expect(when, "only")
			if err := r.e.Remove(t.Context(), c.meta.InfoHash); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A link adds no web seeds to a private torrent, with trackers or without (BEP 27).
func TestLinkOfAPrivateTorrent(t *testing.T) {
	c := makeContent(t, "private", 16<<10, 1000).private(t)
	link := &metainfo.Torrent{AnnounceList: [][]string{{"http://10.0.0.77:1/a"}}, URLList: []string{"http://10.0.0.99/x/"}}
	file := *c.meta
	file.URLList = []string{"http://10.0.0.98/y/"}
	if got := joined(link, &file); !slices.Equal(got.URLList, file.URLList) || len(got.Trackers()) != 1 {
		t.Errorf("without trackers: %v, %v", got.URLList, got.Trackers())
	}
	file.Announce = "http://10.0.0.79:1/c"
	if got := joined(link, &file); !slices.Equal(got.URLList, file.URLList) || len(got.Trackers()) != 1 || got.Trackers()[0][0] != file.Announce {
		t.Errorf("with a tracker: %v, %v", got.URLList, got.Trackers())
	}
}

// The choice of a function is gone after a restart. Then the torrent is paused before it touches
// a file, so that nothing comes that nobody wanted.
func TestMagnetWhoseChoiceIsLost(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "asked", 16<<10, 100_000)
		if _, err := r.e.AddMagnet(MagnetSpec{
			InfoHash: c.meta.InfoHash, Spec: Spec{Dir: r.dir, Peers: []netip.AddrPort{r.seed.Addr()}}, Pending: Pending{Ask: true},
			Choose: func(*metainfo.Torrent) ([]uint8, *Paths, error) { return []uint8{0}, nil, nil },
		}); err != nil {
			t.Fatal(err)
		}
		r.again()
		w.seed(r.seed, c)
		m := known(t, r.one(infohash.Hash(c.meta.InfoHash).String()).Torrent)
		checkedNow(t, m)
		time.Sleep(time.Minute)
		if s := m.Stats(); s.State != Paused || s.Swarm.Downloaded != 0 {
			t.Errorf("it is %v, %d bytes have come", s.State, s.Swarm.Downloaded)
		}
		r.again()
		m = r.one("asked").Torrent
		checkedNow(t, m)
		expect(t, "after another restart", states(m), Paused)
		m.Resume()
		waitFor(t, m, 2*time.Minute)
	})
}

// The catalogue writes the metadata to the disk, so the loop does not wait for it.
func TestLoopDoesNotWriteMetadata(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "slow disk", 16<<10, 100_000)
		r.close()
		r.host++
		writing := make(chan *librarian)
		r.e = r.engine(r.host, Config{StateDir: r.state, Remember: true, Magnets: MagnetHooks{Learned: func(*metainfo.Torrent) {
			m := r.e.library.librarian
			m.mu.Lock() // as a slow write of another torrent does
			writing <- m
		}}})
		m, err := r.e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Spec: Spec{Dir: r.dir, Peers: []netip.AddrPort{r.seed.Addr()}}})
		if err != nil {
			t.Fatal(err)
		}
		w.seed(r.seed, c)
		lib := <-writing
		waits := ""
		for waits == "" {
			runtime.Gosched()
			waits = goroutineIn("(*librarian).learned(")
		}
		if strings.Contains(waits, "(*Torrent).loop(") {
			t.Errorf("the loop waits for the catalogue:\n%s", waits)
		}
		lib.mu.Unlock()
		waitFor(t, m, time.Minute)
		r.again()
		checkedNow(t, r.one("slow disk").Torrent)
	})
}

// goroutineIn returns the stack of a goroutine that is in a function; empty when none is.
func goroutineIn(function string) string {
	buf := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, function) {
			return stack
		}
	}
	return ""
}

// copyState copies the state folder as a kill at this moment leaves it.
func (r *rememberer) copyState() string {
	r.t.Helper()
	to := r.t.TempDir()
	if err := os.CopyFS(to, os.DirFS(r.state)); err != nil {
		r.t.Fatal(err)
	}
	for _, name := range []string{"lock"} {
		_ = os.Remove(filepath.Join(to, "torrents", name))
	}
	return to
}

// A kill at any moment loses nothing: in the next run the torrent is a magnet or has its metadata,
// its choices count, and no file is claimed that is not there.
func TestMagnetIsKilled(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "killed", 16<<10, 100_000, 200_000)
		choose := func(_ *Pending, paths *Paths, _ *metainfo.Torrent) ([]uint8, *Paths, error) {
			return []uint8{0, 2}, paths, nil
		}
		r.close()
		r.host++
		r.e = r.engine(r.host, Config{StateDir: r.state, Remember: true, Magnets: MagnetHooks{Choose: choose}})
		m, err := r.e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Spec: Spec{Dir: r.dir, Peers: []netip.AddrPort{r.seed.Addr()}}})
		if err != nil {
			t.Fatal(err)
		}
		states := map[string]string{}
		if err := r.e.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		states["without metadata"] = r.copyState()
		sub := m.Subscribe()
		w.seed(r.seed, c)
		next(t, sub, EventMetadata)
		states["at the metadata"] = r.copyState()
		next(t, sub, EventChecked)
		states["when its files are checked"] = r.copyState()
		time.Sleep(2 * writeSoon)
		states["soon after"] = r.copyState()
		waitFor(t, m, time.Minute)
		states["complete"] = r.copyState()
		sub.Close()
		r.close()
		r.e = nil
		for _, when := range slices.Sorted(maps.Keys(states)) {
			files, err := os.ReadDir(r.dir)
			if err != nil || len(files) == 0 {
				t.Fatalf("%s: nothing is there: %v", when, err)
			}
			r.state = states[when]
			r.host++
			r.e = r.engine(r.host, Config{StateDir: r.state, Remember: true, Magnets: MagnetHooks{Choose: choose}})
			all := r.e.Remembered()
			if len(all) != 1 || all[0].Torrent == nil || len(r.e.Problems()) > 0 {
				t.Fatalf("%s: it comes back as %+v, with %v", when, all, r.e.Problems())
			}
			m := all[0].Torrent
			if has := when != "without metadata" && when != "at the metadata"; has && !m.HasMetadata() && when != "when its files are checked" {
				t.Errorf("%s: it has to ask for its metadata again", when)
			}
			waitFor(t, m, 5*time.Minute)
			if m.Priority(0) != 0 || m.Stats().Swarm.WantedSize != 201_696 {
				t.Errorf("%s: its choices are gone: %d bytes are wanted", when, m.Stats().Swarm.WantedSize)
			}
			r.close()
			r.e = nil
		}
	})
}

// What is read of a torrent while its metadata comes is of before or of after.
func TestMagnetIsReadMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "read", 16<<10, 100_000)
		other := makeContent(t, "other", 16<<10, 50_000)
		w.seed(r.seed, c)
		w.seed(r.seed, other)
		m, err := r.e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Name: "dn", Peers: []netip.AddrPort{r.seed.Addr()}, Spec: Spec{Dir: r.dir, Paths: &Paths{Suffix: ".part"}}})
		if err != nil {
			t.Fatal(err)
		}
		// Its files are looked at by another torrent of the folder.
		x := add(t, r.e, r.spec(other))
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if name := m.Info().Name; name != "dn" && name != "read" {
						t.Errorf("it is called %q", name)
					}
					has := m.HasMetadata()
					if has {
						_ = m.Path(0)
					}
					_, _, _, _ = m.Stats(), m.Trackers(), m.Short(), r.e.Remembered()
					m.SetLimits(Limits{Up: 1 << 20})
					m.SetShareLimits(nil)
					m.Force(!m.Forced())
					time.Sleep(time.Millisecond)
				}
			})
		}
		waitFor(t, known(t, m), 5*time.Minute)
		waitFor(t, x, 5*time.Minute)
		stop()
		wg.Wait()
		c.onDisk(t, r.dir)
	})
}

// A thousand magnets that nobody has cost no goroutine, neither at once nor after a restart.
func TestWaitingMagnetsCostNoGoroutine(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		before := runtime.NumGoroutine()
		const n = 1000
		for i := range n {
			if _, err := r.e.AddMagnet(MagnetSpec{InfoHash: [20]byte{1, byte(i), byte(i >> 8)}, Spec: Spec{Dir: r.dir}}); err != nil {
				t.Fatal(err)
			}
		}
		check := func(when string) {
			t.Helper()
			time.Sleep(time.Minute)
			if loops, more := awake(r.e), runtime.NumGoroutine()-before; loops != 0 || more > few {
				t.Errorf("%s: %d magnets have %d loops and %d goroutines", when, n, loops, more)
			}
			if all := r.e.Torrents(); len(all) != n {
				t.Errorf("%s: there are %d", when, len(all))
			}
		}
		check("added")
		r.again()
		check("after a restart")
	})
}

// BenchmarkWaitingMagnets tells what a magnet costs that waits and has no peer.
func BenchmarkWaitingMagnets(b *testing.B) {
	const n = 1000
	dir := b.TempDir()
	var before, after runtime.MemStats
	for b.Loop() {
		e := loopback(b, Config{})
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range n {
			if _, err := e.AddMagnet(MagnetSpec{InfoHash: [20]byte{1, byte(i), byte(i >> 8)}, Name: fmt.Sprint(i), Spec: Spec{Dir: dir}}); err != nil {
				b.Fatal(err)
			}
		}
		time.Sleep(time.Second) // their loops come to rest
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/magnet")
		b.ReportMetric(float64(after.StackInuse-before.StackInuse)/n, "stack-B/magnet")
		e.Close(b.Context())
	}
}
