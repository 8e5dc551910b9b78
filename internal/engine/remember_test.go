package engine

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/files/catalogue"
	"shoal/internal/value/infohash"
)

// rememberer is an engine that remembers, from one run to the next.
type rememberer struct {
	*world
	host       byte
	dir, state string
	seed       *Engine // has everything
	e          *Engine
}

func (w *world) rememberer() *rememberer {
	w.t.Helper()
	r := &rememberer{world: w, dir: filepath.Join(w.t.TempDir(), "downloads"), state: w.t.TempDir(), seed: w.engine(100, Config{})}
	mkdir(w.t, r.dir)
	r.again()
	return r
}

// again ends the run, and begins the next.
func (r *rememberer) again() {
	r.t.Helper()
	r.close()
	r.host++
	r.e = r.engine(r.host, Config{StateDir: r.state, Remember: true})
}

func (r *rememberer) close() {
	r.t.Helper()
	if r.e == nil {
		return
	}
	if err := r.e.Close(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rememberer) spec(c payload) Spec {
	return Spec{Meta: c.meta, Dir: r.dir, Peers: []netip.AddrPort{r.seed.Addr()}}
}

// names gives what is remembered, in order: "name", with "-" before it when it does not run.
func (r *rememberer) names() (names []string) {
	for _, x := range r.e.Remembered() {
		if (x.Torrent == nil) != x.Stopped {
			r.t.Errorf("%s is stopped: %v, and runs: %v", x.Name, x.Stopped, x.Torrent != nil)
		}
		mark := ""
		if x.Stopped {
			mark = "-"
		}
		names = append(names, mark+x.Name)
	}
	return names
}

func (r *rememberer) expect(when string, want ...string) {
	r.t.Helper()
	if got := r.names(); !slices.Equal(got, want) {
		r.t.Errorf("%s: remembered %v, want %v", when, got, want)
	}
}

func (r *rememberer) one(name string) Remembered {
	r.t.Helper()
	for _, x := range r.e.Remembered() {
		if x.Name == name {
			return x
		}
	}
	r.t.Fatalf("%s is not remembered", name)
	return Remembered{}
}

// Torrents come back with what was chosen for them, in their order, with what they had;
// a stopped one stays stopped until it is started; a removed one is forgotten, and its
// files stay. Totals go on.
func TestTorrentsComeBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		one, two, three := makeContent(t, "one", 16<<10, 100_000), makeContent(t, "two", 16<<10, 50_000, 60_000), makeContent(t, "three", 16<<10, 70_000)
		for _, c := range []payload{one, two, three} {
			w.seed(r.seed, c)
		}
		wait(t, add(t, r.e, r.spec(one)))
		spec := r.spec(two)
		spec.Priorities, spec.Allocate = []uint8{3, 0}, true
		spec.WebSeeds = []string{"http://10.0.0.99/none/"}
		wait(t, add(t, r.e, spec))
		spec = r.spec(three)
		spec.SeedOnly = true
		if err := add(t, r.e, spec).Checked(t.Context()); err != nil {
			t.Fatal(err)
		}
		added := r.one("two").Added
		r.again()
		r.expect("after a start", "one", "two", "three")
		for _, x := range r.e.Remembered() {
			if s := checkedNow(t, x.Torrent); s.Hashed != 0 || s.Swarm.Downloaded != 0 {
				t.Errorf("%s hashed %d pieces and fetched %d bytes", x.Name, s.Hashed, s.Swarm.Downloaded)
			}
		}
		x := r.one("two")
		if x.Torrent.Priority(0) != 3 || x.Torrent.Priority(1) != 0 || !x.Torrent.content.Options().Allocate || !x.Added.Equal(added) || x.Dir != r.dir ||
			!slices.Equal(x.Torrent.spec.Peers, spec.Peers) || !slices.Equal(x.Torrent.spec.chosen.seeds(), []string{"http://10.0.0.99/none/"}) {
			t.Errorf("what was chosen for two: %+v, %+v", x, x.Torrent.spec)
		}
		if s := r.one("three").Torrent.Stats(); s.State != Incomplete {
			t.Errorf("three, which is not to be fetched, is %v", s.State)
		}
		if x := r.one("one"); x.Downloaded != 100_000 || x.Torrent.Totals().Downloaded != 100_000 {
			t.Errorf("of one %d bytes were fetched in all runs", x.Downloaded)
		}

		// Another choice, a stop, and a removal.
		if err := x.Torrent.SetPriorities([]uint8{1, 2}); err != nil {
			t.Fatal(err)
		}
		wait(t, r.one("two").Torrent)
		r.one("one").Torrent.Stop(t.Context())
		r.expect("after a stop", "-one", "two", "three")
		if err := r.e.Remove(t.Context(), three.meta.InfoHash); err != nil {
			t.Fatal(err)
		}
		r.expect("after a removal", "-one", "two")
		r.again()
		r.expect("after another start", "-one", "two")
		if n := len(r.e.Torrents()); n != 1 {
			t.Errorf("%d torrents run", n)
		}
		if x := r.one("two").Torrent; x.Priority(0) != 1 || x.Priority(1) != 2 {
			t.Error("the other choice is lost")
		}
		one.same(t, r.dir)

		// What is stopped can be started, and has what it had.
		l, err := r.e.Start(one.meta.InfoHash, "")
		if err != nil {
			t.Fatal(err)
		}
		wait(t, l)
		if s := l.Stats(); s.Hashed != 0 || s.Swarm.Downloaded != 0 || l.Totals().Downloaded != 100_000 {
			t.Errorf("started again: %+v, %+v", s, l.Totals())
		}
		if _, err := r.e.Start(one.meta.InfoHash, ""); !errors.Is(err, ErrDuplicate) {
			t.Errorf("started twice: %v", err)
		}
		if _, err := r.e.Start(three.meta.InfoHash, ""); !errors.Is(err, ErrUnknown) {
			t.Errorf("what is forgotten is started: %v", err)
		}
		if err := r.e.Remove(t.Context(), three.meta.InfoHash); !errors.Is(err, ErrUnknown) {
			t.Errorf("what is forgotten is removed: %v", err)
		}
		r.again()
		r.expect("started for good", "one", "two")

		// Added again with its torrent file, a stopped one has its totals and its place.
		r.one("one").Torrent.Stop(t.Context())
		l = add(t, r.e, r.spec(one))
		wait(t, l)
		r.expect("added again", "one", "two")
		if got := l.Totals().Downloaded; got != 100_000 {
			t.Errorf("added again, its total is %d", got)
		}
	})
}

