package resume_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// honest is a torrent of one file on a real disk, adopted whole, with a journal that is
// kept in memory alone.
func honest(t *testing.T) (w *world, g *resume.Guard, path string) {
	t.Helper()
	w = newWorldOf(pieceLength, storage.Entry{Path: "f", Length: 20_000})
	dir := t.TempDir()
	path = filepath.Join(dir, "f")
	must(t, os.WriteFile(path, w.data, 0o666))
	data, err := storage.OpenFolder(dir)
	must(t, err)
	t.Cleanup(func() { data.Close() })
	st, err := storage.New(w.lay.Files, storage.Config{FS: data, Pool: storage.NewPool(2)})
	must(t, err)
	t.Cleanup(func() { st.Close() })
	j, _, err := resume.Open(nil, w.lay, resume.Config{Dir: dir, Boot: w.boot})
	must(t, err)
	seen, err := resume.Look(data, w.lay.Files)
	must(t, err)
	all := bitfield.New(w.lay.Geometry.Pieces)
	all.SetAll()
	g = resume.NewGuard(st, data, j, resume.Volume{})
	must(t, g.Adopt(t.Context(), seen, all))
	return w, g, path
}

// Whatever somebody else does to a file, its bytes are not given out once it is done.
func TestBytesOfAnotherAreNotRead(t *testing.T) {
	later := time.Now().Add(time.Hour)
	for name, change := range map[string]func(path string) error{
		"edited": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte{1, 2, 3}, 5000)
			return errors.Join(err, f.Close(), os.Chtimes(path, later, later))
		},
		"cut":      func(path string) error { return os.Truncate(path, 12_000) },
		"extended": func(path string) error { return os.Truncate(path, 30_000) },
		"touched":  func(path string) error { return os.Chtimes(path, later, later) },
	} {
		t.Run(name, func(t *testing.T) {
			_, g, path := honest(t)
			buf := make([]byte, pieceLength)
			read := func() error { _, err := g.ReadAt(buf, 4096); return err }
			must(t, read())
			must(t, change(path))
			if err := read(); !errors.Is(err, resume.ErrChanged) {
				t.Errorf("read: %v", err)
			}
			if err := g.ReadV([][]byte{buf}, 4096); !errors.Is(err, resume.ErrChanged) {
				t.Errorf("read into buffers: %v", err)
			}
		})
	}
}

// Our own writes are no alarm, however they fall with reads of the same file.
func TestOwnWritesAreNoAlarm(t *testing.T) {
	w, g, _ := honest(t)
	var wg sync.WaitGroup
	for r := range 4 {
		wg.Go(func() {
			buf := make([]byte, pieceLength)
			for range 300 {
				if _, err := g.ReadAt(buf, int64(r)*pieceLength); err != nil {
					t.Errorf("read: %v", err)
					return
				}
			}
		})
	}
	for range 300 {
		if err := g.WriteV([][]byte{w.data[:pieceLength]}, 0); err != nil {
			t.Errorf("write: %v", err)
		}
	}
	wg.Wait()
}

// With no folder of state everything works, and nothing is kept.
func TestInMemoryAlone(t *testing.T) {
	w, g, _ := honest(t)
	j, lo, err := resume.Open(nil, w.lay, resume.Config{Boot: w.boot})
	must(t, err)
	if lo.Found || !lo.Have.None() || lo.Damaged != "" {
		t.Errorf("a journal of nothing says %+v", lo)
	}
	must(t, g.WriteV([][]byte{w.data[:pieceLength]}, 0))
	if err := j.Close(t.Context(), g.Sync); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := j.Commit(t.Context(), g.Sync); err != nil {
		t.Errorf("commit: %v", err)
	}
}

// Look finds what reads of open files do not see: a file that another was put in the place
// of, and one that was removed. What we write ourselves it does not.
func TestLook(t *testing.T) {
	w := newWorld()
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	look := func(want string) {
		t.Helper()
		changed, missing, err := p.guard.Look(t.Context())
		must(t, err)
		if got := fmt.Sprint(changed, missing); got != want {
			t.Errorf("changed and missing are %s, want %s", got, want)
		}
	}
	look("[] []")
	for i := range uint32(8) {
		must(t, p.write(i))
		look("[] []")
	}
	must(t, p.commit())
	p.hook(func() error { look("[] []"); return nil }) // in the middle of a write
	must(t, p.write(9))
	w.replace(t, "t/x/b", 100)
	look("[2] []")
	if !p.verifies(3) {
		t.Error("piece 3 is not read, of a file that is as it was")
	}
	must(t, w.fs.Folder("data").Remove("t/a"))
	look("[2] [0]")
	if !p.verifies(3) {
		t.Error("piece 3 is not read, though the file is open")
	}
	p.st.Close()
	p.lo = p.j.Loaded()
	must(t, p.start())
	look("[] []")
}

// In the middle of our own write a file is told from another all the same, and no reader
// waits for the write to end.
func TestChangedWhileWeWrite(t *testing.T) {
	for name, change := range map[string]struct {
		do   func(t *testing.T, w *world)
		told bool
	}{
		"nothing":  {func(*testing.T, *world) {}, false},
		"replaced": {func(t *testing.T, w *world) { w.replace(t, "t/a", 5000) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			p, err := w.open()
			must(t, err)
			must(t, p.start())
			must(t, p.write(0))
			must(t, p.commit())
			p.st.Close()
			p.lo = p.j.Loaded()
			must(t, p.start()) // with no file open
			b := make([]byte, pieceLength)
			p.hook(func() error {
				change.do(t, w)
				if _, err := p.guard.ReadAt(b, 0); errors.Is(err, resume.ErrChanged) != change.told {
					t.Errorf("read in the middle of a write: %v", err)
				}
				return nil
			})
			if err := p.write(1); errors.Is(err, resume.ErrChanged) != change.told {
				t.Errorf("write: %v", err)
			}
		})
	}
}

// An edit while the note of a write waits for the device is not taken for the write.
func TestEditedWhileTheNoteWaits(t *testing.T) {
	w := newWorld()
	w.pieces = 3
	must(t, w.run())
	looks := 0
	now := func() time.Time {
		if looks++; looks == 2 { // when the note is durable
			w.edit(t, "t/a", 10, []byte{0xff})
		}
		return w.now()
	}
	p := &process{world: w, dataDir: w.fs.Folder("data")}
	var err error
	p.j, p.lo, err = resume.Open(w.fs.Folder("state"), w.lay, resume.Config{Dir: "data", Boot: w.boot, Now: now})
	must(t, err)
	must(t, p.start())
	if err := p.write(3); looks < 2 || !errors.Is(err, resume.ErrChanged) {
		t.Fatalf("write: %v after %d looks at the clock", err, looks)
	}
	p.st.Close()
	p.lo = p.j.Loaded()
	must(t, p.start())
	if p.have.Has(0) || !p.have.Has(1) {
		t.Errorf("had are %v, want all but piece 0", list(p.have))
	}
}
