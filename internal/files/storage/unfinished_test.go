package storage_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
)

// tree lists what lies in a folder.
func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, p)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	}))
	return names
}

func unfinished(t *testing.T, dir string, entries []storage.Entry, c storage.UnfinishedConfig) *storage.Unfinished {
	t.Helper()
	c.Suffix, c.Hide = ".part", true
	return storage.NewUnfinished(folder(t, dir), entries, c)
}

// What has a suffix passes for what has not, in everything that a storage does.
func TestConformanceUnfinished(t *testing.T) {
	storagetest.Run(t, func(t *testing.T, entries []storage.Entry) storage.Storage {
		st, err := storage.New(entries, storage.Config{FS: unfinished(t, t.TempDir(), entries, storage.UnfinishedConfig{}), Pool: storage.NewPool(2)})
		must(t, err)
		return st
	})
}

// A file comes to be with the suffix and loses it in the end; who has its name keeps that.
func TestUnfinished(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("x", 253)
	entries := storagetest.Lay(
		storage.Entry{Path: "t/a", Length: 5},
		storage.Entry{Path: "t/b", Length: 5},
		storage.Entry{Path: "t/B.PART", Length: 5}, // b can't be called so
		storage.Entry{Path: "t/empty", Length: 0},
		storage.Entry{Path: "t/" + long, Length: 5},
		storage.Entry{Path: "t/c", Length: 5},
	)
	u := unfinished(t, dir, entries, storage.UnfinishedConfig{})
	st := open(t, u, storage.NewPool(0), entries)
	must(t, st.Prepare(t.Context()))
	must(t, st.WriteV([][]byte{[]byte("aaaaabbbbbBBBBBxxxxxccccc")}, 0))
	want := []string{"t/B.PART.part", "t/a.part", "t/b", "t/c.part", "t/empty", "t/" + long}
	if got := tree(t, dir); !slices.Equal(got, want) {
		t.Errorf("there are %v", got)
	}
	if got := u.Hidden(); !slices.Equal(got, []string{"t/B.PART", "t/a", "t/c"}) || u.OnDisk("t/a") != "t/a.part" || u.OnDisk("t/b") != "t/b" {
		t.Errorf("hidden: %v", got)
	}
	must(t, os.WriteFile(filepath.Join(dir, "t", "c"), []byte("mine"), 0o666))
	must(t, u.Reveal("t/a"))
	must(t, u.Reveal("t/a"))
	if err := u.Reveal("t/c"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a name that is taken: %v", err)
	}
	got := make([]byte, 25)
	must(t, st.ReadV([][]byte{got}, 0))
	if string(got) != "aaaaabbbbbBBBBBxxxxxccccc" || !slices.Equal(u.Hidden(), []string{"t/B.PART", "t/c"}) {
		t.Errorf("read %q, hidden %v", got, u.Hidden())
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "t", "c")); string(b) != "mine" {
		t.Errorf("it holds %q", b)
	}

	// The next one finds them, and asks where there are two.
	u = storage.NewUnfinished(folder(t, dir), entries, storage.UnfinishedConfig{
		Suffix: ".part", Which: func(name string, _, _ fs.FileInfo) bool { return name == "t/c" },
	})
	st = open(t, u, storage.NewPool(0), entries)
	must(t, st.ReadV([][]byte{got}, 0))
	if string(got) != "aaaaabbbbbBBBBBxxxxxccccc" {
		t.Errorf("read %q", got)
	}

	// Partial ones get the suffix, and a new name does not take it off.
	u = unfinished(t, dir, append(entries, storage.Entry{Path: "t/new", Length: 5}), storage.UnfinishedConfig{
		Partial: func(name string, _ fs.FileInfo) bool { return name == "t/a" },
	})
	if _, err := u.Lstat("t/a"); err != nil || u.OnDisk("t/a") != "t/a.part" {
		t.Errorf("%s, %v", u.OnDisk("t/a"), err)
	}
	must(t, u.Rename("t/a", "t/new"))
	if err := u.Rename("t/B.PART", "t/c"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	if got := tree(t, dir); !slices.Contains(got, "t/new.part") || slices.Contains(got, "t/a.part") || u.OnDisk("t/new") != "t/new.part" {
		t.Errorf("there are %v", got)
	}
}

