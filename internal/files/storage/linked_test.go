//go:build unix

package storage_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
)

// linked opens a folder with the links in it followed.
func linked(t *testing.T, dir string, known *storage.KnownLinks, names ...string) (storage.FS, []string) {
	t.Helper()
	pool := storage.NewPool(0)
	folder, err := pool.Folder(dir)
	must(t, err)
	fsys, notes := storage.FollowLinks(folder, pool, dir, names, known)
	t.Cleanup(func() { fsys.Close() })
	return fsys, notes
}

func files(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		full := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		must(t, os.WriteFile(full, []byte("012345"), 0o644))
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s has %q (%v), want %q", path, got, err, want)
	}
}

// Data behind links that lay there before is read and written where it lies.
func TestFollowLinks(t *testing.T) {
	for name, c := range map[string]struct {
		make func(dir, out string) error
		at   string // where the file is, below out or dir
	}{
		"file, absolute": {func(dir, out string) error { return os.Symlink(out+"/f", dir+"/t/f") }, "f"},
		"file, relative": {func(dir, out string) error { return os.Symlink("../../out/f", dir+"/t/f") }, "f"},
		"file, chain": {func(dir, out string) error {
			return errors.Join(os.Symlink("f", out+"/one"), os.Symlink(out+"/one", dir+"/t/f"))
		}, "f"},
		"file, inside": {func(dir, out string) error {
			return errors.Join(os.Rename(out+"/f", dir+"/other"), os.Symlink("../other", dir+"/t/f"))
		}, "../dir/other"},
		"top folder":    {func(dir, out string) error { return errors.Join(os.Remove(dir+"/t"), os.Symlink(out, dir+"/t")) }, "f"},
		"top, relative": {func(dir, out string) error { return errors.Join(os.Remove(dir+"/t"), os.Symlink("../out", dir+"/t")) }, "f"},
		"folder and file": {func(dir, out string) error {
			return errors.Join(os.Rename(out+"/f", out+"/g"), os.Symlink("g", out+"/f"), os.Remove(dir+"/t"), os.Symlink(out, dir+"/t"))
		}, "g"},
		"folder by folder": {func(dir, out string) error {
			return errors.Join(os.Symlink(out, dir+"/hop"), os.Remove(dir+"/t"), os.Symlink("hop", dir+"/t"))
		}, "f"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir, out := root+"/dir", root+"/out"
			must(t, os.MkdirAll(dir+"/t", 0o755))
			files(t, out, "f")
			must(t, c.make(dir, out))
			var known storage.KnownLinks
			fsys, notes := linked(t, dir, &known, "t/f")
			if len(notes) > 0 {
				t.Errorf("notes %q", notes)
			}
			st := open(t, fsys, storage.NewPool(0), storagetest.Lay(storage.Entry{Path: "t/f", Length: 6}))
			got := make([]byte, 6)
			must(t, st.ReadV([][]byte{got}, 0))
			must(t, st.WriteV([][]byte{[]byte("ab")}, 2))
			must(t, st.Sync(t.Context()))
			if string(got) != "012345" {
				t.Errorf("read %q", got)
			}
			holds(t, filepath.Join(out, c.at), "01ab45")
			states, err := st.State()
			if err != nil || !states[0].Exists || states[0].Size != 6 {
				t.Errorf("state %+v, %v", states, err)
			}
		})
	}
}

// A file that is missing is made in the folder that a link leads to.
func TestFollowLinksCreates(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(root+"/dir", 0o755))
	must(t, os.MkdirAll(root+"/out", 0o755))
	must(t, os.Symlink("../out", root+"/dir/t"))
	var known storage.KnownLinks
	fsys, _ := linked(t, root+"/dir", &known, "t/sub/f")
	st := open(t, fsys, storage.NewPool(0), storagetest.Lay(storage.Entry{Path: "t/sub/f", Length: 6}))
	must(t, st.Prepare(t.Context()))
	must(t, st.WriteV([][]byte{[]byte("012345")}, 0))
	must(t, st.Sync(t.Context()))
	holds(t, root+"/out/sub/f", "012345")
}

