package resume_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// edit writes to a file behind our back.
func (w *world) edit(t *testing.T, name string, off int64, b []byte) {
	t.Helper()
	h, err := w.fs.Folder("data").Open(name, storage.Write)
	must(t, err)
	_, err = h.WriteV([][]byte{b}, off)
	must(t, err)
}

// replace puts a new file of so many bytes in the place of one.
func (w *world) replace(t *testing.T, name string, size int) {
	t.Helper()
	d := w.fs.Folder("data")
	if err := d.Remove(name); err != nil {
		t.Fatal(err)
	}
	h, err := d.Open(name, storage.Create)
	must(t, err)
	_, err = h.WriteV([][]byte{make([]byte, size)}, 0)
	must(t, err)
}

// What others do to the files while we are away, after a clean end, a kill in the
// middle of writing piece 9, and a loss of power then: only the pieces of files that
// they touched are hashed again. File a has pieces 0 to 4, b piece 4, c 5 to 13;
// pieces 0 to 8 are claimed.
func TestChangedWhileAway(t *testing.T) {
	type outcome struct{ trusted, doubt, missing string }
	all := "[0 1 2 3 4 5 6 7 8]"
	cases := map[string]struct {
		do   func(t *testing.T, w *world)
		want map[string]outcome // by how we ended
	}{
		"nothing": {
			func(*testing.T, *world) {},
			map[string]outcome{
				"closed":     {all, "[]", "[]"},
				"killed":     {all, "[9]", "[]"},
				"power lost": {all, "[]", "[]"},
			},
		},
		"a edited": {
			func(t *testing.T, w *world) { w.edit(t, "t/a", 1, []byte{1}) },
			map[string]outcome{
				"closed":     {"[5 6 7 8]", "[0 1 2 3 4]", "[]"},
				"killed":     {"[5 6 7 8]", "[0 1 2 3 4 9]", "[]"},
				"power lost": {"[5 6 7 8]", "[0 1 2 3 4]", "[]"},
			},
		},
		"c edited, which was being written": {
			func(t *testing.T, w *world) { w.edit(t, "t/x/c", 9, []byte{1}) },
			map[string]outcome{
				"closed":     {"[0 1 2 3 4]", "[5 6 7 8 9 10 11 12 13]", "[]"},
				"killed":     {"[0 1 2 3 4]", "[5 6 7 8 9 10 11 12 13]", "[]"},
				"power lost": {"[0 1 2 3 4]", "[5 6 7 8 9 10 11 12 13]", "[]"},
			},
		},
		"b replaced": {
			func(t *testing.T, w *world) { w.replace(t, "t/x/b", 100) },
			map[string]outcome{
				"closed":     {"[0 1 2 3 5 6 7 8]", "[4]", "[]"},
				"killed":     {"[0 1 2 3 5 6 7 8]", "[4 9]", "[]"},
				"power lost": {"[0 1 2 3 5 6 7 8]", "[4]", "[]"},
			},
		},
		"a removed": {
			func(t *testing.T, w *world) { must(t, w.fs.Folder("data").Remove("t/a")) },
			map[string]outcome{
				"closed":     {"[5 6 7 8]", "[]", "[0]"},
				"killed":     {"[5 6 7 8]", "[9]", "[0]"},
				"power lost": {"[5 6 7 8]", "[]", "[0]"},
			},
		},
		"the folder gone": {
			func(t *testing.T, w *world) { must(t, w.fs.Folder(".").Rename("data", "elsewhere")) },
			map[string]outcome{
				"closed":     {"[]", "[]", "[0 2 4] and the folder"},
				"killed":     {"[]", "[]", "[0 2 4] and the folder"},
				"power lost": {"[]", "[]", "[0 2 4] and the folder"},
			},
		},
	}
	for name, c := range cases {
		for ended, want := range c.want {
			t.Run(name+", "+ended, func(t *testing.T) {
				w := newWorld()
				w.pieces = 9
				p, err := w.open()
				must(t, err)
				must(t, p.start())
				must(t, p.download())
				switch ended {
				case "closed":
					must(t, p.close())
					w.crash(crashfs.Kill, 0)
				default:
					// Into the middle of the write of piece 9: its note is there, its end is not.
					calls := w.fs.Calls()
					w.fs.StopAt(3)
					if err := p.write(9); !errors.Is(err, crashfs.ErrStopped) {
						t.Fatalf("after %d calls: %v", calls, err)
					}
					mode := crashfs.Kill
					if ended == "power lost" {
						mode = crashfs.Oldest // a half of what was written
					}
					w.crash(mode, 0)
				}
				w.at = w.at.Add(time.Hour)
				c.do(t, w)
				p, err = w.open()
				must(t, err)
				seen, err := resume.Look(w.fs.Folder("data"), w.lay.Files)
				must(t, err)
				v := p.lo.Compare(seen)
				got := outcome{fmt.Sprint(list(v.Trusted)), fmt.Sprint(list(v.Doubt)), fmt.Sprint(v.Missing)}
				if v.Missing == nil {
					got.missing = "[]"
				}
				if v.FolderGone {
					got.missing += " and the folder"
				}
				if got != want {
					t.Errorf("trusted %v, in doubt %v, missing %v\nwant    %v, in doubt %v, missing %v",
						got.trusted, got.doubt, got.missing, want.trusted, want.doubt, want.missing)
				}
				if p.lo.Clean != (ended == "closed") || p.lo.Dir != "data" {
					t.Errorf("clean %v, folder %q", p.lo.Clean, p.lo.Dir)
				}
			})
		}
	}
}

