//go:build unix

package engine

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/decide/swarm/picker"
)

// lie is a file with bytes of nobody's torrent.
func lie(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + 1)
	}
	return b
}

func put(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, data, 0o666)); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, name string, data []byte) {
	t.Helper()
	if got, err := os.ReadFile(name); err != nil || string(got) != string(data) {
		t.Errorf("%s: %d bytes (%v), want %d others", name, len(got), err, len(data))
	}
}

// names gives the files in a folder, in all depths.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, p)
			all = append(all, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// What lies in the place of a torrent's file and is not of it is kept, and told. What fits is
// used, what is empty or all zeros is no loss.
func TestFilesOfTheUser(t *testing.T) {
	t.Parallel()
	const a, b, c, d = "user/part/a", "user/part/b", "user/part/c", "user/part/d"
	type world2 struct {
		*kept
		dir string // where the torrent is to come
		out string // a folder beside
	}
	half := func(k *world2, name string) []byte { // as another client leaves it
		data := slices.Clone(k.c.files[name])
		clear(data[len(data)/2:])
		return data
	}
	for name, tt := range map[string]struct {
		plant func(t *testing.T, k *world2)
		spec  func(*Spec)
		kept  map[string][]byte                // below dir, besides the torrent's files
		told  string                           // part of the event; empty: none
		after func(t *testing.T, k *world2)    // more that holds
		most  func(k *world2) (fetched uint64) // bytes; nil: whatever
	}{
		"foreign file": {
			plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, b), lie(1000)) },
			kept:  map[string][]byte{b + ".before-shoal": lie(1000)}, told: "part/b was there, and no piece of it matches: it is kept as b.before-shoal",
		},
		"foreign, of the same length": {
			plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, b), lie(160_000)) },
			kept:  map[string][]byte{b + ".before-shoal": lie(160_000)}, told: "kept as",
		},
		"foreign, longer": {
			plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, b), lie(200_000)) },
			kept:  map[string][]byte{b + ".before-shoal": lie(200_000)}, told: "kept as",
		},
		"the name beside is taken": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.dir, b), lie(1000))
				put(t, filepath.Join(k.dir, b+".before-shoal"), lie(3))
				put(t, filepath.Join(k.dir, b+".before-shoal-2"), lie(4))
			},
			kept: map[string][]byte{b + ".before-shoal": lie(3), b + ".before-shoal-2": lie(4), b + ".before-shoal-3": lie(1000)}, told: "b.before-shoal-3",
		},
		"all are foreign": {
			plant: func(t *testing.T, k *world2) {
				for name := range k.c.files {
					put(t, filepath.Join(k.dir, name), lie(100))
				}
			},
			kept: map[string][]byte{a + ".before-shoal": lie(100), b + ".before-shoal": lie(100), c + ".before-shoal": lie(100), d + ".before-shoal": lie(100)},
			told: "and 1 more file",
		},
		"foreign, by option": {
			plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, b), lie(160_000)) },
			spec:  func(s *Spec) { s.Overwrite = true },
		},
		"foreign, read-only": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.dir, b), lie(1000))
				os.Chmod(filepath.Join(k.dir, b), 0o444)
			},
			kept: map[string][]byte{b + ".before-shoal": lie(1000)}, told: "kept as",
		},
		"empty": {plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, b), nil) }},
		"zeros": {plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, b), make([]byte, 160_000)) }},
		"zeros, more": {plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, b), make([]byte, 160_001)) }, after: func(t *testing.T, k *world2) {
			if err := os.Truncate(filepath.Join(k.dir, b), 160_000); err != nil { // what is behind the end stays
				t.Error(err)
			}
		}},
		"a hole": {plant: func(t *testing.T, k *world2) {
			put(t, filepath.Join(k.dir, b), nil)
			if err := os.Truncate(filepath.Join(k.dir, b), 160_000); err != nil {
				t.Fatal(err)
			}
		}},
		"a hole, and a byte at the end": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.dir, b), append(make([]byte, 150_000), 1))
			},
			kept: map[string][]byte{b + ".before-shoal": append(make([]byte, 150_000), 1)}, told: "kept as",
		},
		"of another client, half": {
			plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, b), half(k, b)) },
			most:  func(k *world2) uint64 { return uint64(len(k.c.data) - 4*16<<10) },
		},
		"a small file whose piece can't be known, right": {
			plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, c), k.c.files[c]) },
			told:  "part/c was there", // and gone again: the torrent's has the same bytes
		},
		"a small file whose piece can't be known, wrong": {
			plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, c), lie(3000)) },
			kept:  map[string][]byte{c + ".before-shoal": lie(3000)}, told: "part/c was there",
		},
		"a small file whose piece is complete": {
			plant: func(t *testing.T, k *world2) {
				for _, name := range []string{b, c, d} {
					put(t, filepath.Join(k.dir, name), k.c.files[name])
				}
			},
		},
		"hard link, complete": {
			plant: func(t *testing.T, k *world2) {
				for name := range k.c.files {
					put(t, filepath.Join(k.out, filepath.Base(name)), k.c.files[name])
					hardlink(t, filepath.Join(k.out, filepath.Base(name)), filepath.Join(k.dir, name))
				}
			},
			most: func(*world2) uint64 { return 0 },
			after: func(t *testing.T, k *world2) {
				if !sameFile(t, filepath.Join(k.out, "b"), filepath.Join(k.dir, b)) {
					t.Error("a link was broken for nothing")
				}
			},
		},
		"hard link, half": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.out, "b"), half(k, b))
				hardlink(t, filepath.Join(k.out, "b"), filepath.Join(k.dir, b))
			},
			told:  "part/b has other names (hard links), which keep their bytes: the torrent goes on with a copy",
			most:  func(k *world2) uint64 { return uint64(len(k.c.data) - 4*16<<10) },
			after: func(t *testing.T, k *world2) { has(t, filepath.Join(k.out, "b"), half(k, b)) },
		},
		"hard link, half, read-only": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.out, "b"), half(k, b))
				os.Chmod(filepath.Join(k.out, "b"), 0o444)
				hardlink(t, filepath.Join(k.out, "b"), filepath.Join(k.dir, b))
			},
			told:  "hard links",
			after: func(t *testing.T, k *world2) { has(t, filepath.Join(k.out, "b"), half(k, b)) },
		},
		"hard link, foreign": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.out, "b"), lie(5000))
				hardlink(t, filepath.Join(k.out, "b"), filepath.Join(k.dir, b))
			},
			kept: map[string][]byte{b + ".before-shoal": lie(5000)}, told: "kept as",
			after: func(t *testing.T, k *world2) { has(t, filepath.Join(k.out, "b"), lie(5000)) },
		},
		"hard link, zeros": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.out, "b"), make([]byte, 5000))
				hardlink(t, filepath.Join(k.out, "b"), filepath.Join(k.dir, b))
			},
			told:  "hard links",
			after: func(t *testing.T, k *world2) { has(t, filepath.Join(k.out, "b"), make([]byte, 5000)) },
		},
		"hard link, by option": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.out, "b"), half(k, b))
				hardlink(t, filepath.Join(k.out, "b"), filepath.Join(k.dir, b))
			},
			spec:  func(s *Spec) { s.Overwrite = true },
			after: func(t *testing.T, k *world2) { has(t, filepath.Join(k.out, "b"), k.c.files[b]) },
		},
		"two files of the torrent that are one": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.dir, b), half(k, b))
				hardlink(t, filepath.Join(k.dir, b), filepath.Join(k.dir, d))
			},
			told: "part/b has other names",
			after: func(t *testing.T, k *world2) { // which has nothing that belongs in the second
				has(t, filepath.Join(k.dir, d+".before-shoal"), half(k, b))
				os.Remove(filepath.Join(k.dir, d+".before-shoal"))
			},
		},
		"link to a foreign file": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.out, "letter"), lie(5000))
				put(t, filepath.Join(k.dir, a), nil)
				if err := os.Symlink(filepath.Join(k.out, "letter"), filepath.Join(k.dir, b)); err != nil {
					t.Fatal(err)
				}
			},
			kept: map[string][]byte{b + ".before-shoal": lie(5000)}, told: "kept as",
			after: func(t *testing.T, k *world2) {
				has(t, filepath.Join(k.out, "letter"), lie(5000))
				isLink(t, filepath.Join(k.dir, b+".before-shoal"))
			},
		},
		"hard link behind a link": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.out, "one"), half(k, b))
				hardlink(t, filepath.Join(k.out, "one"), filepath.Join(k.out, "two"))
				put(t, filepath.Join(k.dir, a), nil)
				if err := os.Symlink(filepath.Join(k.out, "one"), filepath.Join(k.dir, b)); err != nil {
					t.Fatal(err)
				}
			},
			told: "hard links",
			after: func(t *testing.T, k *world2) {
				has(t, filepath.Join(k.out, "two"), half(k, b))
				isLink(t, filepath.Join(k.dir, b))
			},
		},
		"in a linked folder": {
			plant: func(t *testing.T, k *world2) {
				put(t, filepath.Join(k.out, "user/part/b"), lie(5000))
				if err := os.Symlink(filepath.Join(k.out, "user"), filepath.Join(k.dir, "user")); err != nil {
					t.Fatal(err)
				}
			},
			told:  "kept as b.before-shoal",
			after: func(t *testing.T, k *world2) { has(t, filepath.Join(k.out, "user/part/b.before-shoal"), lie(5000)) },
		},
		"with a suffix": {
			plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, b+".part"), lie(5000)) },
			spec:  func(s *Spec) { s.Paths = &Paths{Suffix: ".part"} },
			kept:  map[string][]byte{b + ".before-shoal": lie(5000)}, told: "kept as",
		},
		"with a suffix, of that name": {
			plant: func(t *testing.T, k *world2) { put(t, filepath.Join(k.dir, b), lie(5000)) },
			spec:  func(s *Spec) { s.Paths = &Paths{Suffix: ".part"} },
			kept:  map[string][]byte{b + ".before-shoal": lie(5000)}, told: "kept as",
		},
	} {
		for _, state := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					k := &world2{kept: w.kept(makeContent(t, "user", 16<<10, 90_000, 160_000, 3_000, 2_000)), out: t.TempDir()}
					k.dir = k.kept.dir
					tt.plant(t, k)
					if !state {
						k.state = ""
					}
					_, l := k.run(1, tt.spec)
					events := watch(t, l)
					wait(t, l)
					synctest.Wait()
					var told []string
					for _, e := range kinds(events(), EventKept) {
						told = append(told, e.Text)
					}
					if tt.told == "" && len(told) > 0 || tt.told != "" && (len(told) != 1 || !strings.Contains(told[0], tt.told)) {
						t.Errorf("told: %q, want %q", told, tt.told)
					}
					if s := l.Stats(); tt.most != nil && uint64(s.Swarm.Downloaded) > tt.most(k) {
						t.Errorf("%d bytes were fetched, at most %d are missing", s.Swarm.Downloaded, tt.most(k))
					}
					for name, data := range tt.kept {
						has(t, filepath.Join(k.dir, name), data)
					}
					if tt.after != nil {
						tt.after(t, k)
					}
					k.c.same(t, k.dir)
					if !strings.Contains(name, "folder") && !strings.Contains(name, "to a foreign") && !strings.Contains(name, "behind") {
						want := slices.Sorted(maps.Keys(k.c.files))
						want = slices.Sorted(slices.Values(append(want, slices.Collect(maps.Keys(tt.kept))...)))
						if got := names(t, k.dir); !slices.Equal(got, want) {
							t.Errorf("there are %q, want %q", got, want)
						}
					}
				})
			})
		}
	}
}

