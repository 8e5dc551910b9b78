//go:build unix

package storage_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
)

// Whatever links are put in the way, before or while running, nothing outside
// the folder is read, written or created.
func TestNeverLeavesTheFolder(t *testing.T) {
	plant := map[string]func(dir, outside string) error{
		"link in place of the file": func(dir, out string) error {
			return os.Symlink(filepath.Join(out, "secret"), filepath.Join(dir, "t", "f"))
		},
		"link inside, still no file": func(dir, out string) error { return os.Symlink("other", filepath.Join(dir, "t", "f")) },
		"dangling link": func(dir, out string) error {
			return os.Symlink(filepath.Join(out, "new"), filepath.Join(dir, "t", "f"))
		},
		"folder in place of the file": func(dir, out string) error { return os.Mkdir(filepath.Join(dir, "t", "f"), 0o755) },
		"folder is a link out": func(dir, out string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "t")), os.Symlink(out, filepath.Join(dir, "t")))
		},
		"file in place of the folder": func(dir, out string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "t")), os.WriteFile(filepath.Join(dir, "t"), nil, 0o644))
		},
	}
	for name, plant := range plant {
		t.Run(name, func(t *testing.T) {
			dir, outside := t.TempDir(), t.TempDir()
			secret := filepath.Join(outside, "secret")
			must(t, os.WriteFile(secret, []byte("secret"), 0o644))
			must(t, os.WriteFile(filepath.Join(outside, "f"), []byte("secret"), 0o644))
			must(t, os.Mkdir(filepath.Join(dir, "t"), 0o755))
			must(t, plant(dir, outside))
			st := open(t, folder(t, dir), storage.NewPool(0), storagetest.Lay(storage.Entry{Path: "t/f", Length: 6}))
			buf := make([]byte, 6)
			for op, err := range map[string]error{
				"read":  st.ReadV([][]byte{buf}, 0),
				"write": st.WriteV([][]byte{[]byte("WWWWWW")}, 0),
			} {
				if storage.KindOf(err) != storage.Unsafe {
					t.Errorf("%s: %v (kind %v), want kind unsafe", op, err, storage.KindOf(err))
				}
			}
			if string(buf) == "secret" {
				t.Error("read what lies outside")
			}
			names, _ := os.ReadDir(outside)
			for _, n := range names {
				if b, _ := os.ReadFile(filepath.Join(outside, n.Name())); string(b) != "secret" {
					t.Errorf("%s outside is now %q", n.Name(), b)
				}
			}
			if len(names) != 2 {
				t.Errorf("outside there are now %v", names)
			}
		})
	}
}

// A folder is swapped for a link out while files are written below it.
func TestFolderSwappedWhileWriting(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	var entries []storage.Entry
	for i := range 200 {
		entries = append(entries, storage.Entry{Path: fmt.Sprintf("t/d/%03d", i), Length: 10})
	}
	st := open(t, folder(t, dir), storage.NewPool(3), storagetest.Lay(entries...))
	swapped := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		<-swapped
		// The writer makes the folder again when it looks between the two steps.
		for n := 0; ; n++ {
			must(t, os.Rename(filepath.Join(dir, "t", "d"), filepath.Join(dir, "t", fmt.Sprint("gone", n))))
			err := os.Symlink(outside, filepath.Join(dir, "t", "d"))
			if !errors.Is(err, fs.ErrExist) {
				must(t, err)
				return
			}
		}
	})
	for i := range entries {
		if i == 100 {
			close(swapped)
		}
		_ = st.WriteV([][]byte{[]byte("0123456789")}, int64(i)*10) // may fail, may not escape
	}
	wg.Wait()
	if err := st.WriteV([][]byte{[]byte("0123456789")}, 0); storage.KindOf(err) != storage.Unsafe {
		t.Errorf("write after the swap: %v, want kind unsafe", err)
	}
	if names, _ := os.ReadDir(outside); len(names) != 0 {
		t.Errorf("outside there are now %v", names)
	}
}

// Two entries that are one file, by a hard link or by a folder that is a link to
// another, may be read; but a write to either would spoil the other.
func TestOneFileUnderTwoNames(t *testing.T) {
	for name, alias := range map[string]func(dir string) error{
		"hard link":   func(dir string) error { return errors.Join(os.Mkdir(dir+"/y", 0o755), os.Link(dir+"/x/a", dir+"/y/a")) },
		"folder link": func(dir string) error { return os.Symlink("x", dir+"/y") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Mkdir(dir+"/x", 0o755))
			must(t, os.WriteFile(dir+"/x/a", []byte("aaaaa"), 0o644))
			must(t, alias(dir))
			entries := storagetest.Lay(storage.Entry{Path: "x/a", Length: 5}, storage.Entry{Path: "y/a", Length: 5})
			st := open(t, folder(t, dir), storage.NewPool(1), entries)
			got := make([]byte, 10)
			must(t, st.ReadV([][]byte{got}, 0))
			if string(got) != "aaaaaaaaaa" {
				t.Errorf("read %q", got)
			}
			err := st.WriteV([][]byte{[]byte("11111")}, 0)
			if name == "folder link" {
				must(t, err) // nothing shows yet that it is another's
			} else if storage.KindOf(err) != storage.Unsafe {
				t.Errorf("write to the first: %v, want kind unsafe", err)
			}
			if err := st.WriteV([][]byte{[]byte("22222")}, 5); storage.KindOf(err) != storage.Unsafe {
				t.Errorf("write to the second: %v, want kind unsafe", err)
			}
			must(t, os.Remove(dir+"/y/a"))
			must(t, os.RemoveAll(dir+"/y"))
			must(t, st.WriteV([][]byte{[]byte("1111122222")}, 0)) // each its own file now
			must(t, st.ReadV([][]byte{got}, 0))
			if string(got) != "1111122222" {
				t.Errorf("read %q", got)
			}
		})
	}
}

// What is there already is enough for Prepare, also where nothing can be written.
func TestPrepareReadOnly(t *testing.T) {
	dir := t.TempDir()
	entries := storagetest.Lay(storage.Entry{Path: "x/empty", Length: 0}, storage.Entry{Path: "x/b", Length: 5})
	must(t, os.Mkdir(dir+"/x", 0o755))
	must(t, os.WriteFile(dir+"/x/empty", nil, 0o644))
	faulty := &storagetest.Faulty{FS: folder(t, dir), Fail: func(c storagetest.Call) error {
		if c.Op == "create" {
			return syscall.EROFS
		}
		return nil
	}}
	st := open(t, faulty, storage.NewPool(0), entries)
	must(t, st.Prepare(t.Context()))
	must(t, os.Remove(dir+"/x/empty"))
	st = open(t, faulty, storage.NewPool(0), entries)
	if err := st.Prepare(t.Context()); storage.KindOf(err) != storage.ReadOnly {
		t.Errorf("Prepare where nothing can be created: %v, want kind read-only", err)
	}
}