// A folder that comes back is what it was: nothing is hashed.
func TestComesBack(t *testing.T) {
	w := newWorld()
	must(t, w.run())
	root := w.fs.Folder(".")
	must(t, root.Rename("data", "elsewhere"))
	p, err := w.open()
	must(t, err)
	seen, err := resume.Look(w.fs.Folder("data"), w.lay.Files)
	must(t, err)
	if v := p.lo.Compare(seen); !v.FolderGone || !v.Trusted.None() || !v.Doubt.None() {
		t.Fatalf("with another folder there: %+v", v)
	}
	must(t, root.Remove("data"))
	must(t, root.Rename("elsewhere", "data"))
	seen, err = resume.Look(w.fs.Folder("data"), w.lay.Files)
	must(t, err)
	if v := p.lo.Compare(seen); v.FolderGone || !v.Trusted.All() || !v.Doubt.None() {
		t.Fatalf("back again: trusted %v, doubt %v", list(v.Trusted), list(v.Doubt))
	}
}

// Files that were there before the torrent are hashed before anything else.
func TestFilesOfOthers(t *testing.T) {
	w := newWorld()
	d := w.fs.Folder("data")
	must(t, d.Mkdir("t"))
	h, err := d.Open("t/a", storage.Create)
	must(t, err)
	_, err = h.WriteV([][]byte{w.data[:5000]}, 0)
	must(t, err)
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	if fmt.Sprint(list(p.verdict.Doubt)) != "[0 1 2 3 4]" || fmt.Sprint(list(p.have)) != "[0 1 2 3]" {
		t.Fatalf("in doubt %v, had %v", list(p.verdict.Doubt), list(p.have))
	}
	w.crash(crashfs.Lost, 0) // whoever wrote it had not synced it
	if p = w.verify(t); fmt.Sprint(list(p.verdict.Trusted)) != "[0 1 2 3]" {
		t.Errorf("after a loss of power %v are trusted", list(p.verdict.Trusted))
	}
}

