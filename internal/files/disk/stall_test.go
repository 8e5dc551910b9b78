package disk_test

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/files/disk"
	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
	"shoal/internal/value/block"
)

// noSpace is what a full file system says.
var noSpace = &storage.Error{Op: "write", Path: "payload", Kind: storage.NoSpace, Err: syscall.ENOSPC}

// holder does with a torrent what its swarm does: once a write has failed it stores
// nothing until one goes well again, and what is lost it stores anew. It runs in a
// bubble: after each block the workers have done what they can.
type holder struct {
	*rig
	held    bool
	resumed int // calls of OnResumed
	told    []disk.Result
	sent    map[block.Ref]int
	done    map[uint32]bool
	stalled int // results
	lost    int // results
	retries int
}

func newHolder(t *testing.T, c *content, buffers int, st storage.Storage) *holder {
	h := &holder{rig: newRig(t, c, buffers, st), sent: make(map[block.Ref]int), done: make(map[uint32]bool)}
	h.torrent.OnResumed(func() { h.resumed++; h.held = false }) // nobody else runs then
	return h
}

// settle waits until the workers have nothing to do, and takes what they told.
func (h *holder) settle() {
	h.t.Helper()
	synctest.Wait()
	for len(h.results) > 0 {
		res := <-h.results
		h.told = append(h.told, res)
		switch {
		case res.OK:
			if h.done[res.Piece] {
				h.t.Errorf("piece %d was reported twice", res.Piece)
			}
			h.done[res.Piece] = true
			h.held = false
		case storage.KindOf(res.Err) != storage.NoSpace || res.Sums != nil:
			h.t.Fatalf("result %+v", res)
		case res.Stalled:
			h.stalled++
			h.held = true
		default:
			h.lost++
			h.held = true
			h.torrent.Forget(res.Piece)
			for _, ref := range h.blocks(res.Piece) {
				if h.sent[ref] > 0 {
					h.sent[ref] = -h.sent[ref] // to be sent again
				}
			}
		}
	}
}

// retry tries again until writes go well.
func (h *holder) retry() {
	for n := 0; h.held; n++ {
		if n == 100 {
			h.t.Fatal("tried 100 times in vain")
		}
		time.Sleep(5 * time.Second)
		h.retries++
		if h.torrent.Retry() == 0 {
			h.held = false
		}
		h.settle()
	}
}

// store brings all blocks, one after another.
func (h *holder) store(refs []block.Ref) {
	for todo := true; todo; {
		todo = false
		for _, ref := range refs {
			if h.sent[ref] > 0 {
				continue
			}
			todo = true
			h.sent[ref] = 1 - h.sent[ref]
			h.send([]block.Ref{ref}, nil)
			h.settle()
			h.retry()
		}
	}
}

// twice gives how many blocks had to be sent more than once.
func (h *holder) twice() (n int) {
	for _, times := range h.sent {
		if times > 1 {
			n++
		}
	}
	return n
}

// Every write fails, once or for a while. Nothing is lost, nothing has to be fetched
// again, and while it lasts the full disk sees one write for each try. Only with hardly
// a buffer there is no room to keep anything: then it all comes right in the end.
func TestEveryWriteFails(t *testing.T) {
	for _, shape := range []struct {
		name    string
		c       *content
		buffers int
		keeps   bool
	}{
		{"pieces written whole", single(4*block.Size, 6*4*block.Size), 64, true},
		{"pieces written in runs", single(40*block.Size, 3*40*block.Size-100), 128, true},
		{"pieces written early for want of buffers", single(20*block.Size, 4*20*block.Size), 40, true},
		{"next to no buffers", single(4*block.Size, 6*4*block.Size), 2, false},
	} {
		for order, fails := range map[string]int{"in order": 1, "random": 3} {
			for n, last := 1, false; !last; n += fails {
				t.Run(fmt.Sprintf("%s, %s, write %d fails %d times", shape.name, order, n, fails), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var mu sync.Mutex
						writes, failed := 0, 0
						hooked := &storagetest.Hooked{Storage: memory(t, shape.c), BeforeWrite: func(int64, int64) error {
							mu.Lock()
							defer mu.Unlock()
							if writes++; writes >= n && failed < fails {
								failed++
								return noSpace
							}
							return nil
						}}
						h := newHolder(t, shape.c, shape.buffers, hooked)
						refs := shape.c.refs()
						if order == "random" {
							refs = shuffled(uint64(n), refs)
						}
						h.store(refs)
						h.complete(nil)
						if len(h.done) != int(shape.c.geom.Pieces) {
							t.Errorf("%d pieces are written of %d", len(h.done), shape.c.geom.Pieces)
						}
						if s := h.disk.Stats(); s.Stalled != 0 || s.Held != 0 || s.InUse != 0 {
							t.Errorf("left: %+v", s)
						}
						last = failed == 0
						if last {
							return
						}
						if shape.keeps && (h.lost != 0 || h.twice() != 0) {
							t.Errorf("%d pieces are lost, %d blocks sent twice", h.lost, h.twice())
						}
						if failed != h.retries && shape.keeps {
							t.Errorf("%d writes failed in %d tries", failed, h.retries)
						}
					})
				})
			}
		}
	}
}

