package engine

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/files/content"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
	"shoal/internal/simnet"
)

// kept is a torrent in a real folder, with a journal, from one engine to the next.
type kept struct {
	*world
	c          payload
	dir, state string
	seed       *Engine
}

func (w *world) kept(c payload) *kept {
	w.t.Helper()
	k := &kept{w, c, filepath.Join(w.t.TempDir(), "downloads"), w.t.TempDir(), w.engine(100, Config{})}
	if err := os.Mkdir(k.dir, 0o777); err != nil {
		w.t.Fatal(err)
	}
	w.seed(k.seed, c)
	return k
}

// run starts host n with the torrent.
func (k *kept) run(n byte, change func(*Spec)) (*Engine, *Torrent) {
	k.t.Helper()
	e := k.engine(n, Config{StateDir: k.state})
	spec := Spec{Meta: k.c.meta, Dir: k.dir, Peers: []netip.AddrPort{k.seed.Addr()}}
	if change != nil {
		change(&spec)
	}
	return e, add(k.t, e, spec)
}

// checked waits until a torrent has looked at its files.
func checkedNow(t *testing.T, l *Torrent) *Stats {
	t.Helper()
	if err := l.Checked(t.Context()); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return l.Stats()
}

// download gets the torrent and closes the engine again.
func (k *kept) download() {
	k.t.Helper()
	e, l := k.run(1, nil)
	wait(k.t, l)
	if err := e.Close(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
	k.c.same(k.t, k.dir)
}

// What was reported durable is had at the next start, and nothing is hashed for it.
func TestStartHashesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "kept", 16<<10, 300_000))
		k.download()
		_, l := k.run(2, nil)
		wait(t, l)
		if s := l.Stats(); s.State != Seeding || s.Hashed != 0 || s.Swarm.Downloaded != 0 {
			t.Errorf("after a restart: %+v", s)
		}
	})
}

// A file that was edited while we were away is noticed; it alone is hashed, and what
// is wrong in it fetched again.
func TestEditWhileAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "edited", 16<<10, 90_000, 160_000, 50_000))
		k.download()
		var path string
		for name, data := range k.c.files { // the largest
			if path == "" || len(data) > len(k.c.files[path]) {
				path = name
			}
		}
		full := filepath.Join(k.dir, path)
		data, err := os.ReadFile(full)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(full, data, 0o666); err != nil {
			t.Fatal(err)
		}
		_, l := k.run(2, nil)
		events := watch(t, l)
		wait(t, l)
		s := l.Stats()
		if most := len(data)/(16<<10) + 2; s.Hashed == 0 || s.Hashed > most || s.Swarm.Downloaded > 16<<10 {
			t.Errorf("%d pieces were hashed (at most %d are in it), %d bytes fetched", s.Hashed, most, s.Swarm.Downloaded)
		}
		synctest.Wait()
		if told := kinds(events(), EventFiles); len(told) > 1 || len(told) == 1 && !strings.Contains(told[0].Text, path) {
			t.Errorf("told: %+v", told)
		}
		k.c.same(t, k.dir)
	})
}