// Somebody changes a file while we write to it: the write fails, and the file's
// pieces are in doubt.
func TestChangedWhileRunning(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, w *world){
		"edited":   func(t *testing.T, w *world) { w.edit(t, "t/a", 1500, []byte{0}) },
		"replaced": func(t *testing.T, w *world) { w.replace(t, "t/a", 5000) },
		"removed":  func(t *testing.T, w *world) { must(t, w.fs.Folder("data").Remove("t/a")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			p, err := w.open()
			must(t, err)
			must(t, p.start())
			for i := range uint32(3) {
				must(t, p.write(i))
			}
			must(t, p.commit())
			change(t, w)
			if err := p.write(3); !errors.Is(err, resume.ErrChanged) {
				t.Fatalf("write: %v, want that the file has changed", err)
			}
			must(t, p.write(7)) // of another file
			for range 2 {
				p.st.Close()
				p.lo = p.j.Loaded()
				must(t, p.start())
				if name != "edited" {
					if p.have.Has(0) {
						t.Error("piece 0 is had, of a file that is gone")
					}
					continue
				}
				if p.have.Has(1) || !p.have.Has(0) || !p.have.Has(7) {
					t.Errorf("had are %v, want all that was written but piece 1", list(p.have))
				}
			}
			must(t, p.download())
			w.crash(crashfs.Lost, 0)
			if p := w.verify(t); !p.verdict.Trusted.All() {
				t.Errorf("in the end %v are trusted", list(p.verdict.Trusted))
			}
		})
	}
}

// Where times of files move by themselves, they alone say nothing while we write.
func TestLateTimes(t *testing.T) {
	w := newWorld()
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	p.guard = resume.NewGuard(p.st, p.dataDir, p.j, resume.Volume{LateTimes: true})
	must(t, p.write(0))
	w.edit(t, "t/a", 0, w.piece(0)[:1])
	must(t, p.write(1))
	w.replace(t, "t/a", 5000)
	if err := p.write(2); !errors.Is(err, resume.ErrChanged) {
		t.Errorf("write to a file that was replaced: %v", err)
	}
}

// Nothing is written before it is said what is there.
func TestNotAdopted(t *testing.T) {
	w := newWorld()
	p, err := w.open()
	must(t, err)
	p.st, err = storage.New(w.lay.Files, storage.Config{FS: w.fs.Folder("data"), Pool: storage.NewPool(2)})
	must(t, err)
	g := resume.NewGuard(p.st, w.fs.Folder("data"), p.j, resume.Volume{})
	if err := g.WriteV([][]byte{w.piece(0)}, 0); !errors.Is(err, resume.ErrNotAdopted) {
		t.Errorf("write: %v", err)
	}
	p.j.Verified(0)
	if _, err := p.j.Commit(context.Background(), g.Sync); !errors.Is(err, resume.ErrNotAdopted) {
		t.Errorf("commit: %v", err)
	}
}

// Nothing changed, so nothing is written; what is written to again is not claimed
// meanwhile; a removed journal is gone.
func TestWritesNothingNew(t *testing.T) {
	w := newWorld()
	must(t, w.run())
	before := w.journal(t)
	w.crash(crashfs.Lost, 0)
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	must(t, p.close())
	if string(w.journal(t)) != string(before) {
		t.Error("a journal that was in order was written again")
	}
	must(t, resume.Remove(w.fs.Folder("state"), w.lay))
	w.crash(crashfs.Lost, 0)
	names, err := w.fs.Folder("state").List()
	must(t, err)
	if len(names) != 0 {
		t.Errorf("after its removal there are %v", names)
	}
}

// What is verified and then written to again, before the commit or while it syncs,
// is not claimed.
func TestWrittenAgain(t *testing.T) {
	w := newWorld()
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	for i := range uint32(4) {
		must(t, p.write(i))
	}
	must(t, p.spoil(1))
	pieces, err := p.j.Commit(t.Context(), func(ctx context.Context) error {
		return errors.Join(p.guard.Sync(ctx), p.spoil(2))
	})
	must(t, err)
	if fmt.Sprint(pieces) != "[0 3]" {
		t.Errorf("claimed are %v, want 0 and 3", pieces)
	}
	if lo := reopen(t, w); fmt.Sprint(list(lo.Have)) != "[0 3]" {
		t.Errorf("%v is claimed, want 0 and 3", list(lo.Have))
	}
}