// What links lead to that can't be used is named, and nothing waits for a pipe.
func TestFollowLinksRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		make func(dir, out string) error
		want string
		kind storage.Kind // of a read
	}{
		"dangling": {func(dir, out string) error { return os.Symlink(out+"/gone", dir+"/t/f") }, "gone is not there", storage.Missing},
		"dangling folder": {func(dir, out string) error {
			return errors.Join(os.Remove(dir+"/t"), os.Symlink(out+"/gone", dir+"/t"))
		}, "gone is not there", storage.Missing},
		"loop": {func(dir, out string) error { return os.Symlink("f", dir+"/t/f") }, "circle", storage.Unsafe},
		"loop of two": {func(dir, out string) error {
			return errors.Join(os.Symlink("g", dir+"/t/f"), os.Symlink("f", dir+"/t/g"))
		}, "circle", storage.Unsafe},
		"pipe": {func(dir, out string) error {
			return errors.Join(syscall.Mkfifo(out+"/p", 0o644), os.Symlink(out+"/p", dir+"/t/f"))
		}, "a named pipe", storage.Unsafe},
		"device": {func(dir, out string) error { return os.Symlink("/dev/zero", dir+"/t/f") }, "a device", storage.Unsafe},
		"folder": {func(dir, out string) error { return os.Symlink(out, dir+"/t/f") }, "", storage.Unsafe},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir, out := root+"/dir", root+"/out"
			must(t, os.MkdirAll(dir+"/t", 0o755))
			must(t, os.MkdirAll(out, 0o755))
			must(t, c.make(dir, out))
			var known storage.KnownLinks
			fsys, notes := linked(t, dir, &known, "t/f")
			if all := strings.Join(notes, "\n"); !strings.Contains(all, c.want) {
				t.Errorf("notes %q, want %q", all, c.want)
			}
			st := open(t, fsys, storage.NewPool(0), storagetest.Lay(storage.Entry{Path: "t/f", Length: 6}))
			if err := st.ReadV([][]byte{make([]byte, 6)}, 0); storage.KindOf(err) != c.kind {
				t.Errorf("read: %v (%v)", err, storage.KindOf(err))
			}
			if err := st.WriteV([][]byte{make([]byte, 6)}, 0); err == nil {
				t.Error("it was written to")
			}
			if entries, _ := os.ReadDir(out); len(entries) > 1 {
				t.Errorf("there are now %v", entries)
			}
		})
	}
}

// Links that appear, or change, after the first look are not followed, and that is said.
// One that was dangling then is followed when what it leads to is there.
func TestLinksThatComeLater(t *testing.T) {
	root := t.TempDir()
	dir, out := root+"/dir", root+"/out"
	files(t, out, "f", "g", "d/h")
	files(t, dir, "t/f", "t/d/h")
	must(t, os.Symlink(out+"/later", dir+"/t/late"))
	must(t, os.Symlink(out+"/f", dir+"/t/g"))
	names := []string{"t/f", "t/g", "t/d/h", "t/late"}
	var known storage.KnownLinks
	linked(t, dir, &known, names...)
	known.Seal(dir, true)

	must(t, os.Remove(dir+"/t/f"))
	must(t, os.Symlink(out+"/f", dir+"/t/f"))
	must(t, os.RemoveAll(dir+"/t/d"))
	must(t, os.Symlink(out+"/d", dir+"/t/d"))
	must(t, os.Remove(dir+"/t/g"))
	must(t, os.Symlink(out+"/g", dir+"/t/g"))
	files(t, out, "later")
	fsys, notes := linked(t, dir, &known, names...)
	for _, name := range []string{"t/f", "t/g", "t/d/h"} {
		if _, err := fsys.Open(name, storage.Write); !errors.Is(err, storage.ErrUnsafe) || !strings.Contains(err.Error(), "start the torrent again") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(notes) != 3 {
		t.Errorf("notes %q", notes)
	}
	h, err := fsys.Open("t/late", storage.Write)
	must(t, err)
	h.Close()

	known.Seal(dir, false)
	fsys, notes = linked(t, dir, &known, names...)
	if _, err := fsys.Lstat("t/d/h"); err != nil || len(notes) > 0 {
		t.Errorf("after it was opened again: %v, notes %q", err, notes)
	}
	// One that comes while it is open: the message says what to do.
	must(t, os.Remove(dir+"/t/late"))
	must(t, os.Symlink(out+"/f", dir+"/t/new"))
	if _, err := fsys.Open("t/new", storage.Read); !errors.Is(err, storage.ErrUnsafe) || !strings.Contains(err.Error(), "start the torrent again") {
		t.Errorf("while it is open: %v", err)
	}
}

// A link of another user is not followed.
func TestLinksOfOthers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make one")
	}
	for name, plant := range map[string]func(dir, out string) error{
		"itself": func(dir, out string) error {
			return errors.Join(os.Symlink(out+"/f", dir+"/t/f"), os.Lchown(dir+"/t/f", 12345, 12345))
		},
		"on the way": func(dir, out string) error {
			return errors.Join(os.Symlink("f", out+"/hop"), os.Lchown(out+"/hop", 12345, 12345), os.Symlink(out+"/hop", dir+"/t/f"))
		},
		"a folder": func(dir, out string) error {
			return errors.Join(os.Remove(dir+"/t"), os.Symlink(out, dir+"/t"), os.Lchown(dir+"/t", 12345, 12345))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir, out := root+"/dir", root+"/out"
			files(t, out, "f")
			must(t, os.MkdirAll(dir+"/t", 0o755))
			must(t, plant(dir, out))
			fsys, notes := linked(t, dir, new(storage.KnownLinks), "t/f")
			if _, err := fsys.Open("t/f", storage.Read); !errors.Is(err, storage.ErrUnsafe) || len(notes) != 1 || !strings.Contains(notes[0], "belongs to another user") {
				t.Errorf("open: %v, notes %q", err, notes)
			}
		})
	}
}

