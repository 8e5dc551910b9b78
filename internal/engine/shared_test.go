package engine

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/internal/files/storage"
)

// Two torrents with the same files in the same folder: the second waits for the first, and
// finds what that has got. Nothing is fetched twice, both are good in the end, and a restart
// finds both.
func TestFilesShared(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := makeContent(t, "both", 16<<10, 300_000, 40_000)
		b := makeContent(t, "both", 32<<10, 300_000, 40_000)
		seed := w.engine(100, Config{})
		w.seed(seed, a)
		w.seed(seed, b)
		dir, state := t.TempDir(), t.TempDir()
		peers := []netip.AddrPort{seed.Addr()}
		w.net.SetLink(hostAddr(100), hostAddr(1), slow)
		e := w.engine(1, Config{StateDir: state})
		x := add(t, e, Spec{Meta: a.meta, Dir: dir, Peers: peers})
		y := add(t, e, Spec{Meta: b.meta, Dir: dir, Peers: peers})
		if s := checkedNow(t, y); s.State != Stalled || storage.KindOf(s.Err) != storage.Unsafe {
			t.Errorf("the second: %+v", s)
		}
		wait(t, x)
		time.Sleep(3 * time.Minute) // it looks again after a minute at most
		wait(t, y)
		a.only(t, dir)
		if n := y.Stats().Swarm.Downloaded; n > 0 {
			t.Errorf("the second fetched %d bytes", n)
		}
		for _, l := range []*Torrent{x, y} {
			if v, err := l.Verify(t.Context(), nil); err != nil || !v.Good.All() {
				t.Errorf("in the end: %+v, %v", v, err)
			}
			if s := l.Stats(); s.State != Seeding || s.Swarm.Downloaded > s.Swarm.Size {
				t.Errorf("in the end: %+v", s)
			}
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		e = w.engine(2, Config{StateDir: state})
		for _, c := range []payload{a, b} {
			l := add(t, e, Spec{Meta: c.meta, Dir: dir})
			wait(t, l)
			if s := l.Stats(); s.Swarm.Downloaded > 0 {
				t.Errorf("after a restart: %+v", s)
			}
		}
	})
}

// Two torrents that want different things in one file: what one has the other does not
// write over, and fetches nothing for it again and again; it says why, and gets through
// when the first has gone.
func TestFilesInConflict(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := makeContent(t, "one", 16<<10, 300_000), makeContent(t, "two", 16<<10, 300_000)
		seed := w.engine(100, Config{})
		w.seed(seed, a)
		w.seed(seed, b)
		dir := t.TempDir()
		peers := []netip.AddrPort{seed.Addr()}
		e := w.engine(1, Config{StateDir: t.TempDir()})
		same := &Paths{Rename: Names{0: "same"}}
		y := add(t, e, Spec{Meta: b.meta, Dir: dir, Paths: same}) // it was first, and has nothing
		checkedNow(t, y)
		x := add(t, e, Spec{Meta: a.meta, Dir: dir, Paths: &Paths{Rename: Names{0: "same"}}, Peers: peers})
		checkedNow(t, x)
		time.Sleep(30 * time.Second)
		if s := x.Stats(); s.State != Stalled || s.Swarm.Downloaded > 0 || storage.KindOf(s.Err) != storage.Unsafe {
			t.Errorf("the second: %+v", s)
		}
		y.Stop(t.Context())
		time.Sleep(2 * time.Minute)
		wait(t, x)
		y = add(t, e, Spec{Meta: b.meta, Dir: dir, Paths: same, Peers: peers})
		time.Sleep(10 * time.Minute)
		s := y.Stats()
		if s.State != Stalled || storage.KindOf(s.Err) != storage.Unsafe || s.Swarm.Downloaded > 0 {
			t.Errorf("who came later: %+v", s)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "same")); err != nil || !bytes.Equal(got, a.data) {
			t.Errorf("what was had is spoilt (%v)", err)
		}
		if s := x.Stats(); s.State != Seeding || s.Swarm.Downloaded > s.Swarm.Size {
			t.Errorf("who has it: %+v", s)
		}
		x.Stop(t.Context())
		time.Sleep(2 * time.Minute)
		wait(t, y)
		if got, err := os.ReadFile(filepath.Join(dir, "same")); err != nil || !bytes.Equal(got, b.data) {
			t.Errorf("in the end it is not there (%v)", err)
		}
	})
}
