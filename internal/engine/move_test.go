package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
)

// Files are moved to another folder and go on being had there: nothing is hashed on the
// same volume, everything on another one, nothing fetched, nothing left behind, and a
// restart in the new place finds all of it.
func TestMove(t *testing.T) {
	places := map[string]func(t *testing.T) string{
		"the same volume": func(t *testing.T) string { return "" },
		"another volume": func(t *testing.T) string {
			dir, err := os.MkdirTemp("/dev/shm", "shoal") // where there is one; else it is the same once more
			if err != nil {
				return ""
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		},
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(makeContent(t, "moving", 16<<10, 100_000, 0, 70_000))
				to := place(t)
				if to == "" {
					to = filepath.Join(filepath.Dir(k.dir), "elsewhere")
					mkdir(t, to)
				}
				e, l := k.run(1, nil)
				wait(t, l)
				var last int64
				if err := l.Move(t.Context(), to, func(done, total int64) { last = done }); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if s := l.Stats(); s.State != Seeding || s.Swarm.Downloaded != k.c.meta.Info.Length || l.Dir() != to || last != s.Swarm.Size {
					t.Errorf("after the move: %+v, in %s, %d bytes told", s, l.Dir(), last)
				}
				if left := onDisk(t, k.dir); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
				k.c.same(t, to)
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				k.dir = to
				_, l = k.run(2, nil)
				wait(t, l)
				if s := l.Stats(); s.Hashed != 0 || s.Swarm.Downloaded != 0 {
					t.Errorf("after a restart: %+v", s)
				}
			})
		})
	}
}

// What stands in the way is not written over: the move is refused, and nothing has
// changed.
func TestMoveIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "refused", 16<<10, 100_000, 70_000))
		_, l := k.run(1, nil)
		wait(t, l)
		to := t.TempDir()
		second := filepath.Join(append([]string{to}, k.c.meta.Info.Files[1].Path...)...)
		if err := errors.Join(os.MkdirAll(filepath.Dir(second), 0o777), os.WriteFile(second, []byte("mine"), 0o666)); err != nil {
			t.Fatal(err)
		}
		if err := l.Move(t.Context(), to, nil); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over a file: %v", err)
		}
		synctest.Wait()
		if b, err := os.ReadFile(second); string(b) != "mine" || err != nil {
			t.Errorf("it holds %q (%v)", b, err)
		}
		if left := onDisk(t, to); len(left) != 1 {
			t.Errorf("made and not taken away: %v", left)
		}
		if err := l.Move(t.Context(), filepath.Join(to, "none"), nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("to a folder that is not there: %v", err)
		}
		synctest.Wait()
		if err := l.Move(t.Context(), k.dir, nil); err == nil {
			t.Error("to where it is")
		}
		synctest.Wait()
		if s := l.Stats(); s.State != Seeding || s.Hashed != 0 || l.Dir() != k.dir {
			t.Errorf("afterwards: %+v in %s", s, l.Dir())
		}
		k.c.same(t, k.dir)
	})
}

// In the middle of a download, too.
func TestMoveWhileDownloading(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "half", 16<<10, 2<<20))
		w.net.SetLink(hostAddr(100), hostAddr(1), slow)
		_, l := k.run(1, nil)
		sub := l.Subscribe()
		for n := 0; n < 20; {
			if e := <-sub.C; e.Kind == EventPieceVerified {
				n++
			}
		}
		sub.Close()
		to := t.TempDir()
		if err := l.Move(t.Context(), to, nil); err != nil {
			t.Fatal(err)
		}
		wait(t, l)
		k.c.same(t, to)
		if s := l.Stats(); s.Swarm.Downloaded > s.Swarm.Size+1<<20 {
			t.Errorf("fetched %d of %d", s.Swarm.Downloaded, s.Swarm.Size)
		}
	})
}