// Renaming and removing act on the link: what it leads to keeps its place and its bytes.
func TestRenamesLinks(t *testing.T) {
	root := t.TempDir()
	dir, out := root+"/dir", root+"/out"
	files(t, out, "f", "g", "top/a", "top/sub/b")
	must(t, os.MkdirAll(dir+"/t/deep", 0o755))
	must(t, os.Symlink(out+"/f", dir+"/t/f"))
	must(t, os.Symlink("../../out/g", dir+"/t/g"))
	must(t, os.Symlink(out+"/top", dir+"/top"))
	var known storage.KnownLinks
	fsys, _ := linked(t, dir, &known, "t/f", "t/g", "top/a", "top/sub/b")
	mover := fsys.(storage.Mover)
	must(t, mover.Rename("t/f", "t/new"))
	must(t, mover.Rename("t/g", "t/deep/g"))
	must(t, mover.Rename("top/a", "top/c"))
	must(t, fsys.Mkdir("renamed"))
	must(t, fsys.Mkdir("renamed/sub"))
	if err := mover.Rename("top/sub/b", "elsewhere/x"); err == nil {
		t.Error("a file came out of a linked folder by its name")
	}
	must(t, mover.Remove("renamed/sub"))
	must(t, mover.Rename("top/sub/b", "renamed/sub/b"))
	must(t, mover.Rename("top/c", "renamed/c"))
	for _, name := range []string{"t/new", "t/deep/g", "renamed/c", "renamed/sub/b"} {
		info, err := fsys.Lstat(name)
		if err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	for _, name := range []string{"f", "g", "top/c", "top/sub/b"} {
		holds(t, filepath.Join(out, name), "012345")
	}
	must(t, mover.Remove("top"))
	must(t, mover.Remove("t/new"))
	if err := mover.Remove("renamed"); err == nil {
		t.Error("a link to a folder of the user was removed")
	}
	holds(t, out+"/f", "012345")
	if _, err := os.Lstat(dir + "/top"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old link: %v", err)
	}
	// Another process, later, finds them.
	fsys, notes := linked(t, dir, new(storage.KnownLinks), "t/deep/g", "renamed/c", "renamed/sub/b")
	if _, err := fsys.Lstat("renamed/sub/b"); err != nil || len(notes) > 0 {
		t.Errorf("later: %v, %q", err, notes)
	}
}

// A move brings links to the new place as links; no byte is copied, none is lost.
func TestMovesLinks(t *testing.T) {
	root := t.TempDir()
	dir, out, to := root+"/dir", root+"/out", root+"/to"
	files(t, out, "f", "top/a", "top/b")
	files(t, dir, "t/plain")
	must(t, os.MkdirAll(to, 0o755))
	must(t, os.Symlink("../../out/f", dir+"/t/f"))
	must(t, os.Symlink(out+"/top", dir+"/t/top"))
	entries := storagetest.Lay(storage.Entry{Path: "t/f", Length: 6}, storage.Entry{Path: "t/plain", Length: 6}, storage.Entry{Path: "t/top/a", Length: 6}, storage.Entry{Path: "t/top/b", Length: 6})
	names := []string{"t/f", "t/plain", "t/top/a", "t/top/b"}
	from, _ := linked(t, dir, new(storage.KnownLinks), names...)
	there, _ := linked(t, to, new(storage.KnownLinks), names...)
	moved, err := storage.Relocate(t.Context(), from, there, entries, nil)
	must(t, err)
	moved.Undo()
	if left, _ := os.ReadDir(to); len(left) > 0 {
		t.Errorf("after undo there are %v", left)
	}
	holds(t, dir+"/t/f", "012345")
	moved, err = storage.Relocate(t.Context(), from, there, entries, nil)
	must(t, err)
	if !moved.Linked {
		t.Error("something was copied")
	}
	must(t, storage.RemoveFiles(from, entries))
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, name := range names {
		holds(t, filepath.Join(to, name), "012345")
		if _, err := there.Lstat(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"f", "top/a", "top/b"} {
		holds(t, filepath.Join(out, name), "012345")
	}
	for _, name := range []string{"t/f", "t/top"} {
		if info, err := os.Lstat(filepath.Join(to, name)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is not a link any more: %v", name, err)
		}
	}
}

// A link is swapped for another one at every moment: nothing lands where the second leads.
func TestLinkSwappedWhileWriting(t *testing.T) {
	root := t.TempDir()
	dir, out, trap := root+"/dir", root+"/out", root+"/trap"
	must(t, os.MkdirAll(dir, 0o755))
	must(t, os.MkdirAll(out, 0o755))
	must(t, os.MkdirAll(trap, 0o755))
	must(t, os.Symlink(out, dir+"/t"))
	var entries []storage.Entry
	var names []string
	for i := range 100 {
		name := "t/" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		entries = append(entries, storage.Entry{Path: name, Length: 4})
		names = append(names, name)
	}
	fsys, _ := linked(t, dir, new(storage.KnownLinks), names...)
	st := open(t, fsys, storage.NewPool(3), storagetest.Lay(entries...))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			to := []string{trap, out}[i%2]
			os.Symlink(to, dir+"/new")
			os.Rename(dir+"/new", dir+"/t")
			time.Sleep(10 * time.Microsecond)
		}
	}()
	for i := range entries {
		if err := st.WriteV([][]byte{[]byte("0123")}, int64(i)*4); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-done
	if names, _ := os.ReadDir(trap); len(names) > 0 {
		t.Errorf("in the trap: %v", names)
	}
	if names, _ := os.ReadDir(out); len(names) != len(entries) {
		t.Errorf("%d files where the first link leads", len(names))
	}
}

// In a folder with many names a link is found, too, whether the folder is listed or is so
// much larger that each name is looked at.
func TestFollowLinksAmongMany(t *testing.T) {
	for _, others := range []int{0, 30, 3000} {
		root := t.TempDir()
		dir, out := root+"/dir", root+"/out"
		files(t, out, "f")
		var names []string
		for i := range 30 {
			names = append(names, fmt.Sprintf("t/%d", i))
		}
		files(t, dir, names...)
		for i := range others {
			files(t, dir, fmt.Sprintf("t/other %d", i))
		}
		var known storage.KnownLinks
		if fsys, notes := linked(t, dir, &known, append(names, "t/f")...); len(notes) > 0 {
			t.Errorf("notes %q", notes)
		} else if _, err := fsys.Lstat("t/f"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("before there is a link: %v", err)
		}
		must(t, os.Symlink(out+"/f", dir+"/t/f"))
		fsys, notes := linked(t, dir, &known, append(names, "t/f")...)
		if len(notes) > 0 {
			t.Errorf("notes %q", notes)
		}
		if info, err := fsys.Lstat("t/f"); err != nil || info.Size() != 6 {
			t.Errorf("%d others: behind the link: %v, %v", others, info, err)
		}
	}
}
