package engine

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"shoal/metainfo"
)

// under gives the content with a file called otherwise.
func (c payload) under(names Names) payload {
	out := c
	out.files = map[string][]byte{}
	for i, f := range c.meta.Info.Files {
		was := path.Join(f.Path...)
		name := was
		if n, ok := names[i]; ok {
			name = n
		}
		out.files[filepath.FromSlash(name)] = c.files[filepath.FromSlash(was)]
	}
	return out
}

// newNames are for a torrent of three files: beside, in a new folder, and out of the
// torrent's.
func newNames(name string) Names {
	return Names{0: name + "/part/x.bin", 1: name + "/new/deep/b", 2: "single"}
}

// only fails the test unless a folder holds the content and nothing else.
func (c payload) only(t *testing.T, dir string) {
	t.Helper()
	c.same(t, dir)
	if there := onDisk(t, dir); len(there) != len(c.files) {
		t.Errorf("there are %v", there)
	}
}

// A torrent's files get other names while it is seeded: they are known by them, also after
// a restart; nothing is hashed or fetched for it, who reads goes on, and others get it.
func TestRename(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "called", 16<<10, 100_000, 50_000, 70_000))
		e, l := k.run(1, nil)
		wait(t, l)
		r := l.NewReader(0, k.c.meta.Info.Length)
		defer r.Close()
		names := newNames("called")
		if err := l.Rename(t.Context(), names); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 90_000)
		if _, err := r.ReadAt(t.Context(), buf, 60_000); err != nil || !bytes.Equal(buf, k.c.data[60_000:150_000]) {
			t.Errorf("read: %v", err)
		}
		synctest.Wait()
		if s := l.Stats(); s.State != Seeding || s.Hashed != 0 || s.Swarm.Downloaded != k.c.meta.Info.Length || l.Path(2) != "single" {
			t.Errorf("afterwards: %+v, %s", s, l.Path(2))
		}
		k.c.under(names).only(t, k.dir)
		other, mem := w.leech(w.engine(9, Config{}), k.c, e.Addr())
		wait(t, other)
		k.c.in(t, mem)
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, l = k.run(2, nil)
		wait(t, l)
		if s := l.Stats(); s.Hashed != 0 || s.Swarm.Downloaded != 0 || l.Path(1) != names[1] {
			t.Errorf("after a restart: %+v, %s", s, l.Path(1))
		}
		// And back, as a whole.
		if err := l.Rename(t.Context(), Names{0: l.Path(0), 1: path.Join(k.c.meta.Info.Files[1].Path...), 2: path.Join(k.c.meta.Info.Files[2].Path...)}); err != nil {
			t.Fatal(err)
		}
		k.c.under(Names{0: names[0]}).only(t, k.dir)
	})
}

// In the middle of a download, and with no folder of state.
func TestRenameWhileDownloading(t *testing.T) {
	for _, state := range []bool{true, false} {
		bubble(t, func(t *testing.T, w *world) {
			k := w.kept(makeContent(t, "half", 16<<10, 1<<20, 50_000, 1<<20))
			if !state {
				k.state = ""
			}
			w.net.SetLink(hostAddr(100), hostAddr(1), slow)
			_, l := k.run(1, nil)
			sub := l.Subscribe()
			for n := 0; n < 20; {
				if e := <-sub.C; e.Kind == EventPieceVerified {
					n++
				}
			}
			sub.Close()
			names := newNames("half")
			if err := l.Rename(t.Context(), names); err != nil {
				t.Fatal(err)
			}
			wait(t, l)
			k.c.under(names).only(t, k.dir)
			if s := l.Stats(); s.Swarm.Downloaded > s.Swarm.Size+1<<20 {
				t.Errorf("fetched %d of %d", s.Swarm.Downloaded, s.Swarm.Size)
			}
		})
	}
}

// What is not a name, or is taken, is refused, and nothing has changed.
func TestRenameIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "refused", 16<<10, 100_000, 70_000))
		_, l := k.run(1, nil)
		wait(t, l)
		if err := os.WriteFile(filepath.Join(k.dir, "mine"), []byte("mine"), 0o666); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]error{
			"../out":                 metainfo.ErrPath,
			"/abs":                   metainfo.ErrPath,
			"a/../../out":            metainfo.ErrPath,
			"x\x00y":                 metainfo.ErrPath,
			"x.shoal-part":           metainfo.ErrPath,
			strings.Repeat("x", 300): nil, // the file system says so
			l.Path(1):                metainfo.ErrPath,
			l.Path(1) + "/x":         metainfo.ErrPath,
			path.Dir(l.Path(1)):      metainfo.ErrPath,
			"mine":                   fs.ErrExist,
			"mine/x":                 nil, // a file stands where a folder would be
		} {
			err := l.Rename(t.Context(), Names{0: name})
			if err == nil || want != nil && !errors.Is(err, want) {
				t.Errorf("%q: %v, want %v", name, err, want)
			}
			synctest.Wait()
		}
		if err := l.Rename(t.Context(), Names{7: "x"}); err == nil {
			t.Error("a file that there is not")
		}
		synctest.Wait()
		if b, err := os.ReadFile(filepath.Join(k.dir, "mine")); string(b) != "mine" || err != nil {
			t.Errorf("it holds %q (%v)", b, err)
		}
		if s := l.Stats(); s.State != Seeding || s.Hashed != 0 || l.Named() != nil {
			t.Errorf("afterwards: %+v, %v", s, l.Named())
		}
		k.c.same(t, k.dir)
	})
}

// Names can be given when a torrent is added: what lies there under the old ones, or the
// new ones, is found, and has them then.
func TestRenameAtAdd(t *testing.T) {
	for what, lies := range map[string]bool{"nothing is there": false, "the old names": true} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(makeContent(t, "added", 16<<10, 100_000, 50_000, 70_000))
				if lies {
					k.c.write(t, k.dir)
				}
				names := newNames("added")
				e, l := k.run(1, func(s *Spec) { s.Paths = &Paths{Rename: names} })
				wait(t, l)
				if s := l.Stats(); lies && s.Swarm.Downloaded != 0 {
					t.Errorf("fetched what was there: %+v", s)
				}
				k.c.under(names).only(t, k.dir)
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				// Nothing is known of them but by the caller.
				k.state = t.TempDir()
				_, l = k.run(2, func(s *Spec) { s.Paths = &Paths{Named: names} })
				wait(t, l)
				if s := l.Stats(); s.Swarm.Downloaded != 0 {
					t.Errorf("fetched what was there: %+v", s)
				}
			})
		})
	}
}

// Moved to another folder, they keep their names.
func TestRenameAndMove(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "both", 16<<10, 100_000, 50_000, 70_000))
		e, l := k.run(1, nil)
		wait(t, l)
		names, to := newNames("both"), t.TempDir()
		if err := errors.Join(l.Rename(t.Context(), names)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := l.Move(t.Context(), to, nil); err != nil {
			t.Fatal(err)
		}
		k.c.under(names).only(t, to)
		if left := onDisk(t, k.dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		synctest.Wait()
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.dir = to
		_, l = k.run(2, nil)
		wait(t, l)
		if s := l.Stats(); s.Hashed != 0 || s.Swarm.Downloaded != 0 || l.Path(2) != "single" {
			t.Errorf("after a restart: %+v, %s", s, l.Path(2))
		}
	})
}
