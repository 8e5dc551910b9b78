package disk

import (
	"sync"
	"sync/atomic"

	"shoal/internal/block"
)

// slabBlocks is how many buffers are allocated at a time: 1 MiB.
const slabBlocks = 64

// Budget is the block buffers of an engine: a free list with an exact bound, not
// a cache. Who holds a *block.Block may touch it until he passes it on; the last
// holder gives it back with Put. Memory is taken from the system as it is first
// needed, and kept.
//
// A reader that finds no buffer waits, which is how a slow disk reaches the TCP
// window of the peers.
type Budget struct {
	limit  int          // buffers there may be
	inUse  atomic.Int32 // buffers out
	queued atomic.Int32 // waiters
	short  func()       // called, without a lock, when somebody begins to wait

	mu      sync.Mutex
	made    int            // buffers allocated, never more than limit
	free    []*block.Block // last in, first out: the next one is still in the caches
	first   *waiter        // in order of arrival
	last    *waiter
	retired *waiter // to be used again
}

// waiter is one call of Get that waits. Guarded by Budget.mu.
type waiter struct {
	got        chan *block.Block // of capacity one
	waiting    bool              // in the queue
	prev, next *waiter
}

// NewBudget makes a budget of that many bytes, rounded down to whole blocks, at
// least one.
func NewBudget(bytes int64) *Budget {
	return &Budget{limit: int(max(bytes/block.Size, 1))}
}

// Cap gives the number of buffers that may be in use at once.
func (b *Budget) Cap() int { return b.limit }

// InUse gives the number of buffers that are out.
func (b *Budget) InUse() int { return int(b.inUse.Load()) }

// Allocated gives the number of bytes taken from the system.
func (b *Budget) Allocated() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.made) * block.Size
}

// starved reports whether somebody waits for a buffer.
func (b *Budget) starved() bool { return b.queued.Load() > 0 }

// low reports whether less than a sixteenth is left.
func (b *Budget) low() bool { return b.limit-b.InUse() < b.limit/16 }

// TryGet gives a free buffer, or nil: when there is none, and when others wait.
func (b *Budget) TryGet() *block.Block {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.take()
}

// take gives a free buffer, or nil. The budget is locked.
func (b *Budget) take() *block.Block {
	if b.first != nil {
		return nil
	}
	if len(b.free) == 0 {
		b.grow()
	}
	last := len(b.free) - 1
	if last < 0 {
		return nil
	}
	blk := b.free[last]
	b.free = b.free[:last]
	b.inUse.Add(1)
	return blk
}

// grow allocates the next slab, within the limit.
func (b *Budget) grow() {
	n := min(slabBlocks, b.limit-b.made)
	if n == 0 {
		return
	}
	b.made += n
	mem := make([]byte, n*block.Size)
	blocks := make([]block.Block, n)
	for i := range blocks {
		blocks[i].Buf = mem[i*block.Size : (i+1)*block.Size : (i+1)*block.Size]
		b.free = append(b.free, &blocks[i])
	}
}

// Get gives a buffer, waiting until one is free. Those who wait are served in
// order. It gives nil when done is closed first.
func (b *Budget) Get(done <-chan struct{}) *block.Block {
	b.mu.Lock()
	if blk := b.take(); blk != nil {
		b.mu.Unlock()
		return blk
	}
	w := b.enqueue()
	b.mu.Unlock()
	if b.short != nil {
		b.short()
	}
	var blk *block.Block
	select {
	case blk = <-w.got:
	case <-done:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.waiting {
		b.dequeue(w)
	} else if blk == nil { // it came at the same moment
		b.put(<-w.got)
	}
	w.next, b.retired = b.retired, w
	return blk
}

// enqueue makes a waiter, the last of the queue.
func (b *Budget) enqueue() *waiter {
	w := b.retired
	if w == nil {
		w = &waiter{got: make(chan *block.Block, 1)}
	} else {
		b.retired = w.next
	}
	w.waiting, w.prev, w.next = true, b.last, nil
	if b.last == nil {
		b.first = w
	} else {
		b.last.next = w
	}
	b.last = w
	b.queued.Add(1)
	return w
}

// dequeue takes a waiter out of the queue.
func (b *Budget) dequeue(w *waiter) {
	if w.prev == nil {
		b.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		b.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.waiting, w.prev, w.next = false, nil, nil
	b.queued.Add(-1)
}

// Put gives a buffer back; nil is nothing. The caller must not touch it again.
func (b *Budget) Put(blk *block.Block) {
	if blk == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(blk)
}

// putAll gives many buffers back.
func (b *Budget) putAll(blocks []*block.Block) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, blk := range blocks {
		b.put(blk)
	}
}

// put hands a buffer to who has waited longest, or keeps it. The budget is locked.
func (b *Budget) put(blk *block.Block) {
	blk.Data = nil
	if w := b.first; w != nil {
		b.dequeue(w)
		w.got <- blk
		return
	}
	b.free = append(b.free, blk)
	if b.inUse.Add(-1) < 0 {
		panic("disk: a block was given back twice")
	}
}
