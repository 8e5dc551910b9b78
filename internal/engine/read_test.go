package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"shoal/internal/simnet"
)

// Whoever reads in the middle of a download gets the right bytes, waits for what is not
// there yet, and has it fetched first.
func TestReadWhileDownloading(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "film", 16<<10, 4<<20)
		seed := w.engine(1, Config{})
		w.seed(seed, c)
		w.net.SetLink(hostAddr(1), hostAddr(2), simnet.Link{Delay: 10 * time.Millisecond, Rate: 200_000})
		l, _ := w.leech(w.engine(2, Config{}), c, seed.Addr())
		r := l.NewReader(128<<10, c.meta.Info.Length)
		defer r.Close()
		start := time.Now()
		for _, off := range []int64{3 << 20, 1 << 20, 4<<20 - 100, 0} {
			at := time.Now()
			buf := make([]byte, 50_000)
			n, err := r.ReadAt(t.Context(), buf, off)
			want := c.data[off:min(off+50_000, int64(len(c.data)))]
			if n != len(want) || !bytes.Equal(buf[:n], want) || (err == io.EOF) != (n < 50_000) {
				t.Fatalf("read at %d: %d bytes, %v", off, n, err)
			}
			// 50,000 bytes are a quarter of a second; what was on its way comes before.
			if d := time.Since(at); d > 6*time.Second {
				t.Errorf("a seek to %d took %v", off, d)
			}
		}
		if s := l.Stats(); s.Swarm.Have > 200 || time.Since(start) > 15*time.Second {
			t.Errorf("after four seeks %d pieces are had, in %v", s.Swarm.Have, time.Since(start))
		}
		// What is taken back for what is read comes once at most: either the block is on its
		// way, or the seed says that it will not come.
		if s := l.Stats(); s.Swarm.Wasted > 0 {
			t.Errorf("%d bytes came in vain", s.Swarm.Wasted)
		}
	})
}

// Many read at once, here and there, and all get what they want.
func TestManyReaders(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "shared", 16<<10, 2<<20)
		seed := w.engine(1, Config{})
		w.seed(seed, c)
		l, _ := w.leech(w.engine(2, Config{}), c, seed.Addr())
		var wg sync.WaitGroup
		for k := range 20 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(k), 0))
				r := l.NewReader(64<<10, c.meta.Info.Length)
				defer r.Close()
				for range 10 {
					off := rng.Int64N(2<<20 - 30_000)
					buf := make([]byte, 30_000)
					if _, err := r.ReadAt(t.Context(), buf, off); err != nil || !bytes.Equal(buf, c.data[off:off+30_000]) {
						t.Errorf("read at %d: %v", off, err)
					}
				}
			})
		}
		wg.Wait()
		wait(t, l)
	})
}

// A read ends with its context, with the torrent, and where nothing will come.
func TestReadsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "ends", 16<<10, 200_000)
		l, _ := w.leech(w.engine(1, Config{}), c)
		r := l.NewReader(0, c.meta.Info.Length)
		buf := make([]byte, 100)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.ReadAt(ctx, buf, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody has it: %v", err)
		}
		if _, err := r.ReadAt(t.Context(), buf, 200_000); err != io.EOF {
			t.Errorf("behind the end: %v", err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := r.ReadAt(t.Context(), buf, 0); !errors.Is(err, ErrStopped) {
				t.Errorf("stopped: %v", err)
			}
		})
		time.Sleep(time.Second)
		l.Stop(t.Context())
		wg.Wait()
		if _, err := r.ReadAt(t.Context(), buf, 0); !errors.Is(err, ErrStopped) {
			t.Errorf("after the stop: %v", err)
		}
		s := add(t, w.engine(2, Config{}), Spec{Meta: c.meta, Storage: c.on(t, c.memory(t, 1)), SeedOnly: true})
		checkedNow(t, s)
		if _, err := s.NewReader(0, 200_000).ReadAt(t.Context(), buf, 0); !errors.Is(err, ErrNotComing) {
			t.Errorf("a seed that lacks it: %v", err)
		}
		if _, err := s.NewReader(0, 200_000).ReadAt(t.Context(), buf, 16<<10); err != nil {
			t.Errorf("a seed that has it: %v", err)
		}
	})
}