func hardlink(t *testing.T, from, to string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o777), os.Link(from, to)); err != nil {
		t.Fatal(err)
	}
}

func sameFile(t *testing.T, one, other string) bool {
	t.Helper()
	a, err := os.Stat(one)
	b, berr := os.Stat(other)
	if err != nil || berr != nil {
		t.Fatal(err, berr)
	}
	return os.SameFile(a, b)
}

// A skipped file of the user is left alone until it is wanted, or a wanted piece reaches into
// it; then it is kept first.
func TestSkippedFilesOfTheUser(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "user", 16<<10, 16<<10*5, 16<<10*10, 50_000))
		b := filepath.Join(k.dir, "user/part/b")
		put(t, b, lie(1000))
		_, l := k.run(1, func(s *Spec) { s.Priorities = []uint8{picker.Normal, picker.Skip, picker.Normal} })
		events := watch(t, l)
		wait(t, l)
		has(t, b, lie(1000))
		synctest.Wait()
		if told := kinds(events(), EventKept); len(told) > 0 {
			t.Errorf("told: %+v", told)
		}
		if err := l.SetPriorities([]uint8{picker.Normal, picker.Normal, picker.Normal}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		wait(t, l)
		has(t, b+".before-shoal", lie(1000))
		synctest.Wait()
		if told := kinds(events(), EventKept); len(told) != 1 {
			t.Errorf("told: %+v", told)
		}
		k.c.same(t, k.dir)
	})
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "user", 16<<10, 50_000, 160_000, 50_000))
		b := filepath.Join(k.dir, "user/part/b")
		put(t, b, lie(1000))
		_, l := k.run(1, func(s *Spec) { s.Priorities = []uint8{picker.Normal, picker.Skip, picker.Normal} })
		wait(t, l)
		has(t, b+".before-shoal", lie(1000))
	})
}

// A file that the user puts in the place of one of ours, while we are away or running, is the
// user's as well.
func TestReplacedByTheUser(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "user", 16<<10, 50_000, 160_000, 50_000))
		k.download()
		b := filepath.Join(k.dir, "user/part/b")
		put(t, b, lie(1000))
		_, l := k.run(2, nil)
		wait(t, l)
		has(t, b+".before-shoal", lie(1000))
		k.c.same(t, k.dir)
		put(t, b, lie(70_000))
		if _, err := l.Verify(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		wait(t, l)
		has(t, b+".before-shoal", lie(1000))
		has(t, b+".before-shoal-2", lie(70_000))
		k.c.same(t, k.dir)
	})
}

// A torrent of one file.
func TestOneFileOfTheUser(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "user", 16<<10, 160_000))
		b := filepath.Join(k.dir, "user/part/a")
		put(t, b, lie(1000))
		e, l := k.run(1, nil)
		wait(t, l)
		has(t, b+".before-shoal", lie(1000))
		k.c.same(t, k.dir)
		put(t, b, lie(900)) // all that it has is gone, and nothing is missing
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, l = k.run(2, nil)
		wait(t, l)
		has(t, b+".before-shoal-2", lie(900))
		k.c.same(t, k.dir)
	})
}
