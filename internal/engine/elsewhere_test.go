package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/content"
	"shoal/internal/files/journals"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// copyTree copies a folder with the times of its files, as cp -a does.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := os.CopyFS(to, os.DirFS(from))
	if err == nil {
		err = filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			rest, err := filepath.Rel(from, name)
			return errors.Join(err, os.Chtimes(filepath.Join(to, rest), info.ModTime(), info.ModTime()))
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// later gives a file another time.
func later(t *testing.T, name string) {
	t.Helper()
	info, err := os.Stat(name)
	if err == nil {
		at := info.ModTime().Add(time.Minute)
		err = os.Chtimes(name, at, at)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// piecesOf returns how many pieces touch a file.
func (c payload) piecesOf(file int) int {
	f, size := &c.meta.Info.Files[file], int64(c.meta.Info.PieceLength)
	return int((f.Offset+f.Length+size-1)/size - f.Offset/size)
}

// A folder has another path, and files of the size and time that the journal of the old path
// notes: they are trusted, and everything else is hashed. The old journal stays.
func TestFolderElsewhere(t *testing.T) {
	renames := func(t *testing.T, k *kept, to string) {
		if err := os.Rename(k.dir, to); err != nil {
			t.Fatal(err)
		}
	}
	copies := func(t *testing.T, k *kept, to string) { copyTree(t, k.dir, to) }
	in := func(k *kept, dir string, file int) string {
		return filepath.Join(append([]string{dir}, k.c.meta.Info.Files[file].Path...)...)
	}
	all := func(k *kept) int { return int(k.c.meta.Info.NumPieces()) }
	none := func(*kept) int { return 0 }
	cases := []struct {
		name    string
		happens func(t *testing.T, k *kept, to string)
		hashed  func(k *kept) int
		fetched func(k *kept) int // pieces; nil for none
		stays   bool              // the old folder has its files, and is trusted as before
	}{
		{name: "the folder is renamed", happens: renames, hashed: none},
		{name: "a copy that keeps the times", happens: copies, hashed: none, stays: true},
		{name: "a copy that keeps whole seconds", hashed: none, stays: true, happens: func(t *testing.T, k *kept, to string) {
			copies(t, k, to)
			for _, i := range []int{0, 2, 3} {
				info, err := os.Stat(in(k, to, i))
				if err != nil {
					t.Fatal(err)
				}
				at := info.ModTime().Truncate(time.Second)
				if err := os.Chtimes(in(k, to, i), at, at); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{name: "a copy with other times", hashed: all, stays: true, happens: func(t *testing.T, k *kept, to string) {
			copies(t, k, to)
			for _, i := range []int{0, 2, 3} {
				later(t, in(k, to, i))
			}
		}},
		{name: "one file has another time", hashed: func(k *kept) int { return k.c.piecesOf(2) }, stays: true, happens: func(t *testing.T, k *kept, to string) {
			copies(t, k, to)
			later(t, in(k, to, 2))
		}},
		{
			name: "one file has another size", stays: true,
			hashed:  func(k *kept) int { return k.c.piecesOf(3) },
			fetched: func(*kept) int { return 1 },
			happens: func(t *testing.T, k *kept, to string) {
				copies(t, k, to)
				if err := os.Truncate(in(k, to, 3), k.c.meta.Info.Files[3].Length-10); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "one file is not in the copy", stays: true, hashed: none,
			fetched: func(k *kept) int { return k.c.piecesOf(2) },
			happens: func(t *testing.T, k *kept, to string) {
				copies(t, k, to)
				if err := os.Remove(in(k, to, 2)); err != nil {
					t.Fatal(err)
				}
			},
		},
		{name: "nothing is in the new folder", hashed: none, fetched: all, stays: true, happens: func(t *testing.T, _ *kept, to string) { mkdir(t, to) }},
		{name: "the journal is damaged", hashed: all, happens: func(t *testing.T, k *kept, to string) {
			lay := resume.Layout{InfoHash: k.c.meta.InfoHash}
			rot(t, filepath.Join(journals.Dir(k.state, k.dir), lay.FileName()), 100)
			renames(t, k, to)
		}},
		{name: "the older of two journals knows nothing of the files", hashed: none, happens: func(t *testing.T, k *kept, to string) {
			old := k.dir
			k.dir = filepath.Join(filepath.Dir(old), "first")
			copyTree(t, old, k.dir)
			for _, i := range []int{0, 2, 3} {
				later(t, in(k, k.dir, i))
			}
			e, l := k.run(4, nil)
			wait(t, l)
			if err := errors.Join(e.Close(t.Context()), os.Rename(old, to)); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, seedOnly := range []bool{false, true} {
		for _, c := range cases {
			if seedOnly && c.fetched != nil {
				continue
			}
			t.Run(fmt.Sprintf("%s, seed only: %v", c.name, seedOnly), func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					k := w.kept(makeContent(t, "elsewhere", 16<<10, 100_000, 0, 70_000, 200_000))
					k.download()
					old, to := k.dir, filepath.Join(filepath.Dir(k.dir), "elsewhere")
					c.happens(t, k, to)
					journal := filepath.Join(journals.Dir(k.state, old), (&resume.Layout{InfoHash: k.c.meta.InfoHash}).FileName())
					before, err := os.ReadFile(journal)
					if err != nil {
						t.Fatal(err)
					}
					k.dir = to
					fetched := 0
					if c.fetched != nil {
						fetched = c.fetched(k)
					}
					e, l := k.run(2, func(s *Spec) { s.SeedOnly = seedOnly })
					wait(t, l)
					synctest.Wait()
					s := l.Stats()
					pieces := int((s.Swarm.Downloaded + 16<<10 - 1) / (16 << 10))
					if int(s.Hashed) != c.hashed(k) || pieces != fetched {
						t.Errorf("hashed %d, fetched %d pieces; want %d, %d", s.Hashed, pieces, c.hashed(k), fetched)
					}
					if err := e.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
					k.c.same(t, to)
					if after, err := os.ReadFile(journal); err != nil || !slices.Equal(before, after) {
						t.Errorf("the old journal is another one: %v", err)
					}
					// The new folder has a journal of its own now, and the old one has its own still.
					dirs := []string{to}
					if c.stays {
						dirs = append(dirs, old)
					}
					for _, k.dir = range dirs {
						e, l = k.run(3, nil)
						wait(t, l)
						if s := l.Stats(); s.Hashed != 0 || s.Swarm.Downloaded != 0 {
							t.Errorf("then in %s: hashed %d, fetched %d", k.dir, s.Hashed, s.Swarm.Downloaded)
						}
						if err := e.Close(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
				})
			})
		}
	}
}

// Names that the user gave, suffixes of unfinished files and the part file come along.
func TestNamesElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		first func(s *Spec)                           // of the first run
		do    func(t *testing.T, k *kept, l *Torrent) // nil: it goes on until it is complete
		names Names
		done  bool
	}{
		"renamed": {done: true, names: Names{0: "mine/one", 2: "two"}},
		"a single folder is renamed": {done: true, names: Names{
			0: "other/part/a", 1: "other/part/b", 2: "other/part/c", 3: "other/part/d",
		}},
		"a suffix":  {first: func(s *Spec) { s.Paths = &Paths{Suffix: ".half"} }},
		"half":      {},
		"part file": {first: func(s *Spec) { s.Priorities = []uint8{2, 2, 0, 2} }, done: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(makeContent(t, "elsewhere", 16<<10, 100_000, 0, 70_000, 1<<20))
				w.net.SetLink(hostAddr(100), hostAddr(1), slow)
				e, l := k.run(1, c.first)
				if c.done {
					wait(t, l)
				} else {
					begun(l, 30)
				}
				if c.names != nil {
					if err := l.Rename(t.Context(), c.names); err != nil {
						t.Fatal(err)
					}
				}
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				old := k.dir
				k.dir = filepath.Join(filepath.Dir(old), "elsewhere")
				copyTree(t, old, k.dir)
				had := onDisk(t, old)

				v, err := content.Verify(t.Context(), content.VerifySpec{Meta: k.c.meta, Dir: k.dir, StateDir: k.state})
				if err != nil {
					t.Fatal(err)
				}
				if n := int(v.Good.Count()); c.done && n < int(k.c.meta.Info.NumPieces())-5 || n < 30 || v.Withdrawn != 0 {
					t.Errorf("a check finds %d good pieces, and takes %d back", n, v.Withdrawn)
				}
				if there := onDisk(t, k.dir); !slices.Equal(there, had) {
					t.Errorf("after the check there are %v, and were %v", there, had)
				}

				e, l = k.run(2, nil)
				s := checkedNow(t, l)
				if n := int(s.Hashed); n > 2 {
					t.Errorf("hashed %d", n)
				}
				wait(t, l)
				s = l.Stats()
				if most := s.Swarm.Size - 30*16<<10 + 1<<16; s.Swarm.Downloaded > most || c.done && s.Swarm.Downloaded > 100_000 {
					t.Errorf("fetched %d of %d", s.Swarm.Downloaded, s.Swarm.Size)
				}
				for i, name := range c.names {
					if l.Path(i) != name {
						t.Errorf("file %d is %s", i, l.Path(i))
					}
				}
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				if c.names == nil {
					k.c.only(t, k.dir)
				}
				if there := onDisk(t, old); !slices.Equal(there, had) {
					t.Errorf("the old folder has %v, and had %v", there, had)
				}
			})
		})
	}
}

// A volume goes on in another place and comes back to the first one, time and again: neither
// place hashes what the other has written.
func TestBackAndForth(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "elsewhere", 16<<10, 100_000, 0, 70_000, 2<<20))
		w.net.SetLink(hostAddr(100), hostAddr(1), slow)
		other, total := filepath.Join(filepath.Dir(k.dir), "elsewhere"), int64(0)
		for round := range 4 {
			e, l := k.run(1, nil)
			events := watch(t, l)
			if s := checkedNow(t, l); s.Hashed > 1 {
				t.Errorf("round %d: hashed %d", round, s.Hashed)
			}
			if round < 3 {
				begun(l, 20)
			} else {
				wait(t, l)
			}
			total += l.Stats().Swarm.Downloaded
			for _, ev := range kinds(events(), EventFiles) {
				t.Errorf("round %d: %s", round, ev.Text)
			}
			if err := errors.Join(e.Close(t.Context()), os.Rename(k.dir, other)); err != nil {
				t.Fatal(err)
			}
			k.dir, other = other, k.dir
		}
		if size := k.c.meta.Info.Length; total > size+4*80<<10 {
			t.Errorf("fetched %d of %d", total, size)
		}
		k.c.same(t, k.dir)
	})
}

