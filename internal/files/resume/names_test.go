package resume_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// renamed are names as a user may give: in a new folder, out of a folder that is empty
// then, beside, and for a file of no bytes.
var renamed = resume.Names{0: "t/new/deep/a", 1: "nothing", 2: "t/x/b.txt", 4: "t/c"}

// rename opens the torrent, ends what was begun, and gives its files other names.
func (w *world) rename(to resume.Names) error {
	p, err := w.openNamed()
	if err != nil {
		return err
	}
	defer p.j.Rest()
	err = p.j.Rename(context.Background(), p.dataDir, to)
	w.lay = p.j.Layout()
	return err
}

// openNamed is open, with the names that the journal knows.
func (w *world) openNamed() (*process, error) {
	w.lay.Files = w.own()
	p, err := w.open()
	if err != nil {
		return nil, err
	}
	if p.lo.Renaming {
		if err := p.j.FinishRenames(context.Background(), p.dataDir); err != nil {
			return nil, err
		}
	}
	w.lay = p.j.Layout()
	return p, nil
}

// own are the entries by the torrent's names.
func (w *world) own() []storage.Entry { return newWorld().lay.Files }

// names gives what files are called that are not called as the torrent says.
func (w *world) names() resume.Names {
	got := resume.Names{}
	for i, e := range w.own() {
		if name := w.lay.Files[i].Path; name != e.Path {
			got[i] = name
		}
	}
	return got
}

// got is a world whose torrent is complete, closed in order, and durable.
func got(t *testing.T) *world {
	t.Helper()
	w := newWorld()
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	must(t, p.st.Prepare(t.Context()))
	must(t, p.download())
	must(t, p.close())
	return w
}

// trusted checks that all is had, and nothing hashed for it.
func (w *world) trusted(t *testing.T, when string) *process {
	t.Helper()
	p, err := w.openNamed()
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if err := p.start(); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	v := p.verdict
	if p.lo.Damaged != "" || !v.Trusted.All() || len(v.Missing) > 0 || v.FolderGone || p.j.Loaded().Renaming {
		t.Fatalf("%s: damage %q, trusted %v, in doubt %v, missing %v, changed %v; names %v", when,
			p.lo.Damaged, list(v.Trusted), list(v.Doubt), v.Missing, v.Changed, w.names())
	}
	for i := range v.Trusted.Pieces() {
		if !p.verifies(i) {
			t.Fatalf("%s: piece %d does not verify", when, i)
		}
	}
	return p
}

// Files get other names, keep them over restarts, and get their own back; nothing is
// hashed for it, and folders that are empty then are gone.
func TestRename(t *testing.T) {
	w := got(t)
	must(t, w.rename(renamed))
	for range 2 {
		if p := w.trusted(t, "renamed"); !maps.Equal(w.names(), renamed) || !maps.Equal(p.lo.Names, renamed) {
			t.Errorf("the names are %v, and %v are told", w.names(), p.lo.Names)
		}
		w.crash(crashfs.Lost, 0)
	}
	must(t, w.rename(resume.Names{0: "t/a", 4: "t/x/c"}))
	p := w.trusted(t, "renamed back")
	if want := (resume.Names{1: "nothing", 2: "t/x/b.txt"}); !maps.Equal(w.names(), want) {
		t.Errorf("the names are %v, want %v", w.names(), want)
	}
	if _, err := p.dataDir.Lstat("t/new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder is left: %v", err)
	}
	must(t, w.rename(resume.Names{1: "t/empty", 2: "t/x/b"}))
	if p := w.trusted(t, "all as they were"); len(w.names()) > 0 || p.lo.Names != nil {
		t.Errorf("the names are %v", w.names())
	}
}

// A download goes on under other names, of files that are not there yet too.
func TestRenameIncomplete(t *testing.T) {
	w := newWorld()
	w.pieces = 3
	must(t, w.run())
	must(t, w.rename(renamed))
	w.pieces = int(w.lay.Geometry.Pieces)
	p, err := w.openNamed()
	must(t, err)
	must(t, p.start())
	if got := fmt.Sprint(list(p.verdict.Trusted), list(p.verdict.Doubt)); got != "[0 1 2] []" {
		t.Errorf("trusted and in doubt are %s", got)
	}
	must(t, p.download())
	must(t, p.close())
	w.crash(crashfs.Lost, 0)
	if p := w.trusted(t, "in the end"); p.exists("t/a") || p.exists("t/x/c") || !p.exists("t/c") {
		t.Error("a file has come to be under its old name")
	}
}

func (p *process) exists(name string) bool {
	_, err := p.dataDir.Lstat(name)
	return err == nil
}

// What can't be is refused, and changes nothing.
func TestRenameRefused(t *testing.T) {
	for name, to := range map[string]resume.Names{
		"no such file":                    {5: "x"},
		"not a safe name":                 {0: "../x"},
		"would be called t/x/b":           {0: "t/x/b"},
		"would be a file, and a folder":   {0: "t/x/b/c"},
		"rename file 3: no such file":     {3: "pad"},
		"rename t/a to other: file alrea": {0: "other"},
	} {
		w := got(t)
		h, err := w.fs.Folder("data").Open("other", storage.Create)
		must(t, err)
		must(t, h.Close())
		if err := w.rename(to); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v, want %q in it", to, err, name)
		}
		if w.trusted(t, name); len(w.names()) > 0 {
			t.Errorf("%s: the names are %v", name, w.names())
		}
	}
}

