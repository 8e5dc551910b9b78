//go:build unix

package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
)

// entered returns how many folders were opened on the way to files up to now.
func entered() int {
	paths.mu.Lock()
	defer paths.mu.Unlock()
	return paths.entered
}

// byRoot makes the test use openPaths, as systems do that have no openat2.
func byRoot(t *testing.T) {
	was := walks.Swap(false)
	t.Cleanup(func() { walks.Store(was) })
}

// tree makes folders with files in them, and returns the files' names in order.
func tree(t *testing.T, dir string, folders, files int) (names []string) {
	t.Helper()
	for d := range folders {
		in := fmt.Sprintf("t/many/d%d", d)
		if err := os.MkdirAll(dir+"/"+in, 0o777); err != nil {
			t.Fatal(err)
		}
		for i := range files {
			name := fmt.Sprintf("%s/f%d", in, i)
			if err := os.WriteFile(dir+"/"+name, []byte(name), 0o666); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
	}
	return names
}

// openAll looks at files and opens them, as a check does.
func openAll(t *testing.T, f FS, names []string) {
	t.Helper()
	for _, name := range names {
		for range 3 {
			if _, err := f.Lstat(name); err != nil {
				t.Fatal(err)
			}
		}
		h, err := f.Open(name, Read)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, len(name))
		if _, err := h.ReadV([][]byte{b}, 0); err != nil || string(b) != name {
			t.Errorf("%s holds %q: %v", name, b, err)
		}
		h.Close()
	}
}

// A folder is opened once for all files in it, whatever is done to them.
func TestFoldersOpenedOnce(t *testing.T) {
	byRoot(t)
	dir := t.TempDir()
	names := tree(t, dir, 20, 50)
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	before := entered()
	openAll(t, f, names)
	if got, want := entered()-before, 2+20; got != want {
		t.Errorf("%d folders opened for 1,000 files in 20 folders, want %d", got, want)
	}
	f.Close()
	paths.mu.Lock()
	defer paths.mu.Unlock()
	for _, r := range append(paths.idle, paths.used...) {
		if r.root == f.(folder).root.Root {
			t.Errorf("%d folders are held after Close", len(r.stops))
		}
	}
}

// What many use at the same time is bounded once it is idle, and nothing is kept in a folder that
// was closed meanwhile.
func TestOpenPathsBounded(t *testing.T) {
	byRoot(t)
	dir := t.TempDir()
	names := tree(t, dir, 30, 1)
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	root := f.(folder).root
	var all openPaths
	var used []*openPath
	for _, name := range names {
		r := all.take(root.Root, name)
		if _, err := r.lead(name[:len(name)-len("/f0")]); err != nil {
			t.Fatal(err)
		}
		used = append(used, r)
	}
	for _, r := range used[:29] {
		all.put(r)
	}
	if all.held != mostStops || len(all.idle) != mostStops/3 {
		t.Errorf("%d paths with %d folders are held", len(all.idle), all.held)
	}
	f.Close()
	all.leave(root.Root)
	all.put(used[29])
	if all.held != 0 || len(all.idle)+len(all.used) != 0 || len(used[29].stops) != 0 {
		t.Errorf("after Close: %d held, %d idle, %d used", all.held, len(all.idle), len(all.used))
	}
}

// A folder on the way that was replaced is seen at the next use, whatever took its place.
func TestOpenPathIsWhereTheNameLeads(t *testing.T) {
	byRoot(t)
	for what, replace := range map[string]struct {
		do   func(dir, out string) error
		want error // nil: the new file is opened
	}{
		"another folder": {func(dir, out string) error { return os.Rename(out+"/d", dir+"/t/many/d0") }, nil},
		"nothing":        {func(dir, out string) error { return nil }, fs.ErrNotExist},
		"a file":         {func(dir, out string) error { return os.WriteFile(dir+"/t/many/d0", nil, 0o666) }, ErrUnsafe},
		"a link out":     {func(dir, out string) error { return os.Symlink(out+"/d", dir+"/t/many/d0") }, ErrUnsafe},
		"a link to where it is now": {func(dir, out string) error {
			return errors.Join(os.Rename(dir+"/old", out+"/old"), os.Symlink(out+"/old", dir+"/t/many/d0"))
		}, ErrUnsafe},
		"a link inside": {func(dir, out string) error {
			return errors.Join(os.Rename(out+"/d", dir+"/t/many/x"), os.Symlink("x", dir+"/t/many/d0"))
		}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			dir, out := t.TempDir(), t.TempDir()
			names := tree(t, dir, 1, 2)
			must := func(err error) {
				if err != nil {
					t.Helper()
					t.Fatal(err)
				}
			}
			must(os.Mkdir(out+"/d", 0o777))
			must(os.WriteFile(out+"/d/f0", []byte("new"), 0o666))
			f, err := OpenFolder(dir)
			must(err)
			defer f.Close()
			openAll(t, f, names)
			must(os.Rename(dir+"/t/many/d0", dir+"/old"))
			must(replace.do(dir, out))
			h, err := f.Open(names[0], Write)
			if replace.want != nil {
				if !errors.Is(err, replace.want) && !(replace.want == ErrUnsafe && classify("open", err) == Unsafe) {
					t.Errorf("open: %v, want %v", err, replace.want)
				}
				if _, err := f.Open(names[0]+"x", Create); err == nil {
					t.Error("created a file there")
				}
				return
			}
			must(err)
			defer h.Close()
			if info, err := h.Stat(); err != nil || info.Size() != 3 {
				t.Errorf("opened %v, %v", info, err)
			}
		})
	}
}
