package resume_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// copies puts a copy of the torrent's files in another folder, with their times. Nothing of it
// is synced.
func (w *world) copies(t *testing.T, to string) {
	t.Helper()
	from, there := w.fs.Folder("data"), w.fs.Folder(to)
	for _, dir := range []string{"t", "t/x"} {
		must(t, there.Mkdir(dir))
	}
	for _, e := range w.lay.Files {
		info, err := from.Lstat(e.Path)
		if e.Pad || e.Length == 0 || err != nil {
			continue
		}
		src, err := from.Open(e.Path, storage.Read)
		must(t, err)
		b := make([]byte, info.Size())
		_, err = src.ReadV([][]byte{b}, 0)
		must(t, err)
		dst, err := there.Open(e.Path, storage.Create)
		must(t, err)
		now := w.at
		for looks := time.Duration(1); ; looks++ { // the clock goes on with each look
			w.at = info.ModTime().Add(-looks * time.Millisecond)
			_, err = dst.WriteV([][]byte{b}, 0)
			must(t, err)
			if is, err := dst.Stat(); err != nil || is.ModTime().Equal(info.ModTime()) {
				must(t, err)
				break
			}
			if looks > 5 {
				t.Fatal("the time can't be set")
			}
		}
		w.at = now
		must(t, src.Close())
		must(t, dst.Close())
	}
}

// inherits opens the journal of another folder in the world of the first one.
func (w *world) inherits(t *testing.T, dir string) (j *resume.Journal, lo *resume.Loaded, seen resume.Seen) {
	t.Helper()
	first, err := w.open()
	must(t, err)
	j, own, err := resume.Open(w.fs.Folder("state of "+dir), w.lay, resume.Config{Dir: dir, Boot: w.boot, Now: w.now})
	must(t, err)
	seen, err = resume.Look(w.fs.Folder(dir), w.lay.Files)
	must(t, err)
	seen.Volume = w.vol
	if own.Found {
		return j, own, seen
	}
	lo = j.Inherit(first.lo, first.lo.Names, seen)
	if lo == nil || lo.Found || !lo.Have.None() {
		t.Fatalf("inherited: %+v", lo)
	}
	return j, lo, seen
}

// What holds of a journal in another folder, by how the torrent ended and what differs there.
// File a has pieces 0 to 4, b piece 4, c 5 to 13; pieces 0 to 8 are claimed, and piece 9 was
// being written.
func TestInherit(t *testing.T) {
	for _, c := range []struct {
		name           string
		stop           bool // by a kill; else in order
		do             func(t *testing.T, d *crashfs.Folder)
		trusted, doubt string
		files          int
	}{
		{"nothing differs", false, func(*testing.T, *crashfs.Folder) {}, "[0 1 2 3 4 5 6 7 8]", "[]", 3},
		{"nothing differs, killed", true, func(*testing.T, *crashfs.Folder) {}, "[0 1 2 3 4 5 6 7 8]", "[9]", 3},
		{"a differs", false, func(t *testing.T, d *crashfs.Folder) { touch(t, d, "t/a") }, "[5 6 7 8]", "[0 1 2 3 4]", 2},
		{"c differs, killed", true, func(t *testing.T, d *crashfs.Folder) { touch(t, d, "t/x/c") }, "[0 1 2 3 4]", "[5 6 7 8 9 10 11 12 13]", 2},
		{"b is not there", false, func(t *testing.T, d *crashfs.Folder) { must(t, d.Remove("t/x/b")) }, "[0 1 2 3 5 6 7 8]", "[]", 2},
		{"nothing is there", false, func(t *testing.T, d *crashfs.Folder) {
			for _, name := range []string{"t/a", "t/x/b", "t/x/c"} {
				must(t, d.Remove(name))
			}
		}, "[]", "[]", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.pieces = 9
			p, err := w.open()
			must(t, err)
			must(t, p.start())
			must(t, p.download())
			if c.stop {
				must(t, p.write(9))
			} else {
				must(t, p.close())
			}
			w.copies(t, "copy")
			c.do(t, w.fs.Folder("copy"))
			_, lo, seen := w.inherits(t, "copy")
			v := lo.Compare(seen)
			if got := fmt.Sprint(list(v.Trusted)); got != c.trusted {
				t.Errorf("trusted %s, want %s", got, c.trusted)
			}
			if got := fmt.Sprint(list(v.Doubt)); got != c.doubt {
				t.Errorf("in doubt %s, want %s", got, c.doubt)
			}
			if len(v.Missing) > 0 || v.FolderGone {
				t.Errorf("missing %v, folder gone %v: nothing was in this folder before", v.Missing, v.FolderGone)
			}
			first, err := w.open()
			must(t, err)
			if files, pieces := first.lo.Holds(seen); files != c.files || pieces != int(v.Trusted.Count()) {
				t.Errorf("%d files and %d pieces hold", files, pieces)
			}
		})
	}
}