// A torrent that is removed leaves no journal, one that is only stopped does.
func TestRemovedJournal(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		one, two := makeContent(t, "one", 16<<10, 100_000), makeContent(t, "two", 16<<10, 50_000)
		for _, c := range []payload{one, two} {
			w.seed(r.seed, c)
			wait(t, add(t, r.e, r.spec(c)))
		}
		journals := func() int {
			t.Helper()
			found, err := filepath.Glob(filepath.Join(r.state, "journals", "*", "*.journal"))
			if err != nil {
				t.Fatal(err)
			}
			return len(found)
		}
		r.one("two").Torrent.Stop(t.Context())
		if n := journals(); n != 2 {
			t.Errorf("%d journals after a stop", n)
		}
		for i, h := range []infohash.Hash{two.meta.InfoHash, one.meta.InfoHash} {
			if err := r.e.Remove(t.Context(), h); err != nil {
				t.Fatal(err)
			}
			if n := journals(); n != 1-i {
				t.Errorf("%d journals after %d removals", n, i+1)
			}
		}
		one.same(t, r.dir)
		two.same(t, r.dir)
	})
}

// What was remembered is there after a stop without warning: what was added a moment
// ago, and the totals of some seconds ago.
func TestStopWithoutWarning(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "sudden", 16<<10, 100_000)
		w.seed(r.seed, c)
		l := add(t, r.e, r.spec(c))
		time.Sleep(2 * writeSoon)
		if problems, entries := readCatalogue(t, r.state); len(problems) > 0 || len(entries) != 1 {
			t.Errorf("right after it was added: %d torrents, %v", len(entries), problems)
		}
		wait(t, l)
		time.Sleep(totalsSoonest + time.Second)
		if problems, entries := readCatalogue(t, r.state); len(problems) > 0 || len(entries) != 1 || entries[0].Downloaded != 100_000 {
			t.Errorf("seconds later: %d torrents, %v", len(entries), problems)
		}
	})
}

// Volumes are not there, entries are damaged: those torrents wait or are told, and the
// others do not notice.
func TestComesBackAsFarAsItCan(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		names := []string{"away", "damaged", "fine", "gone"}
		var all []payload
		for _, name := range names {
			c := makeContent(t, name, 16<<10, 100_000)
			all = append(all, c)
			w.seed(r.seed, c)
			spec := r.spec(c)
			spec.Dir = filepath.Join(r.dir, name)
			mkdir(t, spec.Dir)
			wait(t, add(t, r.e, spec))
		}
		r.close()
		r.e = nil
		if err := os.Rename(filepath.Join(r.dir, "away"), filepath.Join(r.dir, "aside")); err != nil {
			t.Fatal(err)
		}
		entry := func(c payload) string {
			return filepath.Join(CatalogueDir(r.state), c.meta.InfoHash.String()+".entry")
		}
		b, err := os.ReadFile(entry(all[1]))
		if err != nil {
			t.Fatal(err)
		}
		for i := 10; i < len(b)-10; i += 7 {
			b[i] ^= 0x55
		}
		if err := os.WriteFile(entry(all[1]), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(entry(all[3])); err != nil {
			t.Fatal(err)
		}

		r.again()
		r.expect("what is left", "away", "fine")
		var told []string
		for _, p := range r.e.Problems() {
			if p.Loss != catalogue.Torrent {
				t.Errorf("%v costs %v", p, p.Loss)
			}
			told = append(told, p.InfoHash.String())
		}
		want := []string{all[1].meta.InfoHash.String(), all[3].meta.InfoHash.String()}
		slices.Sort(told)
		slices.Sort(want)
		if !slices.Equal(told, want) {
			t.Errorf("told of %v, want %v", told, want)
		}
		if s := checkedNow(t, r.one("fine").Torrent); s.State != Seeding || s.Hashed != 0 {
			t.Errorf("the one that is fine: %+v", s)
		}
		x := r.one("away").Torrent
		if s := checkedNow(t, x); s.State != Missing {
			t.Errorf("the one that is away is %v", s.State)
		}
		if _, err := os.Stat(filepath.Join(r.dir, "away")); err == nil {
			t.Error("its folder was made")
		}
		if err := os.Rename(filepath.Join(r.dir, "aside"), filepath.Join(r.dir, "away")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s := x.Stats(); s.State != Seeding || s.Hashed != 0 || s.Swarm.Downloaded != 0 {
			t.Errorf("and when it is back: %+v", s)
		}
	})
}

