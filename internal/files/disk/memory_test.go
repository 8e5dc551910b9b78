package disk_test

import (
	"runtime"
	"testing"
	"testing/synctest"

	"shoal/internal/files/disk"
	"shoal/internal/files/storage/storagetest"
	"shoal/internal/value/block"
)

// Every buffer that is out is somewhere in the figures: with whoever took it, in a piece
// that is coming in, in one that is to be written, or in one that could not be.
func TestEveryBufferIsAccounted(t *testing.T) {
	c := single(4*block.Size, 8*4*block.Size)
	synctest.Test(t, func(t *testing.T) {
		release := make(chan bool)
		slow := &storagetest.Hooked{Storage: memory(t, c), BeforeWrite: func(int64, int64) error { <-release; return nil }}
		full := &storagetest.Hooked{Storage: memory(t, c), BeforeWrite: func(int64, int64) error { return noSpace }}
		r := newRig(t, c, 64, slow)
		fails := r.disk.Open(full, c.geom, c.hash, func(disk.Result) {})
		failing := *r
		failing.torrent = fails
		see := func(step string, out, held, toWrite, stalled int) {
			t.Helper()
			synctest.Wait()
			s := r.disk.Stats()
			if s.InUse != int64(out)*block.Size || s.Held != held || s.ToWrite != toWrite || s.Stalled != stalled {
				t.Errorf("%s: %d buffers out, %d held, %d to write, %d stalled; want %d, %d, %d, %d", step, s.InUse/block.Size, s.Held, s.ToWrite, s.Stalled, out, held, toWrite, stalled)
			}
		}
		mine := []*block.Block{r.budget.TryGet(), r.budget.TryGet(), r.budget.TryGet()}
		see("three with a reader", 3, 0, 0, 0)
		r.send(c.blocks(0)[1:], nil)
		see("three in an unfinished piece", 6, 3, 0, 0)
		r.send(c.blocks(1), nil)
		see("a piece is being written", 10, 7, 4, 0)
		r.send(c.blocks(2), nil)
		see("another waits for it", 14, 11, 8, 0)
		failing.send(c.blocks(0), nil)
		failing.send(c.blocks(1)[:1], nil)
		see("one is stalled, and one begun", 19, 16, 8, 4)
		fails.Retry()
		see("in vain", 19, 16, 8, 4)
		fails.Forget(0)
		see("given up", 15, 12, 8, 0)
		failing.send(c.blocks(2), nil)
		see("the next stalls", 19, 16, 8, 4)
		close(release)
		r.await(2)
		see("written", 11, 8, 0, 4)
		fails.Close()
		see("closed", 6, 3, 0, 0)
		for _, b := range mine {
			r.budget.Put(b)
		}
		see("given back", 3, 3, 0, 0)
	})
}

// What the heap holds when all has been used is what the figures say, but for the books:
// nothing is cached that they do not tell.
func TestMemoryIsAccounted(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what a sync.Pool keeps goes with the second
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	c := single(40*block.Size, 20*40*block.Size)
	store := memory(t, c)
	must(t, store.WriteV([][]byte{make([]byte, len(c.data))}, 0))
	before := heap()
	r := newRig(t, c, 96, store)
	r.send(shuffled(1, c.refs()), nil) // too few for the order: written early, and read back
	r.complete(r.await(int(c.geom.Pieces)))
	if have, err := r.torrent.Check(t.Context(), nil); err != nil || !have.All() {
		t.Fatal(have, err)
	}
	s := r.disk.Stats()
	if s.ReadBack == 0 || s.Scratch == 0 || s.Allocated > s.Budget {
		t.Errorf("%+v", s)
	}
	const books = 128 << 10
	if got := heap() - before; got > s.Memory()+books || got < s.Memory()-3*(256<<10) {
		t.Errorf("%d bytes more on the heap, the figures tell %d", got, s.Memory())
	}
	runtime.KeepAlive(r)
}
