//go:build unix

package storage_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/internal/files/storage"
)

func nothing(string) bool { return false }

// A file that is set aside keeps its bytes under a name that nobody has, also where names are
// as long as they can be, and where it can't be read.
func TestSetAside(t *testing.T) {
	long := strings.Repeat("x", 250) + ".mkv"
	wide := strings.Repeat("\u00e9", 127)
	for name, want := range map[string]string{
		"t/film.mkv": "t/film.mkv.before-shoal",
		"film":       "film.before-shoal",
		long:         long[:255-len(".before-shoal")] + ".before-shoal",
		wide:         strings.Repeat("\u00e9", 121) + ".before-shoal",
		"caf\xe9":    "caf\xe9.before-shoal",
		"-o":         "-o.before-shoal",
	} {
		dir := t.TempDir()
		files(t, dir, name)
		must(t, os.Chmod(filepath.Join(dir, name), 0))
		fsys := folder(t, dir)
		as, err := storage.SetAside(fsys, name, nothing)
		if err != nil || as != want {
			t.Errorf("%q: %q, %v", name, as, err)
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%q is there, too", name)
		}
		must(t, os.Chmod(filepath.Join(dir, as), 0o600))
		holds(t, filepath.Join(dir, as), "012345")
	}
	dir := t.TempDir()
	files(t, dir, "a", "a.before-shoal", "a.before-shoal-3")
	as, err := storage.SetAside(folder(t, dir), "a", func(s string) bool { return s == "a.before-shoal-2" })
	if err != nil || as != "a.before-shoal-4" {
		t.Errorf("%q, %v", as, err)
	}
}

// A copy takes the place of a file with several names; mode and time stay, but for the right
// to write to it.
func TestUnshare(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	files(t, dir, "t/a")
	name := filepath.Join(dir, "t/a")
	must(t, os.Link(name, other+"/a"))
	when := time.Unix(1_000_000_000, 0)
	must(t, os.Chtimes(name, when, when))
	must(t, os.Chmod(name, 0o440))
	files(t, dir, "t/a.shoal-new") // left by a stop
	fsys := folder(t, dir)
	must(t, storage.Unshare(t.Context(), fsys, "t/a"))
	info, err := fsys.Lstat("t/a")
	must(t, err)
	if storage.LinksOf(info) != 1 || info.Mode() != 0o640 || !info.ModTime().Equal(when) {
		t.Errorf("%d links, %v, %v", storage.LinksOf(info), info.Mode(), info.ModTime())
	}
	must(t, os.WriteFile(name, []byte("torrent"), 0))
	holds(t, other+"/a", "012345")
	if left, _ := os.ReadDir(filepath.Join(dir, "t")); len(left) != 1 {
		t.Errorf("there are %v", left)
	}
	// The old one keeps its mode.
	if info, err := os.Stat(other + "/a"); err != nil || info.Mode() != 0o440 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestOnlyZeros(t *testing.T) {
	for name, c := range map[string]struct {
		make func(name string) error
		want bool
	}{
		"empty":          {func(name string) error { return os.WriteFile(name, nil, 0o644) }, true},
		"zeros":          {func(name string) error { return os.WriteFile(name, make([]byte, 3<<20), 0o644) }, true},
		"hole":           {func(name string) error { return hole(name, 1<<30) }, true},
		"last byte":      {func(name string) error { return os.WriteFile(name, append(make([]byte, 300<<10), 1), 0o644) }, false},
		"first byte":     {func(name string) error { return os.WriteFile(name, append([]byte{1}, make([]byte, 300<<10)...), 0o644) }, false},
		"byte in a hole": {func(name string) error { return hole(name, 1<<30, 1<<29+12345) }, false},
		"end of a hole":  {func(name string) error { return hole(name, 1<<30, 1<<30-1) }, false},
	} {
		dir := t.TempDir()
		must(t, c.make(dir+"/f"))
		start := time.Now()
		got, err := storage.OnlyZeros(t.Context(), folder(t, dir), "f")
		if err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		t.Logf("%s: %v", name, time.Since(start))
	}
}

// hole makes a file of zeros without room, but for ones at these places.
func hole(name string, size int64, ones ...int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, at := range ones {
		if _, err := f.WriteAt([]byte{1}, at); err != nil {
			return err
		}
	}
	return f.Truncate(size)
}

// Nothing is renamed or copied through an FS that can't.
func TestUserFilesElsewhere(t *testing.T) {
	m := storage.NewMemFS()
	h, err := m.Open("a", storage.Create)
	must(t, err)
	h.Close()
	if err := storage.Unshare(t.Context(), m, "a"); err == nil {
		t.Error("a copy took the place")
	}
	if as, err := storage.SetAside(m, "a", nothing); err != nil || as != "a.before-shoal" {
		t.Errorf("%q, %v", as, err)
	}
	if _, err := m.Lstat("a"); err == nil {
		t.Error("it is still there")
	}
	if _, err := storage.OnlyZeros(t.Context(), m, "none"); err == nil {
		t.Error("what is not there has zeros")
	}
	var info fs.FileInfo
	info, err = m.Lstat("a.before-shoal")
	must(t, err)
	if storage.LinksOf(info) != 1 {
		t.Error("links")
	}
}
