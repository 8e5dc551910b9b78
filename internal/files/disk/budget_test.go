package disk_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"shoal/internal/files/disk"
	"shoal/internal/value/block"
)

func TestBudgetBound(t *testing.T) {
	b := disk.NewBudget(100*block.Size + 5)
	var blocks []*block.Block
	for blk := b.TryGet(); blk != nil; blk = b.TryGet() {
		if len(blk.Buf) != block.Size || cap(blk.Buf) != block.Size {
			t.Fatalf("a buffer of %d bytes, room for %d", len(blk.Buf), cap(blk.Buf))
		}
		for i := range blk.Buf {
			blk.Buf[i] = byte(len(blocks))
		}
		blocks = append(blocks, blk)
	}
	if len(blocks) != 100 || b.InUse() != 100 || b.Cap() != 100 || b.Allocated() != 100*block.Size {
		t.Errorf("%d buffers, %d in use, cap %d, %d bytes", len(blocks), b.InUse(), b.Cap(), b.Allocated())
	}
	for i, blk := range blocks {
		if blk.Buf[0] != byte(i) || blk.Buf[block.Size-1] != byte(i) {
			t.Errorf("buffer %d is shared", i)
		}
		b.Put(blk)
	}
	b.Put(nil)
	if b.InUse() != 0 || b.Allocated() != 100*block.Size {
		t.Errorf("%d in use, %d bytes", b.InUse(), b.Allocated())
	}
	if n := disk.NewBudget(0).Cap(); n != 1 {
		t.Errorf("the smallest budget has %d buffers, want 1", n)
	}
	defer func() {
		if recover() == nil {
			t.Error("giving a block back twice went unnoticed")
		}
	}()
	b.Put(blocks[0])
}

// Those who wait are served in order; who stops waiting costs nothing.
func TestBudgetWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := disk.NewBudget(block.Size)
		blk := b.TryGet()
		var mu sync.Mutex
		var served []int
		gone := make(chan struct{})
		for i := range 5 {
			done := make(chan struct{})
			if i == 2 {
				done = gone
			}
			go func() {
				got := b.Get(done)
				mu.Lock()
				defer mu.Unlock()
				if got == nil {
					served = append(served, -i)
					return
				}
				served = append(served, i)
				b.Put(got)
			}()
			synctest.Wait()
		}
		close(gone)
		synctest.Wait()
		b.Put(blk)
		if extra := b.TryGet(); extra != nil {
			// All have been served already, or it would be a queue jumper.
			synctest.Wait()
			b.Put(extra)
		}
		synctest.Wait()
		want := []int{-2, 0, 1, 3, 4}
		for i := range want {
			if i >= len(served) || served[i] != want[i] {
				t.Fatalf("served %v, want %v", served, want)
			}
		}
		if b.InUse() != 0 {
			t.Errorf("%d in use", b.InUse())
		}
	})
}

// Done and the buffer may come at the same moment: nothing is lost.
func TestBudgetGetRace(t *testing.T) {
	b := disk.NewBudget(4 * block.Size)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				done := make(chan struct{})
				go close(done)
				if blk := b.Get(done); blk != nil {
					b.Put(blk)
				}
			}
		})
	}
	wg.Wait()
	if b.InUse() != 0 {
		t.Errorf("%d in use", b.InUse())
	}
	for range 4 {
		if b.TryGet() == nil {
			t.Fatal("a buffer is lost")
		}
	}
}

// A budget that gets smaller gives up what is free at once, and the rest as it comes back;
// another one has it then. Whoever waits gets one when there is one to be had, and a block
// goes back to the budget that it came from.
func TestBudgetShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := new(disk.Blocks)
		a := disk.NewBudgetOf(mem, 128*block.Size)
		d := disk.New(disk.Config{Workers: 1, Budget: a})
		defer d.Close()
		var out []*block.Block
		for range 100 {
			out = append(out, a.TryGet())
		}
		d.Resize(64 * block.Size)
		b := disk.NewBudgetOf(mem, 64*block.Size)
		if a.Cap() != 64 || a.TryGet() != nil || a.Allocated() != 100*block.Size || mem.Allocated() != 128*block.Size {
			t.Errorf("made smaller: %d of %d bytes, %d in all", a.Allocated(), a.Cap(), mem.Allocated())
		}
		got := make(chan *block.Block, 1)
		go func() { got <- a.Get(nil) }()
		synctest.Wait()
		for _, blk := range out[:36] {
			b.Put(blk) // of the wrong one
		}
		synctest.Wait()
		if len(got) > 0 || a.InUse() != 64 || b.InUse() != 0 || a.Allocated() != 64*block.Size {
			t.Errorf("%d and %d are out", a.InUse(), b.InUse())
		}
		a.Put(out[36])
		blk := <-got
		var others []*block.Block
		for x := b.TryGet(); x != nil; x = b.TryGet() {
			others = append(others, x)
		}
		if len(others) != 64 || mem.Allocated() != 128*block.Size {
			t.Errorf("the other one gives %d, %d bytes are taken", len(others), mem.Allocated())
		}
		go func() { got <- a.Get(nil) }()
		synctest.Wait()
		d.Resize(65 * block.Size) // it grows, and is heard of
		for _, x := range append(out[37:], blk, <-got) {
			a.Put(x)
		}
		for _, x := range others {
			a.Put(x)
		}
		a.Retire()
		if a.InUse() != 0 || b.InUse() != 0 || a.Allocated() != 0 {
			t.Errorf("in the end %d and %d are out, %d bytes are kept", a.InUse(), b.InUse(), a.Allocated())
		}
	})
}