// The journal of a folder in which somebody gets the torrent right now is left alone: what it
// says may change at any moment.
func TestElsewhereInUse(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "elsewhere", 16<<10, 2<<20))
		w.net.SetLink(hostAddr(100), hostAddr(1), slow)
		_, l := k.run(1, nil)
		begun(l, 30)
		old := k.dir
		k.dir = filepath.Join(filepath.Dir(old), "elsewhere")
		copyTree(t, old, k.dir)
		e, second := k.run(2, nil)
		wait(t, second)
		if s := second.Stats(); s.Hashed < 30 {
			t.Errorf("hashed %d", s.Hashed)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.c.same(t, k.dir)
		wait(t, l)
		k.c.same(t, old)
	})
}

// A stop at every call to the file system, and a crash in every way, while a folder is known
// from the journal of another path: nothing is fetched again, and both journals are right.
func TestElsewhereStopped(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		stopped := true
		for n := 1 + int(mode); stopped; n += step(n) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.crashing(true)
				e, l := k.start(nil)
				wait(t, l)
				synctest.Wait()
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				// What a bind mount shows: the same files in another place.
				there := k.fs.Folder("elsewhere")
				for _, name := range k.list("home") {
					name = name[len("home/"):]
					for i, c := range name {
						if c == '/' {
							_ = there.Mkdir(name[:i])
							k.must(there.SyncDir(path.Dir(name[:i])))
						}
					}
					k.must(there.Link(k.fs.Folder("home"), name))
					k.must(there.SyncDir(path.Dir(name)))
				}
				when := fmt.Sprintf("stopped at call %d, %v", n, mode)
				e, _ = k.startKnown("elsewhere", "home")
				k.fs.StopAt(n)
				time.Sleep(10 * time.Second)
				stopped = k.fs.Stopped()
				k.end(e, mode, n)
				for _, dir := range []string{"elsewhere", "home"} {
					e, l = k.startKnown(dir, "home")
					wait(t, l)
					synctest.Wait()
					if s := l.Stats(); s.Swarm.Downloaded > 0 || s.Hashed > 0 {
						t.Errorf("%s: in %s %d bytes were fetched, %d pieces hashed", when, dir, s.Swarm.Downloaded, s.Hashed)
					}
					if err := e.Close(t.Context()); err != nil {
						t.Errorf("%s: close: %v", when, err)
					}
					k.holds(dir, nil, when)
				}
			})
			if t.Failed() {
				return
			}
		}
	}
}

// startKnown starts a process with the torrent in a folder, with the journals of another one
// to look at.
func (k *crashing) startKnown(dir, known string) (*Engine, *Torrent) {
	k.t.Helper()
	k.host++
	e := k.engine(k.host, Config{StateDir: "state", seams: &seams{
		folder: func(dir string) (storage.FS, error) { return k.fs.Folder(dir[1:]), nil },
		state:  k.twin(known),
	}})
	return e, add(k.t, e, Spec{Meta: k.c.meta, Dir: "/" + dir, Peers: []netip.AddrPort{k.seed.Addr()}})
}
