package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/files/content"
)

// rot changes a byte of a file and leaves its time as it was: what a disk does that
// fails.
func rot(t *testing.T, path string, off int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	_, err = f.ReadAt(b[:], off)
	b[0] ^= 1
	if err == nil {
		_, err = f.WriteAt(b[:], off)
	}
	if err := errors.Join(err, f.Close(), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
}

func (k *kept) path(file int) string {
	return filepath.Join(append([]string{k.dir}, k.c.meta.Info.Files[file].Path...)...)
}

// A check that is broken off goes on where it was, as far as the files are as they were;
// with Again it begins anew. It changes no file, and leaves nothing when it is through.
func TestVerifyGoesOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "checked", 16<<10, 40<<20, 2<<20))
		k.c.write(t, k.dir)
		pieces := int(k.c.meta.Info.NumPieces())
		run := func(most int, again bool) *content.Verified {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			n := 0
			v, err := content.Verify(ctx, content.VerifySpec{Meta: k.c.meta, Dir: k.dir, StateDir: k.state, Again: again, Progress: func(done, total int) {
				if n++; n == most {
					cancel()
				}
				if total != pieces || done > total {
					t.Errorf("%d of %d", done, total)
				}
			}})
			if (err != nil) != (most > 0) || err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			return v
		}
		first := run(100, false)
		if n := int(first.Looked.Count()); n < 100 || n == pieces || first.Hashed != n {
			t.Fatalf("broken off, %d are known, %d hashed", n, first.Hashed)
		}
		second := run(300, false)
		if n := int(second.Looked.Count()); second.Hashed+first.Hashed != n || n == pieces {
			t.Errorf("the second time %d are known, %d and %d hashed", n, first.Hashed, second.Hashed)
		}
		third := run(0, false)
		if third.Hashed+second.Hashed+first.Hashed != pieces || !third.Good.All() {
			t.Errorf("in the end %d are good of %d; hashed %d, %d, %d", third.Good.Count(), pieces, first.Hashed, second.Hashed, third.Hashed)
		}
		if v := run(0, false); v.Hashed != pieces {
			t.Errorf("once it is through, %d are hashed", v.Hashed)
		}
		run(100, false)
		if v := run(0, true); v.Hashed != pieces {
			t.Errorf("begun anew, %d are hashed", v.Hashed)
		}
		// What was edited in between is not gone by.
		run(2000, false)
		b, err := os.ReadFile(k.path(0))
		if err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1
		if err := os.WriteFile(k.path(0), b, 0o666); err != nil {
			t.Fatal(err)
		}
		if v := run(0, false); v.Good.Has(0) || int(v.Good.Count()) != pieces-1 {
			t.Errorf("edited in between, %d are good of %d", v.Good.Count(), pieces)
		}
		if left, _ := os.ReadDir(filepath.Join(k.state, "checks")); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// What a disk has changed quietly is found, and is not claimed any more: the next start
// fetches it, and nothing else.
func TestVerifyTakesClaimsBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "rotten", 16<<10, 300_000, 100_000))
		k.download()
		rot(t, k.path(0), 100_000)
		v, err := content.Verify(t.Context(), content.VerifySpec{Meta: k.c.meta, Dir: k.dir, StateDir: k.state})
		if err != nil || v.Withdrawn != 1 || v.Good.All() {
			t.Fatalf("%+v, %v", v, err)
		}
		_, l := k.run(2, nil)
		wait(t, l)
		if s := l.Stats(); s.Hashed != 1 || s.Swarm.Downloaded != 16<<10 {
			t.Errorf("%d hashed, %d bytes fetched", s.Hashed, s.Swarm.Downloaded)
		}
		k.c.same(t, k.dir)
	})
}

// A running torrent is checked while it is shared: nobody is dropped when all is well.
func TestVerifyRunning(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "running", 16<<10, 300_000, 100_000))
		e, l := k.run(1, nil)
		events := watch(t, l)
		wait(t, l)
		peer := w.connect(7, e.Addr(), k.c)
		peer.send([]byte{0, 0, 0, 1, 2}) // interested, so that it is worth a place
		synctest.Wait()
		last := 0
		v, err := l.Verify(t.Context(), func(done, total int) { last = total - done })
		if err != nil || !v.Good.All() || v.Hashed != int(k.c.meta.Info.NumPieces()) || last != 0 || v.Withdrawn != 0 {
			t.Fatalf("%+v, %v", v, err)
		}
		time.Sleep(time.Second)
		if s := l.Stats(); s.State != Seeding || s.Swarm.Peers != 1 {
			t.Errorf("afterwards: %+v", s)
		}

		// One piece is wrong, in a way that nobody could see: it is fetched again.
		rot(t, k.path(0), 100_000)
		if v, err = l.Verify(t.Context(), nil); err != nil || v.Withdrawn != 1 || int(v.Good.Count()) != int(k.c.meta.Info.NumPieces())-1 {
			t.Fatalf("%+v, %v", v, err)
		}
		if l.Has(100_000 / (16 << 10)) {
			t.Error("what is wrong is had")
		}
		wait(t, l)
		k.c.same(t, k.dir)
		if s := l.Stats(); s.Swarm.Downloaded != s.Swarm.Size+16<<10 {
			t.Errorf("fetched %d of %d", s.Swarm.Downloaded, s.Swarm.Size)
		}
		synctest.Wait()
		if told := kinds(events(), EventFiles); len(told) != 1 || !strings.Contains(told[0].Text, "do not match any more, and are fetched again: 1, in ") ||
			!strings.Contains(told[0].Text, l.Path(0)) {
			t.Errorf("told: %+v", told)
		}
		peer.ended()

		// A file that somebody removed is noticed, though it is open.
		if err := os.Remove(k.path(1)); err != nil {
			t.Fatal(err)
		}
		if v, err = l.Verify(t.Context(), nil); err != nil || v.Good.All() {
			t.Fatalf("%+v, %v", v, err)
		}
		wait(t, l)
		k.c.same(t, k.dir)
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, l = k.run(2, nil)
		wait(t, l)
		if s := l.Stats(); s.Hashed != 0 || s.Swarm.Downloaded != 0 {
			t.Errorf("after a restart: %+v", s)
		}
	})
}

// Broken off, what was found wrong until then is given up all the same.
func TestVerifyRunningBrokenOff(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "broken off", 16<<10, 40<<20))
		k.seed.Close(t.Context())
		k.c.write(t, k.dir)
		_, l := k.run(1, nil)
		wait(t, l)
		for p := range int64(60) {
			rot(t, k.path(0), p*16<<10)
		}
		ctx, cancel := context.WithCancel(t.Context())
		v, err := l.Verify(ctx, func(done, total int) {
			if done == 100 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || v.Withdrawn == 0 || v.Withdrawn != int(v.Looked.Count()-v.Good.Count()) || v.Looked.All() {
			t.Fatalf("%+v, %v", v, err)
		}
		synctest.Wait()
		if n := int(l.Stats().Swarm.Have); n != int(k.c.meta.Info.NumPieces())-v.Withdrawn {
			t.Errorf("%d are had, %d were found wrong", n, v.Withdrawn)
		}
	})
}