// A folder that is gone is a state, not an empty download: nothing is made in its
// place, and when it is back the torrent goes on by itself without hashing anything.
// A seed, which fetches nothing, waits in the same way where its files were removed.
// (A real mount point without its volume is in the torture tests.)
func TestFolderIsGone(t *testing.T) {
	for name, stand := range map[string]func(t *testing.T, dir string) (seed bool){
		"not there":              func(*testing.T, string) bool { return false },
		"a seed's folder, empty": func(t *testing.T, dir string) bool { mkdir(t, dir); return true },
		"with a lost+found in it": func(t *testing.T, dir string) bool {
			mkdir(t, dir)
			mkdir(t, filepath.Join(dir, "lost+found"))
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(makeContent(t, "volume", 16<<10, 300_000))
				k.download()
				away := k.dir + " away"
				if err := os.Rename(k.dir, away); err != nil {
					t.Fatal(err)
				}
				seed := stand(t, k.dir)
				_, l := k.run(2, func(s *Spec) { s.SeedOnly = seed })
				events := watch(t, l)
				if s := checkedNow(t, l); s.State != Missing || !errors.Is(s.Err, content.ErrNotThere) {
					t.Fatalf("with no folder: %+v", s)
				}
				time.Sleep(time.Minute)
				if s := l.Stats(); s.State != Missing {
					t.Errorf("a minute later: %+v", s)
				}
				if list, _ := os.ReadDir(k.dir); len(list) > 1 {
					t.Errorf("made in its place: %v", list)
				}
				os.RemoveAll(k.dir)
				if err := os.Rename(away, k.dir); err != nil {
					t.Fatal(err)
				}
				wait(t, l)
				if s := l.Stats(); s.State != Seeding || s.Hashed != 0 || s.Swarm.Downloaded != 0 {
					t.Errorf("when it is back: %+v", s)
				}
				synctest.Wait()
				if got := kinds(events(), EventStalled, EventResumed); len(got) != 2 {
					t.Errorf("told: %+v", got)
				}
			})
		})
	}
}

// Whoever has removed everything, or the folder too, and starts the download again on
// the same device wants it again.
func TestRemovedAndStartedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "again", 16<<10, 300_000))
		k.download()
		if err := os.RemoveAll(k.dir); err != nil {
			t.Fatal(err)
		}
		mkdir(t, k.dir)
		k.download()
	})
}

// Under a running torrent nobody knows what it means, until the user says so: then all
// of it is fetched again.
func TestRedownloadMissing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "anew", 16<<10, 300_000))
		_, l := k.run(1, nil)
		wait(t, l)
		if err := os.RemoveAll(k.dir); err != nil {
			t.Fatal(err)
		}
		mkdir(t, k.dir)
		time.Sleep(20 * time.Second)
		if s := l.Stats(); s.State != Missing {
			t.Fatalf("with no files: %+v", s)
		}
		l.RedownloadMissing()
		time.Sleep(20 * time.Second)
		wait(t, l)
		k.c.same(t, k.dir)
	})
}

// One file of several that somebody removed is fetched again, and told of: no volume
// is missing where the others are.
func TestOneFileIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "one gone", 16<<10, 70_000, 160_000, 70_000))
		k.download()
		var path string
		for name, data := range k.c.files {
			if len(data) > 50_000 {
				path = name
			}
		}
		if err := os.Remove(filepath.Join(k.dir, path)); err != nil {
			t.Fatal(err)
		}
		_, l := k.run(2, nil)
		wait(t, l)
		if s := l.Stats(); s.Swarm.Downloaded == 0 || s.Swarm.Downloaded >= s.Swarm.Size {
			t.Errorf("fetched: %d of %d", s.Swarm.Downloaded, s.Swarm.Size)
		}
		k.c.same(t, k.dir)
	})
}

// A sync that fails puts what was written since in doubt: it is hashed and written
// again, not fetched, and the completion is told when a sync has gone well.
func TestSyncFailsOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "doubt", 16<<10, 300_000))
		fsys := storage.NewMemFS()
		var syncs atomic.Int32
		faulty := &storagetest.Faulty{FS: fsys, Fail: func(call storagetest.Call) error {
			if call.Op == "sync" && syncs.Add(1) == 1 {
				return syscall.EIO
			}
			return nil
		}}
		pool := storage.NewPool(0)
		_, l := k.run(1, func(s *Spec) {
			s.Open = func() (*storage.Files, error) {
				return storage.New(storage.Entries(k.c.meta.Info), storage.Config{FS: faulty, Pool: pool})
			}
		})
		events := watch(t, l)
		wait(t, l)
		s := l.Stats()
		if s.State != Seeding || s.Hashed == 0 || s.Swarm.Downloaded > s.Swarm.Size {
			t.Errorf("at the end: %+v", s)
		}
		synctest.Wait()
		if got := kinds(events(), EventFiles, EventComplete); len(got) != 2 || got[0].Kind != EventFiles {
			t.Errorf("told: %+v", got)
		}
		k.c.in(t, fsys)
	})
}