// Two of one suffix, one above the other, take it off once: the file is its own neighbour then,
// and nobody may take it for one that has its name.
func TestUnfinishedTwice(t *testing.T) {
	dir := t.TempDir()
	entries := storagetest.Lay(storage.Entry{Path: "a", Length: 5}, storage.Entry{Path: "b", Length: 5})
	below := unfinished(t, dir, entries, storage.UnfinishedConfig{})
	above := storage.NewUnfinished(below, entries, storage.UnfinishedConfig{Suffix: ".part"})
	for _, name := range []string{"a.part", "b.part"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("whole"), 0o666))
	}
	for _, name := range []string{"a", "b"} {
		for _, u := range []*storage.Unfinished{below, above} {
			if _, err := u.Lstat(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	must(t, below.Reveal("a"))
	must(t, above.Reveal("a"))
	must(t, above.Reveal("b"))
	must(t, below.Reveal("b"))
	if got := tree(t, dir); !slices.Equal(got, []string{"a", "b"}) || len(below.Hidden())+len(above.Hidden()) > 0 {
		t.Errorf("there are %v, hidden are %v and %v", got, below.Hidden(), above.Hidden())
	}
}

func TestCheckSuffix(t *testing.T) {
	for suffix, good := range map[string]bool{
		".part": true, ".!qB": true, ".shoal-new": false, ".SHOAL-part": false, "part": false, "": false, ".": false,
		".a/b": false, ".a.": false, ".a\x00": false, "." + strings.Repeat("x", 40): false,
	} {
		if err := storage.CheckSuffix(suffix); (err == nil) != good {
			t.Errorf("%q: %v", suffix, err)
		}
	}
}

// A file gets another name in one step, and nothing loses its own by it.
func TestRenameNeverReplaces(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	f := folder(t, dir).(storage.Mover)
	must(t, os.MkdirAll(filepath.Join(dir, "d", "e"), 0o777))
	for name, text := range map[string]string{"a": "a", "b": "b", "d/c": "c"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	must(t, os.Symlink("a", filepath.Join(dir, "link")))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "loose")))
	must(t, os.Symlink(outside, filepath.Join(dir, "out")))
	for _, to := range []string{"b", "d/c", "link", "loose", "d/e", "out"} {
		if err := f.Rename("a", to); !errors.Is(err, fs.ErrExist) {
			t.Errorf("to %s: %v", to, err)
		}
	}
	for _, to := range []string{"out/a", "../a", "none/a", "b/a"} {
		if err := f.Rename("a", to); err == nil {
			t.Errorf("to %s", to)
		}
	}
	if err := f.Rename("out/x", "x"); err == nil {
		t.Error("from outside")
	}
	must(t, f.Rename("a", "d/e/a"))
	if got := tree(t, dir); !slices.Equal(got, []string{"b", "d/c", "d/e/a", "link", "loose", "out"}) {
		t.Errorf("there are %v", got)
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("outside there are %v", left)
	}
}

// A file whose name leaves no room for more comes out of the part file all the same.
func TestLongNameComesOut(t *testing.T) {
	dir := t.TempDir()
	long := "t/" + strings.Repeat("ü", 127)
	entries := storagetest.Lay(storage.Entry{Path: "t/a", Length: 10}, storage.Entry{Path: long, Length: 20})
	st := open(t, folder(t, dir), storage.NewPool(0), entries)
	st.UsePart(".x.shoal-part", 16)
	st.Skip([]bool{false, true})
	must(t, st.WriteV([][]byte{[]byte("0123456789abcdef")}, 0))
	st.Skip(nil)
	must(t, st.MoveOut(t.Context(), 1))
	if b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(long))); err != nil || string(b) != "abcdef" {
		t.Errorf("%q, %v", b, err)
	}
	if got := tree(t, dir); len(got) != 3 {
		t.Errorf("there are %v", got)
	}
}

// A path may be longer than one call to the system takes: it is walked folder by folder.
func TestPathLongerThanACallTakes(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	deep := strings.Repeat(strings.Repeat("d", 200)+"/", 40) + "a"
	entries := storagetest.Lay(storage.Entry{Path: deep, Length: 5})
	u := unfinished(t, dir, entries, storage.UnfinishedConfig{})
	st := open(t, u, storage.NewPool(0), entries)
	must(t, st.WriteV([][]byte{[]byte("aaaaa")}, 0))
	must(t, st.Sync(t.Context()))
	must(t, u.Reveal(deep))
	got := make([]byte, 5)
	must(t, st.ReadV([][]byte{got}, 0))
	r, err := storage.Relocate(t.Context(), folder(t, dir), folder(t, other), entries, nil)
	must(t, err)
	if !r.Linked || string(got) != "aaaaa" {
		t.Errorf("read %q, linked %v", got, r.Linked)
	}
	must(t, storage.RemoveFiles(folder(t, dir), entries))
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	st = open(t, folder(t, other), storage.NewPool(0), entries)
	must(t, st.ReadV([][]byte{got}, 0))
}
