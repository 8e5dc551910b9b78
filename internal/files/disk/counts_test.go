package disk_test

import (
	"sync"
	"testing"
	"unsafe"

	"shoal/internal/files/storage"
	"shoal/internal/value/block"
)

// places is a storage that sees from where it is written and to where it is read.
type places struct {
	storage.Storage
	mu            sync.Mutex
	writes, reads int
	at            map[*byte]bool
}

func (s *places) WriteV(bufs [][]byte, off int64) error {
	s.mu.Lock()
	s.writes++
	for _, b := range bufs {
		s.at[unsafe.SliceData(b)] = true
	}
	s.mu.Unlock()
	return s.Storage.WriteV(bufs, off)
}

func (s *places) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	s.reads++
	s.at[unsafe.SliceData(p)] = true
	s.mu.Unlock()
	return s.Storage.ReadAt(p, off)
}

// What a block costs, as exact figures: they may fall, and a change by which they rise
// has to say why. A torrent of 32 MiB in pieces of 1 MiB comes in order, and is read in
// bursts of 16 blocks.
func TestCountsPerBlock(t *testing.T) {
	const pieces = 32
	c := single(1<<20, pieces<<20)
	pool := storage.NewPool(0)
	st, err := storage.New(c.entries, storage.Config{FS: folder(t, t.TempDir()), Pool: pool})
	must(t, err)
	t.Cleanup(func() { st.Close() })
	seen := &places{Storage: st, at: make(map[*byte]bool)}
	r := newRig(t, c, 512, seen) // 8 MiB, as an engine has
	sent := make(map[*byte]bool)
	for p := range c.geom.Pieces {
		for _, ref := range c.blocks(p) {
			b := r.budget.Get(t.Context().Done())
			b.Data = b.Buf[:copy(b.Buf, c.piece(p)[ref.Begin:][:ref.Length])]
			sent[unsafe.SliceData(b.Data)] = true
			r.torrent.Store(ref, b, false)
		}
		r.await(1)
	}
	s, calls := r.disk.Stats(), pool.Counters().Snapshot()
	if s.Blocks != 64*pieces || s.Written != pieces<<20 || s.Hashed != pieces<<20 || s.ReadBack != 0 {
		t.Errorf("%+v", s)
	}
	if s.Wakes > s.Blocks/16 {
		t.Errorf("%d hand-offs to a worker for %d blocks, want at most one for 16", s.Wakes, s.Blocks)
	}
	if seen.writes != pieces || seen.reads != 0 {
		t.Errorf("%d writes and %d reads of the storage for %d pieces, want one write for each", seen.writes, seen.reads, pieces)
	}
	if calls.Opens != 1 || calls.Writes != pieces || calls.Reads != 0 || calls.Syncs != 0 || calls.Hints != pieces/16 {
		t.Errorf("calls %+v; want one to open, one to write a piece, one in 16 MiB to begin writing back", calls)
	}
	for at := range seen.at {
		if !sent[at] {
			t.Fatal("a block was copied before it was written")
		}
	}

	clear(seen.at)
	seen.reads = 0
	dst := make([]byte, 16*block.Size)
	refs := c.refs()
	for len(refs) > 0 {
		must(t, r.torrent.Read(refs[:16], dst))
		refs = refs[16:]
	}
	after := pool.Counters().Snapshot()
	if want := 64 * pieces / 16; seen.reads != want || after.Reads-calls.Reads != int64(want) || after.Opens != calls.Opens {
		t.Errorf("%d reads for %d blocks, want one for 16", seen.reads, 64*pieces)
	}
	if len(seen.at) != 1 || !seen.at[unsafe.SliceData(dst)] {
		t.Error("blocks were not read to where they are wanted")
	}
}
