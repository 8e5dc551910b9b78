package journals

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"shoal/internal/files/resume"
	"shoal/internal/value/infohash"
)

func store(t *testing.T, stateDir string) *Store {
	t.Helper()
	s := New(Config{StateDir: stateDir, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// journal makes a journal of a torrent in a download folder, used at the time given.
func journal(t *testing.T, s *Store, stateDir, dir string, h infohash.Hash, used time.Time) (name string) {
	t.Helper()
	if _, err := s.For(dir); err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(Dir(stateDir, dir), (&resume.Layout{InfoHash: h}).FileName())
	if err := os.WriteFile(name, []byte("a journal"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, used, used); err != nil {
		t.Fatal(err)
	}
	return name
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// Without a folder of state nothing is kept, and nothing fails.
func TestNothingKept(t *testing.T) {
	s := store(t, "")
	if s.Kept() {
		t.Error("it keeps journals")
	}
	if f, err := s.For("/x"); f != nil || err != nil {
		t.Errorf("%v, %v", f, err)
	}
	release, err := s.Lock("/x", infohash.Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	release()
	if err := s.Remove("/x", infohash.Hash{1}); err != nil {
		t.Error(err)
	}
	s.MarkUsed("/x", infohash.Hash{1})
	s.SweepSoon(t.Context(), nil)
}

// A download folder has one folder of journals, opened once.
func TestFor(t *testing.T) {
	dir := t.TempDir()
	s := store(t, dir)
	a, err := s.For("/downloads")
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.For("/downloads")
	if err != nil || again != a {
		t.Errorf("another one the second time: %v", err)
	}
	if other, err := s.For("/other"); err != nil || other == a {
		t.Errorf("one for two folders: %v", err)
	}
	if !exists(Dir(dir, "/downloads")) || !exists(Dir(dir, "/other")) {
		t.Error("they are not below the folder of state")
	}
}

// Others are the folders with a journal of the torrent but one, the eight used last, the latest
// first.
func TestOthers(t *testing.T) {
	dir, h, now := t.TempDir(), infohash.Hash{1}, time.Now()
	s := store(t, dir)
	var want []string
	for i := range mostOthers + 3 {
		at := fmt.Sprint("/volume/", i)
		journal(t, s, dir, at, h, now.Add(-time.Duration(i)*time.Hour))
		if i > 0 {
			want = append(want, Name(at))
		}
	}
	journal(t, s, dir, "/volume/x", infohash.Hash{2}, now)
	if got := s.Others("/volume/0", h); !slices.Equal(got, want[:mostOthers]) {
		t.Errorf("%v\nwant %v", got, want[:mostOthers])
	}
	f, done, err := s.OpenOther(want[0])
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if names, err := f.List(); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
}

// Remove removes the journal, and the one of the folder where unfinished files were; one that
// another process writes stays.
func TestRemove(t *testing.T) {
	dir, h := t.TempDir(), infohash.Hash{1}
	s := store(t, dir)
	home := journal(t, s, dir, "/home", h, time.Now())
	aside := journal(t, s, dir, "/incomplete", h, time.Now())
	state, err := s.For("/home")
	if err != nil {
		t.Fatal(err)
	}
	if err := resume.WriteAside(state, h, resume.Aside{Dir: "/incomplete"}); err != nil {
		t.Fatal(err)
	}
	release, err := s.Lock("/incomplete", h)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove("/home", h); !errors.Is(err, resume.ErrInUse) {
		t.Errorf("one is locked: %v", err)
	}
	if exists(home) || !exists(aside) {
		t.Errorf("of the two are there: %t, %t", exists(home), exists(aside))
	}
	release()
	if err := Remove(dir, "/incomplete", h); err != nil || exists(aside) {
		t.Errorf("it is still there: %v", err)
	}
	if err := Remove(dir, "/never", h); err != nil {
		t.Errorf("none is there: %v", err)
	}
}

// A sweep removes what was not used for two years, and not what is in use.
func TestSweep(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	s := store(t, dir)
	const day = 24 * time.Hour
	old := journal(t, s, dir, "/a", infohash.Hash{1}, now.Add(-731*day))
	used := journal(t, s, dir, "/a", infohash.Hash{2}, now.Add(-731*day))
	young := journal(t, s, dir, "/b", infohash.Hash{3}, now.Add(-729*day))
	inUse := func(h infohash.Hash) bool { return h == infohash.Hash{2} }
	if err := s.Sweep(t.Context(), now, inUse); err != nil {
		t.Fatal(err)
	}
	if exists(old) || !exists(used) || !exists(young) {
		t.Errorf("there are: old %t, used %t, young %t", exists(old), exists(used), exists(young))
	}
}
