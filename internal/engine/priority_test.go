package engine

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// onDisk gives the names in a folder, but for those of folders.
func onDisk(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A file that is skipped does not come to be, not even as a stub: what wanted pieces
// bring of it lies in the part file. Wanted after all, it comes out of there, only the
// rest is fetched, and a restart hashes nothing at any point.
func TestSkippedFiles(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "choosy", 16<<10, 50_000, 100_000, 3_000, 70_001, 0))
		info := k.c.meta.Info
		part := storage.PartName(info)
		prio := []uint8{2, 0, 0, 3, 2}
		for len(prio) < len(info.Files) {
			prio = append(prio, 2)
		}
		e, l := k.run(1, func(s *Spec) { s.Priorities = prio })
		wait(t, l)
		s := l.Stats()
		if s.Swarm.Downloaded >= s.Swarm.Size-50_000 || s.State != Seeding {
			t.Errorf("fetched %d of %d: %+v", s.Swarm.Downloaded, s.Swarm.Size, s)
		}
		there := map[string]bool{}
		for _, name := range onDisk(t, k.dir) {
			there[name] = true
		}
		for i, f := range info.Files {
			if got, want := there[filepath.ToSlash(filepath.Join(f.Path...))], prio[i] > 0; got != want {
				t.Errorf("file %d is there: %v", i, got)
			}
		}
		if !there[part] {
			t.Errorf("no part file: %v", there)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}

		// The same choice: nothing to do.
		e, l = k.run(2, func(s *Spec) { s.Priorities = prio })
		wait(t, l)
		if s := l.Stats(); s.Hashed != 0 || s.Swarm.Downloaded != 0 {
			t.Errorf("after a restart: %+v", s)
		}
		fetched := s.Swarm.Downloaded

		// The small one lies in the part file whole: it only has to come out.
		prio[2] = 2
		if err := l.SetPriorities(prio); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wait(t, l)
		if s := l.Stats(); s.Swarm.Downloaded != 0 {
			t.Errorf("%d bytes were fetched of a file that was in the part file", s.Swarm.Downloaded)
		}
		if got, err := os.ReadFile(filepath.Join(append([]string{k.dir}, info.Files[2].Path...)...)); err != nil || len(got) != 3000 {
			t.Errorf("the small file: %d bytes, %v", len(got), err)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}

		// All of it.
		_, l = k.run(3, nil)
		wait(t, l)
		if s := l.Stats(); s.Hashed != 0 || s.Swarm.Downloaded+fetched > s.Swarm.Size {
			t.Errorf("%d pieces hashed; %d bytes fetched, then %d, of %d", s.Hashed, fetched, s.Swarm.Downloaded, s.Swarm.Size)
		}
		k.c.same(t, k.dir)
		if _, err := os.Lstat(filepath.Join(k.dir, part)); !os.IsNotExist(err) {
			t.Errorf("the part file is still there: %v", err)
		}
	})
}

// What does not fit the torrent is refused.
func TestBadPriorities(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "bad", 16<<10, 50_000, 60_000)
		dir := t.TempDir()
		e := w.engine(1, Config{})
		if _, err := e.Add(Spec{Meta: c.meta, Dir: dir, Priorities: []uint8{1}}); err == nil {
			t.Error("one priority for two files is taken")
		}
		l := add(t, e, Spec{Meta: c.meta, Dir: dir})
		if err := l.SetPriorities([]uint8{1, 4}); err == nil {
			t.Error("a priority of 4 is taken")
		}
	})
}

// Room is reserved before the first byte, for what is wanted; what has come stays, and a
// restart hashes nothing.
func TestAllocate(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "room", 16<<10, 50_000, 100_000))
		e, l := k.run(1, func(s *Spec) { s.Allocate, s.Priorities, s.Peers = true, []uint8{2, 0}, nil })
		checkedNow(t, l)
		for i, want := range []int64{50_000, -1} {
			got := int64(-1)
			if info, err := os.Stat(filepath.Join(append([]string{k.dir}, k.c.meta.Info.Files[i].Path...)...)); err == nil {
				got = info.Size()
			}
			if got != want {
				t.Errorf("file %d has %d bytes, want %d", i, got, want)
			}
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, l = k.run(2, func(s *Spec) { s.Allocate = true })
		wait(t, l)
		if s := l.Stats(); s.Hashed != 0 || s.Swarm.Wasted != 0 {
			t.Errorf("after a restart: %+v", s)
		}
		k.c.same(t, k.dir)
	})
}

// What the torrent says may be run can be, once it is complete (BEP 47), and a restart
// takes that for no change.
func TestExecutable(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no such right")
	}
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "program", 16<<10, 50_000, 60_000)
		info := *c.meta.Info
		info.Files = slices.Clone(info.Files)
		info.Files[1].Executable = true
		c.meta = &metainfo.Torrent{Info: &info, InfoHash: info.Hash}
		k := w.kept(c)
		k.download()
		for i, want := range []os.FileMode{0, 0o100} {
			st, err := os.Stat(filepath.Join(append([]string{k.dir}, info.Files[i].Path...)...))
			if err != nil {
				t.Fatal(err)
			}
			if got := st.Mode() & 0o100; got != want {
				t.Errorf("file %d has mode %v", i, st.Mode())
			}
		}
		_, l := k.run(2, nil)
		wait(t, l)
		if s := l.Stats(); s.Hashed != 0 {
			t.Errorf("after a restart: %+v", s)
		}
	})
}