// Of several names one can't be had: the others are given.
func TestRenameSome(t *testing.T) {
	w := got(t)
	h, err := w.fs.Folder("data").Open("t/c", storage.Create)
	must(t, err)
	must(t, h.Close())
	if err := w.rename(renamed); !errors.Is(err, fs.ErrExist) {
		t.Errorf("rename: %v", err)
	}
	want := maps.Clone(renamed)
	delete(want, 4)
	if w.trusted(t, "renamed in part"); !maps.Equal(w.names(), want) {
		t.Errorf("the names are %v, want %v", w.names(), want)
	}
}

// When the journal is damaged the caller's names count, and the files are found.
func TestNamesOfTheCaller(t *testing.T) {
	w := got(t)
	must(t, w.rename(renamed))
	b := w.journal(t)
	b[len(b)/2] ^= 1
	w.put(t, b)
	lay := w.lay
	lay.Files = w.own()
	j, lo, err := resume.Open(w.fs.Folder("state"), lay, resume.Config{Dir: "data", Boot: w.boot, Now: w.now, Names: renamed})
	must(t, err)
	if lo.Damaged == "" || !maps.Equal(lo.Names, renamed) || j.Layout().Files[4].Path != "t/c" {
		t.Errorf("damage %q, names %v", lo.Damaged, lo.Names)
	}
	seen, err := resume.Look(w.fs.Folder("data"), j.Layout().Files)
	must(t, err)
	if v := lo.Compare(seen); !v.Doubt.All() || len(v.Missing) > 0 {
		t.Errorf("in doubt %v, missing %v", list(v.Doubt), v.Missing)
	}
}

// A stop at every call of a rename, and a failure of every call: all files are there under
// the one name or the other, nothing is hashed, and what was said to be done is.
func TestRenameCrashes(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			for n, stopped := 1, true; stopped; n = next(n) {
				for _, errno := range append([]error{nil}, faults[n%len(faults)]) {
					w := got(t)
					if errno == nil {
						w.fs.StopAt(n)
					} else {
						w.fs.FailWhen(func(c crashfs.Call) error {
							if c.N == n {
								return errno
							}
							return nil
						})
					}
					err := w.rename(renamed)
					if errno == nil {
						stopped = w.fs.Stopped()
					}
					w.crash(mode, uint64(n))
					when := fmt.Sprintf("stopped at call %d, or failed with %v: %v", n, errno, err)
					w.trusted(t, when)
					if names := w.names(); err == nil && !maps.Equal(names, renamed) {
						t.Fatalf("%s: it was said to be done, and the names are %v", when, names)
					}
					must(t, w.rename(renamed))
					w.crash(crashfs.Lost, 0)
					if w.trusted(t, when+"; then again"); !maps.Equal(w.names(), renamed) {
						t.Fatalf("%s: then done again, the names are %v", when, w.names())
					}
				}
			}
		})
	}
}

// A journal of the first format is read: it knew no part file and no names.
func TestFirstFormat(t *testing.T) {
	s := newSelecting()
	w := s.world
	must(t, s.run())
	p, err := w.open()
	must(t, err)
	w.put(t, resume.FirstFormat(p.j))
	p, err = w.open()
	must(t, err)
	must(t, p.start())
	if p.lo.Damaged != "" || !p.verdict.Trusted.All() || !p.lo.Clean {
		t.Errorf("damage %q, trusted %v", p.lo.Damaged, list(p.verdict.Trusted))
	}
	w.put(t, resume.FormatOf(p.j, 3))
	if p, err = w.open(); err != nil || !strings.Contains(p.lo.Damaged, "format 3 is unknown") {
		t.Errorf("a later format: %v, %q", err, p.lo.Damaged)
	}
}

// The same over folders of the operating system.
func TestRenameOnDisk(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	data, err := storage.OpenFolder(dir)
	must(t, err)
	defer data.Close()
	state, err := resume.OpenFolder(t.TempDir())
	must(t, err)
	defer state.Close()
	for _, e := range w.lay.Files {
		if !e.Pad {
			must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(e.Path)), 0o777))
			must(t, os.WriteFile(filepath.Join(dir, e.Path), w.data[e.Offset:e.Offset+e.Length], 0o666))
		}
	}
	must(t, os.Symlink("new", filepath.Join(dir, "link")))
	boot := resume.ThisBoot()
	for k, to := range []resume.Names{renamed, {0: "link/a", 2: "t/x/b"}, {4: "t/x/c"}} {
		j, lo, err := resume.Open(state, w.lay, resume.Config{Dir: dir, Boot: boot})
		must(t, err)
		seen, err := resume.Look(data, j.Layout().Files)
		must(t, err)
		v := lo.Compare(seen)
		if k > 0 && (!v.Trusted.All() || len(v.Missing) > 0) {
			t.Fatalf("renamed %d times, trusted are %v, missing %v", k, list(v.Trusted), v.Missing)
		}
		all := bitfield.New(w.lay.Geometry.Pieces)
		all.SetAll()
		st, err := storage.New(j.Layout().Files, storage.Config{FS: data, Pool: storage.NewPool(0)})
		must(t, err)
		must(t, resume.NewGuard(st, data, j, resume.Volume{}).Adopt(t.Context(), seen, all))
		must(t, j.Close(t.Context(), st.Sync))
		must(t, st.Close())
		if err := j.Rename(t.Context(), data, to); (err != nil) != (k == 1) { // through a link that leads nowhere
			t.Fatalf("renamed %d times, and then: %v", k, err)
		}
	}
	for _, name := range []string{"t/new/deep/a", "nothing", "t/x/b", "t/x/c"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