// One engine at a time remembers in a folder of state; the next one is told, and may
// once the first has closed. Whoever keeps journals only is not in its way.
func TestOneAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		cfg := Config{StateDir: r.state, Remember: true, Network: w.net.Host(hostAddr(9)), Listen: at(9)}
		if e, err := New(cfg); !errors.Is(err, catalogue.ErrInUse) {
			t.Errorf("a second one: %v, %v", e, err)
		} else if !strings.Contains(err.Error(), r.state) {
			t.Errorf("%v does not name the folder", err)
		}
		w.engine(10, Config{StateDir: r.state})
		r.again()

		// One that can't have its port gives the folder up.
		r.close()
		r.e = nil
		cfg.Listen = at(100) // not of this host
		if e, err := New(cfg); err == nil {
			t.Fatalf("an engine at %v", e.Addr())
		}
		r.again()
	})
}

// A torrent that is moved is remembered where it is, before its old files go.
func TestMovedIsRemembered(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "moved", 16<<10, 100_000)
		w.seed(r.seed, c)
		wait(t, add(t, r.e, r.spec(c)))
		to := filepath.Join(filepath.Dir(r.dir), "elsewhere")
		mkdir(t, to)
		if err := r.one("moved").Torrent.Move(t.Context(), to, nil); err != nil {
			t.Fatal(err)
		}
		_, entries := readCatalogue(t, r.state)
		if len(entries) != 1 || entries[0].Dir != to {
			t.Errorf("on disk it is remembered in %+v", entries)
		}
		r.again()
		l := r.one("moved").Torrent
		wait(t, l)
		synctest.Wait()
		if s := l.Stats(); l.Dir() != to || s.Hashed != 0 || s.Swarm.Downloaded != 0 {
			t.Errorf("in %s: %+v", l.Dir(), s)
		}
	})
}

// readCatalogue reads a copy of what is remembered, as a start after a kill would.
func readCatalogue(t *testing.T, state string) ([]catalogue.Problem, []catalogue.Entry) {
	t.Helper()
	synctest.Wait() // a write that is due now renames files while they are copied
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(state)); err != nil {
		t.Fatal(err)
	}
	_, lo, closeIt, err := OpenCatalogue(to)
	if err != nil {
		t.Fatal(err)
	}
	if err := closeIt(t.Context()); err != nil {
		t.Fatal(err)
	}
	return lo.Problems, lo.Entries
}

// Torrents that are added, stopped and removed from everywhere at once leave the engine and
// the catalogue of one mind.
func TestRememberFromEverywhere(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		var all []payload
		for _, name := range []string{"a", "b", "c"} {
			all = append(all, makeContent(t, name, 16<<10, 30_000))
		}
		done := make(chan struct{})
		for i := range 12 {
			go func() {
				defer func() { done <- struct{}{} }()
				c := all[i%len(all)]
				for k := range 20 {
					switch (i + k) % 4 {
					case 0, 1:
						_, err := r.e.Add(r.spec(c))
						if err != nil && !errors.Is(err, ErrDuplicate) {
							t.Error(err)
						}
					case 2:
						for _, l := range r.e.Torrents() {
							if l.InfoHash() == c.meta.InfoHash {
								l.Stop(t.Context())
							}
						}
					case 3:
						if err := r.e.Remove(t.Context(), c.meta.InfoHash); err != nil && !errors.Is(err, ErrUnknown) {
							t.Error(err)
						}
					}
				}
			}()
		}
		for range 12 {
			<-done
		}
		was := r.names()
		r.again()
		r.expect("after a start", was...)
		for _, l := range r.e.Torrents() {
			r.one(l.Info().Name)
		}
	})
}

// While a user goes on choosing, what was chosen is written all the same.
func TestChoicesAreWrittenWhileOthersCome(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		tor := add(t, r.e, r.spec(makeContent(t, "one", 16<<10, 100_000)))
		for range 20 { // never quiet for as long as changes are gathered
			tor.SetLimits(Limits{Up: tor.Limits().Up + 1})
			time.Sleep(writeSoon / 2)
		}
		if problems, entries := readCatalogue(t, r.state); len(problems) > 0 || len(entries) != 1 {
			t.Errorf("after %v: %d torrents, %v", 10*writeSoon, len(entries), problems)
		}
	})
}