// Two processes do not write the same files: the second one waits, and goes on when the
// first has ended.
func TestTwoAtOnce(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells the users of a folder of state apart")
	}
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "twice", 16<<10, 300_000))
		first, l := k.run(1, func(s *Spec) { s.Peers = nil })
		checkedNow(t, l)
		_, second := k.run(2, nil)
		if s := checkedNow(t, second); s.State != Stalled || !errors.Is(s.Err, resume.ErrInUse) {
			t.Errorf("the second: %+v", s)
		}
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait(t, second)
		k.c.same(t, k.dir)
	})
}

// Where no journal can be kept the torrent is got all the same, and that is told.
func TestNoStateFolder(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "stateless", 16<<10, 100_000))
		k.state = filepath.Join(k.state, "file")
		if err := os.WriteFile(k.state, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		_, l := k.run(1, nil)
		events := watch(t, l)
		wait(t, l)
		synctest.Wait()
		if told := kinds(events(), EventFiles); len(told) != 1 || !strings.Contains(told[0].Text, "no journal") {
			t.Errorf("told: %+v", told)
		}
		k.c.same(t, k.dir)
	})
}

// A disk that is slow holds back its own torrents; others, on another one, keep their
// rate, and can be stopped while it hangs.
func TestSlowDisk(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		slow, quick := makeContent(t, "slow", 64<<10, 6<<20), makeContent(t, "quick", 64<<10, 6<<20)
		seed := w.engine(1, Config{})
		w.seed(seed, slow)
		w.seed(seed, quick)
		w.net.SetLink(hostAddr(1), hostAddr(2), simnet.Link{Delay: time.Millisecond, Rate: 2_000_000})
		peers := []netip.AddrPort{seed.Addr()}
		alone := func(n byte) time.Duration {
			w.net.SetLink(hostAddr(1), hostAddr(n), simnet.Link{Delay: time.Millisecond, Rate: 2_000_000})
			start := time.Now()
			l, _ := w.leech(w.engine(n, Config{}), quick, peers...)
			wait(t, l)
			return time.Since(start)
		}(3)

		e := w.engine(2, Config{Buffers: 1 << 20, Workers: 2})
		hangs := hooked(slow.on(t, storage.NewMemFS()), nil, func() error { time.Sleep(20 * time.Second); return nil })
		s := add(t, e, Spec{Meta: slow.meta, Storage: hangs, Peers: peers, Device: 1})
		time.Sleep(30 * time.Second) // its buffers are all in use
		start := time.Now()
		q := add(t, e, Spec{Meta: quick.meta, Storage: quick.on(t, storage.NewMemFS()), Peers: peers, Device: 2})
		wait(t, q)
		if d := time.Since(start); d > alone*5/4 {
			t.Errorf("beside a slow disk it took %v, alone %v", d, alone)
		}
		if st := s.Stats(); st.Swarm.Have > 10 {
			t.Errorf("the slow disk is not slow: %+v", st.Swarm)
		}
		start = time.Now()
		q.Stop(t.Context())
		if d := time.Since(start); d > time.Second {
			t.Errorf("stopping took %v", d)
		}
	})
}

// A folder that goes away under a running torrent is noticed: what comes in its place
// stays empty, and the torrent goes on when it is back.
func TestFolderGoesWhileRunning(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "going", 16<<10, 300_000))
		_, l := k.run(1, nil)
		wait(t, l)
		away := k.dir + " away"
		if err := os.Rename(k.dir, away); err != nil {
			t.Fatal(err)
		}
		mkdir(t, k.dir)
		time.Sleep(20 * time.Second)
		if s := l.Stats(); s.State != Missing {
			t.Errorf("with another folder in its place: %+v", s)
		}
		if list, _ := os.ReadDir(k.dir); len(list) > 0 {
			t.Errorf("made in its place: %v", list)
		}
		if err := os.Remove(k.dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(away, k.dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if s := l.Stats(); s.State != Seeding || s.Hashed != 0 {
			t.Errorf("when it is back: %+v", s)
		}
	})
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
}
