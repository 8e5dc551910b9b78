package engine

import (
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"shoal/internal/files/storage"
)

// A piece so large that a part of it is written before it is whole finds no space. When
// there is some again, the next try goes on at once: nothing waits for the piece to be
// whole, which it can't be before it goes on.
func TestLargePieceGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "large", 1<<20, 2<<20)
		seed := w.engine(1, Config{})
		w.seed(seed, c)
		w.net.SetLink(hostAddr(1), hostAddr(2), slow)
		e := w.engine(2, Config{Buffers: 1 << 20, Workers: 2})
		var full atomic.Bool
		var writes atomic.Int32
		st := hooked(c.on(t, storage.NewMemFS()), nil, func() error {
			if writes.Add(1) > 2 && full.Load() {
				return syscall.ENOSPC
			}
			return nil
		})
		full.Store(true)
		l := add(t, e, Spec{Meta: c.meta, Storage: st, Peers: []netip.AddrPort{seed.Addr()}})
		sub := l.Subscribe()
		var held time.Time
		for ev := range sub.C {
			if ev.Kind == EventStalled {
				held = time.Now()
				break
			}
		}
		time.Sleep(7 * time.Second) // the first try has failed, the second comes after ten more
		full.Store(false)
		for ev := range sub.C {
			if ev.Kind == EventResumed {
				break
			}
		}
		if d := time.Since(held); d > 20*time.Second {
			t.Errorf("it went on %v after it was held", d)
		}
		if s := l.Stats(); s.Swarm.Have > 0 {
			t.Fatalf("no piece was begun and not whole: %+v", s.Swarm)
		}
		sub.Close()
		wait(t, l)
	})
}
