package engine

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/content"
	"shoal/internal/files/storage"
	"shoal/internal/format/wire"
	"shoal/internal/value/block"
)

// Whatever the files fail with, for a while, in the middle of a download: the torrent says
// why, and what can be done; it serves what it has, fetches nothing in a loop, and goes on
// by itself. Another torrent does not notice.
func TestEveryKindOfFailure(t *testing.T) {
	for errno, kind := range map[syscall.Errno]storage.Kind{
		syscall.ENOSPC: storage.NoSpace, syscall.EDQUOT: storage.NoSpace, syscall.EACCES: storage.NoPermission,
		syscall.EROFS: storage.ReadOnly, syscall.EIO: storage.IO, syscall.EMFILE: storage.TooManyFiles,
	} {
		// What the system's error number means, as every error of the files says it.
		words := strings.TrimPrefix(storage.Fail("write", "x", errno).Error(), "write x: "+errno.Error())
		t.Run(errno.Error(), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.crashing(false)
				k.c = makeContent(t, "failing", 16<<10, 350_000, 350_000) // neither is complete when it fails
				w.seed(k.seed, k.c)
				other := makeContent(t, "other", 16<<10, 300_000)
				w.seed(k.seed, other)
				w.net.SetLink(hostAddr(100), hostAddr(1), slow)
				e, l := k.start(nil)
				begun(l, 10)
				var fails atomic.Bool
				fails.Store(true)
				k.fs.FailWhen(func(c crashfs.Call) error {
					// Reading goes well, but for a process that can open no file.
					if fails.Load() && strings.HasPrefix(c.Name, "home") && (c.Op == "write" || c.Op == "create" || c.Op == "sync" || c.Op == "open" && errno == syscall.EMFILE) {
						return errno
					}
					return nil
				})
				o := add(t, e, Spec{Meta: other.meta, Storage: other.on(t, storage.NewMemFS()), Device: 7, Peers: []netip.AddrPort{k.seed.Addr()}})
				wait(t, o)
				time.Sleep(40 * time.Second) // after a sync that failed everything is looked at first
				s := l.Stats()
				if s.State != Stalled || storage.KindOf(s.Err) != kind || !strings.Contains(s.Err.Error(), words) {
					t.Fatalf("while it fails: %v, %v (want %v)", s.State, s.Err, kind)
				}
				if errno != syscall.EMFILE { // then nothing can be read either
					peer := w.connect(7, e.Addr(), k.c)
					peer.send(wire.AppendSimple(nil, wire.Interested))
					peer.until(wire.Unchoke)
					have := uint32(bytes.IndexByte(s.Map, 'v'))
					ref := block.Ref{Piece: have, Length: 16 << 10}
					peer.send(wire.AppendRequest(nil, ref))
					if _, got := peer.until(wire.Piece); !bytes.Equal(got, k.c.piece(have)[:16<<10]) {
						t.Error("what is had is not served")
					}
					peer.nc.Close()
				}
				time.Sleep(3 * time.Minute)
				if now := l.Stats(); now.Swarm.Downloaded > s.Swarm.Downloaded+1<<18 {
					t.Errorf("fetched meanwhile: %d bytes", now.Swarm.Downloaded-s.Swarm.Downloaded)
				}
				fails.Store(false)
				wait(t, l)
				if s := l.Stats(); s.Swarm.Downloaded > s.Swarm.Size+1<<19 {
					t.Errorf("fetched %d of %d", s.Swarm.Downloaded, s.Swarm.Size)
				}
				k.fs.FailWhen(nil)
				k.holds("home", nil, fmt.Sprint(errno))
			})
		})
	}
}

// A file that is longer than it should be is adopted, its end is kept, and that is said.
func TestLargerFileIsAdopted(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "longer", 16<<10, 100_000, 50_000))
		k.c.write(t, k.dir)
		f, err := os.OpenFile(k.path(0), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("and more"); err != nil {
			t.Fatal(err)
		}
		f.Close()
		for n := range byte(2) {
			e, l := k.run(n+1, nil)
			events := watch(t, l)
			wait(t, l)
			synctest.Wait()
			if s := l.Stats(); s.Swarm.Downloaded > 0 {
				t.Errorf("fetched: %+v", s)
			}
			told := kinds(events(), EventFiles)
			if n == 0 && (len(told) != 1 || !strings.Contains(told[0].Text, "8 bytes longer") || !strings.Contains(told[0].Text, l.Path(0))) || n > 0 && len(told) > 0 {
				t.Errorf("run %d, told: %+v", n, told)
			}
			if err := e.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if b, err := os.ReadFile(filepath.Join(k.path(0))); err != nil || len(b) != 100_008 || string(b[100_000:]) != "and more" {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		if v, err := content.Verify(t.Context(), content.VerifySpec{Meta: k.c.meta, Dir: k.dir}); err != nil || v.States[0].Size != 100_008 || !v.Good.All() {
			t.Errorf("verify: %+v, %v", v, err)
		}
	})
}
