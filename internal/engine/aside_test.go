package engine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// begun waits until so many pieces are verified.
func begun(l *Torrent, pieces int) {
	sub := l.Subscribe()
	defer sub.Close()
	for n := 0; n < pieces; {
		if e, ok := <-sub.C; !ok {
			return
		} else if e.Kind == EventPieceVerified {
			n++
		}
	}
}

// A file has the suffix until it is complete and durable, each by itself; a restart in
// between finds it, with the option and without, and with another one.
func TestSuffix(t *testing.T) {
	for name, then := range map[string]*Paths{
		"again": {Suffix: ".part"}, "not again": nil, "another": {Suffix: ".tmp"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(makeContent(t, "partial", 16<<10, 40_000, 1<<20, 0, 40_000))
				w.net.SetLink(hostAddr(100), hostAddr(1), slow)
				e, l := k.run(1, func(s *Spec) {
					s.Paths = &Paths{Suffix: ".part"}
					s.Priorities = []uint8{3, 2, 2, 1}
				})
				begun(l, 30)
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				// What came first is complete, and what is large is not. One has no bytes.
				there := onDisk(t, k.dir)
				for name, want := range map[string]bool{"a": true, "a.part": false, "b": false, "b.part": true, "c": true, "c.part": false} {
					if slices.Contains(there, "partial/part/"+name) != want {
						t.Errorf("in the middle there are %v", there)
					}
				}
				_, l = k.run(2, func(s *Spec) { s.Paths = then })
				wait(t, l)
				if s := l.Stats(); s.Swarm.Downloaded > s.Swarm.Size-30*16<<10+1<<16 {
					t.Errorf("fetched %d of %d in the second run", s.Swarm.Downloaded, s.Swarm.Size)
				}
				k.c.only(t, k.dir)
			})
		})
	}
}

// A file that lies there by the name that one gets in the end is adopted where it is right,
// and kept beside in the end where it came later and is another one (decisions 0050 and 0132);
// with Overwrite it goes.
func TestSuffixMeetsAFile(t *testing.T) {
	for name, overwrite := range map[string]bool{"kept": false, "overwritten": true} {
		t.Run(name, func(t *testing.T) { suffixMeetsAFile(t, overwrite) })
	}
}

func suffixMeetsAFile(t *testing.T, overwrite bool) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "meets", 16<<10, 100_000, 1<<20))
		first := filepath.Join(k.dir, filepath.Join(k.c.meta.Info.Files[0].Path...))
		second := filepath.Join(k.dir, filepath.Join(k.c.meta.Info.Files[1].Path...))
		if err := errors.Join(os.MkdirAll(filepath.Dir(first), 0o777), os.WriteFile(first, k.c.data[:100_000], 0o666)); err != nil {
			t.Fatal(err)
		}
		w.net.SetLink(hostAddr(100), hostAddr(1), slow)
		e, l := k.run(1, func(s *Spec) { s.Paths, s.Overwrite = &Paths{Suffix: ".part"}, overwrite })
		events := watch(t, l)
		begun(l, 10)
		if err := os.WriteFile(second, []byte("mine"), 0o666); err != nil {
			t.Fatal(err)
		}
		wait(t, l)
		if s := l.Stats(); s.State != Seeding || s.Swarm.Downloaded > s.Swarm.Size-80_000 {
			t.Errorf("at the end: %+v", s)
		}
		synctest.Wait()
		told := kinds(events(), EventKept)
		b, err := os.ReadFile(second + ".before-shoal")
		if overwrite {
			if err == nil || len(told) != 0 {
				t.Errorf("it is kept with %d bytes; told: %+v", len(b), told)
			}
		} else if string(b) != "mine" || len(told) != 1 || !strings.Contains(told[0].Text, "kept as b.before-shoal") {
			t.Errorf("kept: %q (%v); told: %+v", b, err, told)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(second + ".before-shoal")
		_, l = k.run(2, nil)
		wait(t, l)
		if s := l.Stats(); s.Swarm.Downloaded != 0 || s.Hashed != 0 {
			t.Errorf("at the next start: %+v", s)
		}
		k.c.only(t, k.dir)
	})
}

// Where no journal can be kept the suffix is there all the same.
func TestSuffixWithoutState(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "stateless", 16<<10, 300_000, 300_000))
		file := filepath.Join(k.state, "file")
		if err := os.WriteFile(file, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		k.state = file
		w.net.SetLink(hostAddr(100), hostAddr(1), slow)
		_, l := k.run(1, func(s *Spec) { s.Paths = &Paths{Suffix: ".part"} })
		begun(l, 3)
		if there := onDisk(t, k.dir); !slices.ContainsFunc(there, func(s string) bool { return strings.HasSuffix(s, ".part") }) {
			t.Errorf("in the middle there are %v", there)
		}
		wait(t, l)
		k.c.only(t, k.dir)
	})
}

// One file is called as another one would be while it is not complete.
func TestSuffixOfAnotherFile(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "clash", 16<<10, 300_000, 300_000))
		names := Names{0: "a", 1: "A.part"}
		_, l := k.run(1, func(s *Spec) { s.Paths = &Paths{Suffix: ".part", Rename: names} })
		wait(t, l)
		k.c.under(names).only(t, k.dir)
	})
}