func touch(t *testing.T, d *crashfs.Folder, name string) {
	t.Helper()
	h, err := d.Open(name, storage.Write)
	must(t, err)
	b := make([]byte, 1)
	_, err = h.ReadV([][]byte{b}, 0)
	must(t, err)
	_, err = h.WriteV([][]byte{b}, 0)
	must(t, err)
}

// A copy that nobody has synced is durable before its journal claims it: whatever a stop at any
// call leaves, what is trusted then verifies. The journal of the first folder stays as it is.
func TestInheritCrashes(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		for n, stopped := 1, true; stopped; n++ {
			w := newWorld()
			must(t, w.run())
			for range 2 { // all of it is durable, and adopted in this run of the system
				p, err := w.open()
				must(t, err)
				must(t, p.start())
				must(t, p.close())
			}
			w.copies(t, "copy")
			j, lo, seen := w.inherits(t, "copy")
			have := lo.Compare(seen).Trusted
			if !have.All() {
				t.Fatalf("trusted: %v", list(have))
			}
			st, err := storage.New(w.lay.Files, storage.Config{FS: w.fs.Folder("copy"), Pool: storage.NewPool(2)})
			must(t, err)
			w.fs.StopAt(n)
			err = resume.NewGuard(st, w.fs.Folder("copy"), j, w.vol).Adopt(context.Background(), seen, have)
			stopped = w.fs.Stopped()
			if !stopped {
				must(t, err)
			}
			w.fs.Crash(mode, rand.New(rand.NewPCG(uint64(n), 0)))
			w.at = w.at.Add(time.Minute)
			if mode != crashfs.Kill {
				w.boot = resume.Boot{ID: "second run", Start: w.at}
			}
			when := fmt.Sprintf("stopped at call %d, %v", n, mode)

			_, own, err := resume.Open(w.fs.Folder("state of copy"), w.lay, resume.Config{Dir: "copy", Boot: w.boot, Now: w.now})
			must(t, err)
			if !stopped && !own.Found || own.Damaged != "" {
				t.Errorf("%s: found %v, damaged %q", when, own.Found, own.Damaged)
			}
			seen, err = resume.Look(w.fs.Folder("copy"), w.lay.Files)
			must(t, err)
			left, err := storage.New(w.lay.Files, storage.Config{FS: w.fs.Folder("copy"), Pool: storage.NewPool(2)})
			must(t, err)
			p := &process{world: w, st: left}
			trusted := own.Compare(seen).Trusted
			for i := range trusted.Pieces() {
				if !p.verifies(i) {
					t.Errorf("%s: piece %d is claimed, and does not verify", when, i)
				}
			}
			if !stopped && !trusted.All() {
				t.Errorf("%s: adopted, and %v is trusted", when, list(trusted))
			}
			if first := w.verify(t); !first.verdict.Trusted.All() {
				t.Errorf("%s: of the first folder %v is trusted", when, list(first.verdict.Trusted))
			}
			if t.Failed() {
				return
			}
		}
	}
}