// A file is edited after a clean end, and then the system is restarted: that it
// was before does not make it ours.
func TestEditedBeforeRestart(t *testing.T) {
	w := newWorld()
	must(t, w.run())
	w.edit(t, "t/a", 1, []byte{0xff})
	w.crash(crashfs.Kill, 0)
	w.boot = resume.Boot{ID: "second run", Start: w.now()}
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	if fmt.Sprint(list(p.verdict.Doubt)) != "[0 1 2 3 4]" || p.have.Has(0) {
		t.Errorf("in doubt %v, had %v", list(p.verdict.Doubt), list(p.have))
	}
}

// hooked is a storage in which something happens before the next write.
type hooked struct {
	*storage.Files
	do func() error
}

func (h *hooked) WriteV(bufs [][]byte, off int64) error {
	do := h.do
	h.do = func() error { return nil }
	if err := do(); err != nil {
		return err
	}
	return h.Files.WriteV(bufs, off)
}

// hook has something happen in the middle of the next write, before the data.
func (p *process) hook(do func() error) {
	p.guard = resume.NewGuard(&hooked{p.st, do}, p.dataDir, p.j, resume.Volume{})
}

// A file that is replaced between our look and our write is not the one written to.
func TestReplacedInTheMiddle(t *testing.T) {
	w := newWorld()
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	must(t, p.write(0))
	p.hook(func() error { w.replace(t, "t/a", 5000); return nil })
	if err := p.write(1); !errors.Is(err, resume.ErrChanged) {
		t.Fatalf("write: %v", err)
	}
	p.lo = p.j.Loaded()
	must(t, p.start())
	if !p.have.None() {
		t.Errorf("had are %v, of a file that is empty", list(p.have))
	}
}

// A new version of the journal that is written in the middle of a write knows of it.
func TestCommitInTheMiddle(t *testing.T) {
	w := newWorld()
	w.limit = 0
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	must(t, p.write(0))
	p.hook(func() error { return p.commit() })
	if err := p.guard.WriteV([][]byte{w.piece(1)}, w.lay.Geometry.Offset(1, 0)); err != nil {
		t.Fatal(err)
	}
	must(t, p.write(3))
	p.hook(func() error {
		err := p.commit()
		w.fs.StopAt(2)
		return err
	})
	_ = p.write(4)
	w.crash(crashfs.Kill, 0)
	if p := w.verify(t); fmt.Sprint(list(p.verdict.Trusted)) != "[0 3]" || fmt.Sprint(list(p.verdict.Doubt)) != "[1 4]" {
		t.Errorf("trusted %v, in doubt %v; want 0 and 3, 1 and 4", list(p.verdict.Trusted), list(p.verdict.Doubt))
	}
}

// A commit that is broken off is made up for by the next.
func TestCommitBrokenOff(t *testing.T) {
	w := newWorld()
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	must(t, p.write(0))
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := p.j.Commit(ctx, func(ctx context.Context) error { cancel(); return ctx.Err() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("commit: %v", err)
	}
	must(t, p.write(7))
	must(t, p.commit())
	must(t, p.write(1))
	must(t, p.write(3))
	w.crash(crashfs.Oldest, 0)
	if p := w.verify(t); fmt.Sprint(list(p.verdict.Trusted)) != "[0 7]" || fmt.Sprint(list(p.verdict.Doubt)) != "[1]" {
		t.Errorf("trusted %v, in doubt %v; want 0 and 7, 1", list(p.verdict.Trusted), list(p.verdict.Doubt))
	}
}
