package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
	"shoal/internal/testkit"
)

func open(t *testing.T, fsys storage.FS, pool *storage.Pool, entries []storage.Entry) *storage.Files {
	t.Helper()
	st, err := storage.New(entries, storage.Config{FS: fsys, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		st.Close()
		if n := pool.OpenFiles(); n != 0 {
			t.Errorf("%d files open after Close", n)
		}
	})
	return st
}

func folder(t *testing.T, dir string) storage.FS {
	t.Helper()
	f, err := storage.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

var must = testkit.Must

func TestConformance(t *testing.T) {
	for _, c := range []struct {
		name string
		fs   func(t *testing.T) storage.FS
		max  int
	}{
		{"files", func(t *testing.T) storage.FS { return folder(t, t.TempDir()) }, 0},
		{"files, one open at a time", func(t *testing.T) storage.FS { return folder(t, t.TempDir()) }, 1},
		{"memory", func(*testing.T) storage.FS { return storage.NewMemFS() }, 0},
		{"memory, two open at a time", func(*testing.T) storage.FS { return storage.NewMemFS() }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			storagetest.Run(t, func(t *testing.T, entries []storage.Entry) storage.Storage {
				return open(t, c.fs(t), storage.NewPool(c.max), entries)
			})
		})
	}
}

func TestRefusesBadLayouts(t *testing.T) {
	for name, entries := range map[string][]storage.Entry{
		"parent":    {{Path: "../x", Length: 1}},
		"absolute":  {{Path: "/x", Length: 1}},
		"dot":       {{Path: "a/./x", Length: 1}},
		"nameless":  {{Path: "", Length: 1}},
		"gap":       {{Path: "a", Length: 1}, {Path: "b", Length: 1, Offset: 2}},
		"overlap":   {{Path: "a", Length: 2}, {Path: "b", Length: 1, Offset: 1}},
		"negative":  {{Path: "a", Length: -1}},
		"backwards": {{Path: "a", Length: 1, Offset: -1}},
	} {
		if _, err := storage.New(entries, storage.Config{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Foreign bytes behind the end of a file are kept, and never read.
func TestLargerFileIsKept(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("0123456789 and more"), 0o644))
	entries := storagetest.Lay(storage.Entry{Path: "a", Length: 10}, storage.Entry{Path: "b", Length: 3})
	st := open(t, folder(t, dir), storage.NewPool(0), entries)
	must(t, st.WriteV([][]byte{[]byte("XYZbbb")}, 7))
	got := make([]byte, 13)
	must(t, st.ReadV([][]byte{got}, 0))
	if string(got) != "0123456XYZbbb" {
		t.Errorf("read %q", got)
	}
	states, err := st.State()
	must(t, err)
	if s := states[0]; s.Size != 19 || !s.Readable() {
		t.Errorf("state %+v; want the size as it is, and readable", s)
	}
	if raw, _ := os.ReadFile(filepath.Join(dir, "a")); string(raw) != "0123456XYZ and more" {
		t.Errorf("the file is %q", raw)
	}
}

// Every call to the file system fails once. The operation reports it, with the
// name of the file; tried again everything works, and the bytes are right.
func TestEveryCallFails(t *testing.T) {
	entries := storagetest.Layout()
	size := entries[len(entries)-1].Offset + entries[len(entries)-1].Length
	data := storagetest.Random(3, size)
	run := func(st storage.Storage, tries int, onErr func(step string, err error)) bool {
		got := make([]byte, size)
		steps := []struct {
			name string
			do   func() error
		}{
			{"prepare", func() error { return st.Prepare(t.Context()) }},
			{"write", func() error { return st.WriteV([][]byte{data[:50000]}, 0) }},
			{"sync", func() error { return st.Sync(t.Context()) }},
			{"write more", func() error { return st.WriteV([][]byte{data[50000:]}, 50000) }},
			{"state", func() error { _, err := st.State(); return err }},
			{"sync more", func() error { return st.Sync(t.Context()) }},
			{"read", func() error { return st.ReadV([][]byte{got}, 0) }},
		}
		for _, s := range steps {
			var err error
			for range tries {
				if err = s.do(); err == nil {
					break
				}
				onErr(s.name, err)
			}
			if err != nil {
				return false
			}
		}
		return bytes.Equal(got, storagetest.Expect(entries, data))
	}
	count := &storagetest.Faulty{FS: storage.NewMemFS(), Fail: func(storagetest.Call) error { return nil }}
	if !run(open(t, count, storage.NewPool(2), entries), 1, func(s string, err error) { t.Fatal(s, err) }) {
		t.Fatal("wrong bytes without a fault")
	}
	for n := 1; n <= count.Calls(); n++ {
		var failed storagetest.Call
		faulty := &storagetest.Faulty{FS: storage.NewMemFS(), Fail: func(c storagetest.Call) error {
			if c.N != n {
				return nil
			}
			failed = c
			return syscall.EIO
		}}
		st := open(t, faulty, storage.NewPool(2), entries)
		reported := 0
		ok := run(st, 2, func(step string, err error) {
			reported++
			se, is := errors.AsType[*storage.Error](err)
			if !is || se.Kind != storage.IO || !errors.Is(err, syscall.EIO) {
				t.Errorf("call %d (%s %s) failed in %s: %v, want an *Error of kind IO", n, failed.Op, failed.Name, step, err)
			}
			if is && !strings.HasPrefix(failed.Name, se.Path) && !strings.HasPrefix(se.Path, failed.Name) {
				t.Errorf("call %d on %s: the error names %s", n, failed.Name, se.Path)
			}
		})
		// A failed sync stays failed: that data is in doubt until it is checked.
		if sync := failed.Op == "sync"; ok == sync {
			t.Errorf("call %d (%s %s) failed once: all well afterwards is %v", n, failed.Op, failed.Name, ok)
		}
		if reported == 0 {
			t.Errorf("call %d (%s %s) failed and nobody was told", n, failed.Op, failed.Name)
		}
	}
}

// The handles that the system has run out of are taken from idle files.
func TestTooManyFiles(t *testing.T) {
	entries := storagetest.Layout()
	limit, opened := 2, 0
	mem := storage.NewMemFS()
	faulty := &storagetest.Faulty{FS: mem, Fail: func(storagetest.Call) error { return nil }}
	pool := storage.NewPool(100)
	faulty.Fail = func(c storagetest.Call) error {
		if (c.Op == "open" || c.Op == "create") && pool.OpenFiles() > limit {
			opened++
			return syscall.EMFILE
		}
		return nil
	}
	st := open(t, faulty, pool, entries)
	data := storagetest.Random(4, st.Size())
	must(t, st.WriteV([][]byte{data}, 0))
	got := make([]byte, st.Size())
	must(t, st.ReadV([][]byte{got}, 0))
	if !bytes.Equal(got, storagetest.Expect(entries, data)) || opened == 0 {
		t.Errorf("wrong bytes, or the limit was never met (%d times)", opened)
	}
	limit = 0
	if err := open(t, faulty, pool, entries).WriteV([][]byte{data}, 0); storage.KindOf(err) == storage.Other {
		t.Errorf("with no handle at all: %v, want kind too many open files", err)
	}
}

func TestErrorKinds(t *testing.T) {
	kinds := map[error]storage.Kind{
		syscall.ENOSPC: storage.NoSpace, syscall.EDQUOT: storage.NoSpace,
		syscall.EACCES: storage.NoPermission, syscall.EROFS: storage.ReadOnly,
		syscall.EMFILE: storage.TooManyFiles, syscall.EIO: storage.IO,
		syscall.EFBIG: storage.TooLarge, syscall.ENODEV: storage.Gone, syscall.EBUSY: storage.Busy, syscall.ENOMEM: storage.NoMemory,
		fs.ErrNotExist: storage.Missing, storage.ErrUnsafe: storage.Unsafe,
		errors.New("?"): storage.Other,
	}
	for cause, kind := range kinds {
		faulty := &storagetest.Faulty{FS: storage.NewMemFS(), Fail: func(c storagetest.Call) error {
			if c.Op == "write" {
				return cause
			}
			return nil
		}}
		st := open(t, faulty, storage.NewPool(0), storagetest.Lay(storage.Entry{Path: "d/file.iso", Length: 3}))
		err := st.WriteV([][]byte{[]byte("abc")}, 0)
		if storage.KindOf(err) != kind || !errors.Is(err, cause) {
			t.Errorf("%v: kind %v, error %v; want %v", cause, storage.KindOf(err), err, kind)
		}
		advice := kind.Advice()
		if cause == syscall.EDQUOT {
			advice = "your share of that volume is used up"
		}
		if cause == syscall.EFBIG { // three bytes are not too many for FAT32
			advice = "a limit of the system"
		}
		if kind != storage.Other && (!strings.HasPrefix(err.Error(), "write d/file.iso: ") || !strings.Contains(err.Error(), advice)) {
			t.Errorf("error %q does not say what, on what and what to do", err)
		}
	}
}

// Sync covers the data of every file, then the folders with new names.
func TestSyncOrder(t *testing.T) {
	var calls []string
	faulty := &storagetest.Faulty{FS: storage.NewMemFS(), Fail: func(c storagetest.Call) error {
		if c.Op == "sync" || c.Op == "syncdir" {
			calls = append(calls, c.Op+" "+c.Name)
		}
		return nil
	}}
	entries := storagetest.Lay(storage.Entry{Path: "t/x/a", Length: 3}, storage.Entry{Path: "t/b", Length: 3})
	st := open(t, faulty, storage.NewPool(0), entries)
	must(t, st.WriteV([][]byte{[]byte("aaabbb")}, 0))
	must(t, st.Sync(t.Context()))
	must(t, st.Sync(t.Context())) // nothing new
	must(t, st.WriteV([][]byte{[]byte("B")}, 3))
	must(t, st.Sync(t.Context()))
	want := "sync t/x/a, sync t/b, syncdir ., syncdir t, syncdir t/x, sync t/b"
	if got := strings.Join(calls, ", "); got != want {
		t.Errorf("calls\n got %s\nwant %s", got, want)
	}
}

// A file closed to make room is synced first, and a failure of that is kept for
// the next Sync.
func TestEvictedFileIsSynced(t *testing.T) {
	var synced []string
	fail := false
	faulty := &storagetest.Faulty{FS: storage.NewMemFS(), Fail: func(c storagetest.Call) error {
		if c.Op != "sync" {
			return nil
		}
		synced = append(synced, c.Name)
		if fail {
			return syscall.EIO
		}
		return nil
	}}
	entries := storagetest.Lay(storage.Entry{Path: "a", Length: 1}, storage.Entry{Path: "b", Length: 1}, storage.Entry{Path: "c", Length: 1})
	st := open(t, faulty, storage.NewPool(1), entries)
	must(t, st.WriteV([][]byte{[]byte("ab")}, 0))
	if fmt.Sprint(synced) != "[a]" {
		t.Errorf("synced %v, want a, which gave way to b", synced)
	}
	fail = true
	must(t, st.WriteV([][]byte{[]byte("c")}, 2)) // b gives way
	fail = false
	err := st.Sync(t.Context())
	if e, ok := errors.AsType[*storage.Error](err); !ok || e.Path != "b" || e.Kind != storage.IO {
		t.Errorf("Sync: %v, want the failure of b", err)
	}
	if err := st.Sync(t.Context()); err == nil {
		t.Error("a second Sync claims what the first could not")
	}
}
