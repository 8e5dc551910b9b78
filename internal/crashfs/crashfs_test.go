package crashfs_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/crashfs"
	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
)

// It is a file system like any other until it crashes.
func TestConformance(t *testing.T) {
	storagetest.Run(t, func(t *testing.T, entries []storage.Entry) storage.Storage {
		st, err := storage.New(entries, storage.Config{FS: crashfs.New(nil).Folder("data"), Pool: storage.NewPool(3)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		return st
	})
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// what gives the file's content; "-" when there is none.
func what(t *testing.T, f *crashfs.FS, name string) string {
	t.Helper()
	h, err := f.Folder("d").Open(name, storage.Read)
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	ok(t, err)
	info := must[fs.FileInfo](t)(h.Stat())
	b := make([]byte, info.Size())
	must[int](t)(h.ReadV([][]byte{b}, 0))
	return string(b)
}

// What a crash leaves, after steps that sync this and not that.
func TestCrash(t *testing.T) {
	write := func(t *testing.T, h storage.Handle, s string, off int64) {
		t.Helper()
		must[int](t)(h.WriteV([][]byte{[]byte(s)}, off))
	}
	steps := map[string]struct {
		do   func(t *testing.T, d *crashfs.Folder)
		want map[crashfs.Mode]string // of file "f"
	}{
		"nothing synced": {
			func(t *testing.T, d *crashfs.Folder) {
				write(t, must[storage.Handle](t)(d.Open("f", storage.Create)), "new", 0)
			},
			map[crashfs.Mode]string{crashfs.Kill: "new", crashfs.Lost: "-", crashfs.Newest: "new", crashfs.Oldest: "-"},
		},
		"data synced, name not": {
			func(t *testing.T, d *crashfs.Folder) {
				h := must[storage.Handle](t)(d.Open("f", storage.Create))
				write(t, h, "new", 0)
				ok(t, h.Sync())
			},
			map[crashfs.Mode]string{crashfs.Kill: "new", crashfs.Lost: "-", crashfs.Newest: "new"},
		},
		"name synced, data not": {
			func(t *testing.T, d *crashfs.Folder) {
				h := must[storage.Handle](t)(d.Open("f", storage.Create))
				ok(t, d.SyncDir("."))
				write(t, h, "aa", 0)
				write(t, h, "bb", 2)
			},
			map[crashfs.Mode]string{crashfs.Kill: "aabb", crashfs.Lost: "", crashfs.Newest: "\x00\x00bb", crashfs.Oldest: "aa"},
		},
		"both synced, then renamed over": {
			func(t *testing.T, d *crashfs.Folder) {
				for _, name := range []string{"f", "g"} {
					h := must[storage.Handle](t)(d.Open(name, storage.Create))
					write(t, h, name, 0)
					ok(t, h.Sync())
				}
				ok(t, d.SyncDir("."))
				ok(t, d.Rename("g", "f"))
			},
			map[crashfs.Mode]string{crashfs.Kill: "g", crashfs.Lost: "f", crashfs.Newest: "g", crashfs.Oldest: "f"},
		},
		"removed": {
			func(t *testing.T, d *crashfs.Folder) {
				h := must[storage.Handle](t)(d.Open("f", storage.Create))
				write(t, h, "f", 0)
				ok(t, h.Sync())
				ok(t, d.SyncDir("."))
				ok(t, d.Remove("f"))
			},
			map[crashfs.Mode]string{crashfs.Kill: "-", crashfs.Lost: "f", crashfs.Newest: "-"},
		},
	}
	for name, s := range steps {
		for mode, want := range s.want {
			f := crashfs.New(nil)
			d := f.Folder("d")
			s.do(t, d)
			f.Crash(mode, nil)
			if got := what(t, f, "f"); got != want {
				t.Errorf("%s, %v: %q, want %q", name, mode, got, want)
			}
			if _, err := d.Open("f", storage.Read); !errors.Is(err, crashfs.ErrStopped) {
				t.Errorf("%s, %v: a folder of before the crash: %v, want that it has stopped", name, mode, err)
			}
		}
	}
}

// Sectors of writes that were not synced are there or not, one by one, and no
// sector is half there.
func TestTorn(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(64) {
		f := crashfs.New(nil)
		d := f.Folder("d")
		h := must[storage.Handle](t)(d.Open("f", storage.Create))
		must[int](t)(h.WriteV([][]byte{[]byte(strings.Repeat("a", 1536))}, 0))
		ok(t, h.Sync())
		ok(t, d.SyncDir("."))
		must[int](t)(h.WriteV([][]byte{[]byte(strings.Repeat("b", 1000))}, 100))
		f.Crash(crashfs.Torn, rand.New(rand.NewPCG(seed, 0)))
		got := what(t, f, "f")
		seen[got] = true
		for i := range 3 {
			part := got[i*512 : i*512+512]
			if i == 1 && strings.Trim(part, part[:1]) != "" {
				t.Errorf("seed %d: a sector is half there", seed)
			}
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d outcomes of three sectors, want 8", len(seen))
	}
}

// The process stops in the n-th call: a write there is half done, all after it
// fails.
func TestStopAt(t *testing.T) {
	f := crashfs.New(nil)
	d := f.Folder("d")
	f.StopAt(3)
	h := must[storage.Handle](t)(d.Open("f", storage.Create))
	ok(t, d.SyncDir("."))
	for range 2 {
		if _, err := h.WriteV([][]byte{[]byte("abcd")}, 0); !errors.Is(err, crashfs.ErrStopped) {
			t.Fatalf("write: %v, want that it has stopped", err)
		}
	}
	if _, err := d.Lstat("f"); !errors.Is(err, crashfs.ErrStopped) || !f.Stopped() {
		t.Errorf("look up: %v, want that it has stopped", err)
	}
	f.Crash(crashfs.Kill, nil)
	if got := what(t, f, "f"); got != "ab" {
		t.Errorf("what the stop fell into left %q, want half of it", got)
	}
}

// A sync that fails loses what it should have written: it can be read, the next
// sync says that all is well, and the next loss of power shows that it is not.
func TestFailedSync(t *testing.T) {
	f := crashfs.New(nil)
	d := f.Folder("d")
	h := must[storage.Handle](t)(d.Open("f", storage.Create))
	ok(t, d.SyncDir("."))
	must[int](t)(h.WriteV([][]byte{[]byte("lost")}, 0))
	f.FailWhen(func(c crashfs.Call) error {
		if c.Op == "sync" && c.N == 1 {
			return syscall.EIO
		}
		return nil
	})
	if err := h.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("sync: %v", err)
	}
	ok(t, h.Sync())
	if got := what(t, f, "f"); got != "lost" {
		t.Errorf("%q can be read, want all", got)
	}
	f.Crash(crashfs.Lost, nil)
	if got := what(t, f, "f"); strings.Trim(got, "\x00") != "" {
		t.Errorf("%q is there after all", got)
	}
}