// Files lie in another folder until all are complete: on the same volume and on another
// one; a restart in between finds them, with the option and without.
func TestIncompleteDir(t *testing.T) {
	for name, where := range map[string]string{"the same volume": "", "another volume": "/dev/shm"} {
		for _, again := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					k := w.kept(makeContent(t, "aside", 16<<10, 40_000, 1<<20, 0, 40_000))
					w.net.SetLink(hostAddr(100), hostAddr(1), slow)
					aside, err := os.MkdirTemp(where, "shoal")
					if err != nil {
						t.Skip(err)
					}
					defer os.RemoveAll(aside)
					paths := &Paths{IncompleteDir: aside, Suffix: ".part"}
					e, l := k.run(1, func(s *Spec) { s.Paths = paths })
					begun(l, 30)
					if l.Dir() != aside {
						t.Errorf("they are in %s", l.Dir())
					}
					if err := e.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
					if there := onDisk(t, k.dir); len(there) > 0 {
						t.Errorf("too early there are %v", there)
					}
					e, l = k.run(2, func(s *Spec) {
						if again {
							s.Paths = paths
						}
					})
					wait(t, l)
					if s := l.Stats(); s.Swarm.Downloaded > s.Swarm.Size-30*16<<10+1<<16 || l.Dir() != k.dir {
						t.Errorf("fetched %d of %d in the second run; in %s", s.Swarm.Downloaded, s.Swarm.Size, l.Dir())
					}
					k.c.only(t, k.dir)
					if left := onDisk(t, aside); len(left) > 0 {
						t.Errorf("left behind: %v", left)
					}
					if err := e.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
					_, l = k.run(3, func(s *Spec) { s.Paths = paths })
					wait(t, l)
					if s := l.Stats(); s.Hashed != 0 || l.Dir() != k.dir {
						t.Errorf("after a restart: %+v in %s", s, l.Dir())
					}
				})
			})
		}
	}
}

// What is there already stays, and is adopted; what stands in the way in the end is not
// written over, and tried again at the next start.
func TestIncompleteDirMeetsFiles(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "stays", 16<<10, 100_000, 100_000))
		aside := t.TempDir()
		first := filepath.Join(k.dir, filepath.Join(k.c.meta.Info.Files[0].Path...))
		if err := errors.Join(os.MkdirAll(filepath.Dir(first), 0o777), os.WriteFile(first, k.c.data[:100_000], 0o666)); err != nil {
			t.Fatal(err)
		}
		e, l := k.run(1, func(s *Spec) { s.Paths = &Paths{IncompleteDir: aside} })
		wait(t, l)
		if s := l.Stats(); s.Swarm.Downloaded > s.Swarm.Size-80_000 || l.Dir() != k.dir {
			t.Errorf("fetched %d of %d; in %s", s.Swarm.Downloaded, s.Swarm.Size, l.Dir())
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}

		k.dir, k.state = t.TempDir(), t.TempDir()
		second := filepath.Join(k.dir, filepath.Join(k.c.meta.Info.Files[1].Path...))
		e, l = k.run(2, func(s *Spec) { s.Paths = &Paths{IncompleteDir: aside} })
		events := watch(t, l)
		begun(l, 1)
		if err := errors.Join(os.MkdirAll(filepath.Dir(second), 0o777), os.WriteFile(second, []byte("mine"), 0o666)); err != nil {
			t.Fatal(err)
		}
		wait(t, l)
		synctest.Wait()
		if told := kinds(events(), EventFiles); len(told) != 1 || !strings.Contains(told[0].Text, "another file of that name") {
			t.Errorf("told: %+v", told)
		}
		if b, _ := os.ReadFile(second); string(b) != "mine" || l.Dir() != aside {
			t.Errorf("it holds %q, and they are in %s", b, l.Dir())
		}
		k.c.only(t, aside)
		if err := errors.Join(e.Close(t.Context()), os.Remove(second)); err != nil {
			t.Fatal(err)
		}
		_, l = k.run(3, nil)
		wait(t, l)
		if s := l.Stats(); s.Swarm.Downloaded != 0 || s.Hashed != 0 || l.Dir() != k.dir {
			t.Errorf("once it is out of the way: %+v in %s", s, l.Dir())
		}
		k.c.only(t, k.dir)
	})
}

// Unfinished files whose folder has another path now, as on a volume that is mounted elsewhere,
// are found in the folder that is named. Where nothing is in that, the noted one counts, and the
// message names both.
func TestIncompleteDirElsewhere(t *testing.T) {
	for name, moved := range map[string]bool{"moved": true, "not moved": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(makeContent(t, "remounted", 16<<10, 40_000, 1<<20))
				w.net.SetLink(hostAddr(100), hostAddr(1), slow)
				old, now := t.TempDir(), t.TempDir()
				e, l := k.run(1, func(s *Spec) { s.Paths = &Paths{IncompleteDir: old} })
				begun(l, 30)
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				if moved {
					if err := errors.Join(os.Remove(now), os.Rename(old, now)); err != nil {
						t.Fatal(err)
					}
				}
				_, l = k.run(2, func(s *Spec) { s.Paths = &Paths{IncompleteDir: now} })
				events := watch(t, l)
				wait(t, l)
				if s := l.Stats(); s.Swarm.Downloaded > s.Swarm.Size-30*16<<10+1<<16 || l.Dir() != k.dir {
					t.Errorf("fetched %d of %d in the second run; in %s", s.Swarm.Downloaded, s.Swarm.Size, l.Dir())
				}
				synctest.Wait()
				told := kinds(events(), EventFiles)
				if named := slices.ContainsFunc(told, func(e Event) bool { return strings.Contains(e.Text, old) && strings.Contains(e.Text, now) }); named == moved {
					t.Errorf("told: %+v", told)
				}
				k.c.only(t, k.dir)
			})
		})
	}
}