// Pieces that come whole while writes fail are kept up to a bound, and not even tried;
// beyond it they are given up. The bound of one torrent leaves room for another's.
func TestStalledPiecesAreBounded(t *testing.T) {
	c := single(4*block.Size, 16*4*block.Size)
	synctest.Test(t, func(t *testing.T) {
		full, tries := true, 0
		hooked := &storagetest.Hooked{Storage: memory(t, c), BeforeWrite: func(int64, int64) error {
			tries++
			if full {
				return noSpace
			}
			return nil
		}}
		h := newHolder(t, c, 128, hooked) // a quarter is eight pieces
		h.send(c.refs(), nil)
		h.settle()
		if h.stalled != 8 || h.lost != 8 || tries != 1 {
			t.Errorf("%d pieces are kept and %d lost after %d tries", h.stalled, h.lost, tries)
		}
		if s := h.disk.Stats(); s.Stalled != 32 || s.Held != 32 || s.InUse != 32*block.Size {
			t.Errorf("kept: %+v", s)
		}

		// Two more torrents fill the half that may be stalled at all; the rest of the
		// buffers serves one that can write.
		others := make([]*holder, 3)
		for i := range others {
			own := *h.rig
			others[i] = &holder{rig: &own}
			own.results = make(chan disk.Result, 100)
			own.torrent = h.disk.Open(hooked, c.geom, c.hash, func(res disk.Result) { own.results <- res })
		}
		for i, o := range others {
			o.send(c.refs()[:40], nil)
			synctest.Wait()
			kept := 0
			for len(o.results) > 0 {
				if (<-o.results).Stalled {
					kept++
				}
			}
			if want := [3]int{8, 0, 0}[i]; kept != want {
				t.Errorf("torrent %d keeps %d pieces, want %d", i, kept, want)
			}
		}
		for _, o := range others[1:] {
			o.torrent.Close()
		}
		own := *h.rig
		own.results = make(chan disk.Result, 100)
		own.store = memory(t, c)
		own.torrent = h.disk.Open(own.store, c.geom, c.hash, func(res disk.Result) { own.results <- res })
		own.send(c.refs(), nil)
		own.complete(own.await(int(c.geom.Pieces)))
		own.torrent.Close()

		// What is forgotten, or closed, is not kept.
		others[0].torrent.Forget(0)
		if s := h.disk.Stats(); s.Stalled != 60 {
			t.Errorf("kept: %+v", s)
		}
		others[0].torrent.Close()
		if s := h.disk.Stats(); s.Stalled != 32 || s.Pieces != 8 {
			t.Errorf("kept: %+v", s)
		}

		full, tries = true, 0
		h.stalled = 0
		if n := h.torrent.Retry(); n != 8 { // in vain
			t.Errorf("%d pieces are tried again", n)
		}
		h.settle()
		if h.stalled != 8 || tries != 1 {
			t.Errorf("%d pieces are kept after %d tries", h.stalled, tries)
		}
		full = false
		h.retry()
		if len(h.done) != 8 || h.disk.Stats().Stalled != 0 {
			t.Errorf("%d pieces are written, kept: %+v", len(h.done), h.disk.Stats())
		}
	})
}

// A piece that is kept though it is not whole takes blocks meanwhile, goes on where it
// was, and says that it does. When it outgrows the bound it is given up.
func TestUnfinishedPieceIsKept(t *testing.T) {
	c := single(60*block.Size, 2*60*block.Size)
	synctest.Test(t, func(t *testing.T) {
		full := true
		hooked := &storagetest.Hooked{Storage: memory(t, c), BeforeWrite: func(int64, int64) error {
			if full {
				return noSpace
			}
			return nil
		}}
		h := newHolder(t, c, 100, hooked) // half of them may be kept
		h.send(c.blocks(0)[:12], nil)     // a run
		h.settle()
		h.send(c.blocks(0)[12:30], nil) // they were on their way
		h.settle()
		if s := h.disk.Stats(); h.stalled != 1 || s.Stalled != 30 || s.Held != 30 {
			t.Fatalf("told %+v, kept %+v", h.told, s)
		}
		full = false
		h.retry()
		if s := h.disk.Stats(); h.resumed != 1 || s.Stalled != 0 || s.Written != 30*block.Size {
			t.Fatalf("%d calls, %+v", h.resumed, s)
		}
		h.send(c.blocks(0)[30:], nil)
		h.settle()
		if !h.done[0] || h.resumed != 1 {
			t.Fatalf("told %+v", h.told)
		}

		full = true
		h.send(c.blocks(1)[:50], nil)
		h.settle()
		if s := h.disk.Stats(); h.lost != 0 || s.Stalled != 50 {
			t.Fatalf("told %+v, kept %+v", h.told, s)
		}
		h.send(c.blocks(1)[50:51], nil)
		h.settle()
		if s := h.disk.Stats(); h.lost != 1 || s.Stalled != 0 || s.Held != 0 {
			t.Fatalf("told %+v, kept %+v", h.told, s)
		}
		full = false
		h.retry()
		h.send(c.blocks(1), nil)
		h.settle()
		if !h.done[1] || h.resumed != 1 {
			t.Errorf("told %+v", h.told)
		}
		h.complete(nil)
	})
}
