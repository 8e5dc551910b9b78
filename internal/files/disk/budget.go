package disk

import (
	"sync"
	"sync/atomic"

	"shoal/internal/value/block"
)

// slabBlocks is how many buffers are allocated at a time: 1 MiB.
const slabBlocks = 64

// Blocks is the memory for block buffers that several budgets share. It is allocated when first
// needed, and kept: a buffer that one budget releases can go to another.
type Blocks struct {
	mu   sync.Mutex
	made int
	free []*block.Block
}

// Allocated returns the number of bytes allocated from the system.
func (m *Blocks) Allocated() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(m.made) * block.Size
}

// take appends n buffers.
func (m *Blocks) take(dst []*block.Block, n int) []*block.Block {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := min(n, len(m.free))
	rest := len(m.free) - old
	dst = append(dst, m.free[rest:]...)
	clear(m.free[rest:])
	m.free = m.free[:rest]
	if n -= old; n == 0 {
		return dst
	}
	m.made += n
	mem := make([]byte, n*block.Size)
	blocks := make([]block.Block, n)
	for i := range blocks {
		blocks[i].Buf = mem[i*block.Size : (i+1)*block.Size : (i+1)*block.Size]
		dst = append(dst, &blocks[i])
	}
	return dst
}

func (m *Blocks) give(blk *block.Block) {
	m.mu.Lock()
	defer m.mu.Unlock()
	blk.Pool = nil
	m.free = append(m.free, blk)
}

// Budget is the block buffers of a device: a free list with an exact bound, not a cache. The holder
// of a *block.Block may use it until it passes the block on; the last holder returns it with Put.
// Memory is allocated when first needed, and kept.
//
// A reader that finds no buffer waits, which is how a slow disk reaches the TCP
// window of the peers.
type Budget struct {
	limit  atomic.Int32 // bound on made
	inUse  atomic.Int32 // buffers handed out
	queued atomic.Int32 // callers that wait in Get
	short  func()       // called, without a lock, when a caller begins to wait

	mu      sync.Mutex
	mem     *Blocks
	made    int            // buffers taken from mem; above limit only after the limit fell
	free    []*block.Block // last in, first out: the next one is still in the caches
	first   *waiter        // longest-waiting caller
	last    *waiter
	retired *waiter // waiters for reuse
}

// waiter is one call of Get that waits. Guarded by Budget.mu.
type waiter struct {
	got        chan *block.Block // of capacity one
	waiting    bool              // whether it is in the queue
	prev, next *waiter
}

// NewBudget returns a budget of this many bytes, rounded down to whole blocks, at least one.
func NewBudget(bytes int64) *Budget { return NewBudgetOf(new(Blocks), bytes) }

// NewBudgetOf is NewBudget with memory that several budgets share.
func NewBudgetOf(mem *Blocks, bytes int64) *Budget {
	b := &Budget{mem: mem}
	b.limit.Store(blocksOf(bytes))
	return b
}

func blocksOf(bytes int64) int32 { return int32(max(bytes/block.Size, 1)) }

// setLimit changes the bound. Buffers above the new bound are released as they come back.
func (b *Budget) setLimit(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit.Store(blocksOf(bytes))
	b.surrender()
	for b.first != nil {
		blk := b.pop()
		if blk == nil {
			return
		}
		w := b.first
		b.dequeue(w)
		w.got <- blk
	}
}

// Retire releases the free buffers now, and the others as they come back. Get and TryGet return no
// more buffers.
func (b *Budget) Retire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit.Store(0)
	b.surrender()
}

// surrender releases the free buffers above the bound. The caller holds the budget's lock.
func (b *Budget) surrender() {
	for b.made > int(b.limit.Load()) && len(b.free) > 0 {
		last := len(b.free) - 1
		b.mem.give(b.free[last])
		b.free[last] = nil
		b.free = b.free[:last]
		b.made--
	}
}

// Cap returns the bound on buffers in use.
func (b *Budget) Cap() int { return int(b.limit.Load()) }

// InUse returns the number of buffers handed out.
func (b *Budget) InUse() int { return int(b.inUse.Load()) }

// Allocated returns the number of bytes that the budget holds, from the system or released by other
// budgets.
func (b *Budget) Allocated() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.made) * block.Size
}

// starved reports whether a caller waits for a buffer.
func (b *Budget) starved() bool { return b.queued.Load() > 0 }

// low reports whether less than a sixteenth is left.
func (b *Budget) low() bool { return b.Cap()-b.InUse() < b.Cap()/16 }

// TryGet returns a free buffer. It returns nil when there is none, or when other callers wait.
func (b *Budget) TryGet() *block.Block {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.take()
}

// take returns a free buffer, or nil. The caller holds the budget's lock.
func (b *Budget) take() *block.Block {
	if b.first != nil {
		return nil
	}
	return b.pop()
}

// pop returns a free buffer even when callers wait; nil when there is none. The caller holds the
// budget's lock.
func (b *Budget) pop() *block.Block {
	if n := min(slabBlocks, b.Cap()-b.made); len(b.free) == 0 && n > 0 {
		b.free = b.mem.take(b.free, n)
		b.made += n
		for _, blk := range b.free {
			blk.Pool = b
		}
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

// Get returns a buffer, and waits until one is free. Waiting callers are served in order. It
// returns nil when done is closed first.
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
	} else if blk == nil { // the buffer came at the same moment
		b.put(<-w.got)
	}
	w.next, b.retired = b.retired, w
	return blk
}

// enqueue adds a waiter to the end of the queue. The list is written out for speed (decision 0177).
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

// dequeue removes a waiter from the queue.
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

// Put returns a buffer to its budget, also when that is another one; nil is ignored. The caller
// must not use the buffer again.
func (b *Budget) Put(blk *block.Block) {
	if blk == nil {
		return
	}
	if home, ok := blk.Pool.(*Budget); ok {
		b = home
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(blk)
}

// putAll returns many buffers.
func (b *Budget) putAll(blocks []*block.Block) {
	others := 0
	b.mu.Lock()
	for _, blk := range blocks {
		if blk.Pool == b {
			b.put(blk)
		} else {
			blocks[others] = blk
			others++
		}
	}
	b.mu.Unlock()
	for _, blk := range blocks[:others] { // of a device where the torrent was before
		b.Put(blk)
	}
}

// put hands a buffer to the longest-waiting caller, or keeps it. The caller holds the budget's
// lock.
func (b *Budget) put(blk *block.Block) {
	blk.Data = nil
	if w := b.first; w != nil && b.made <= b.Cap() {
		b.dequeue(w)
		w.got <- blk
		return
	}
	b.free = append(b.free, blk)
	if b.inUse.Add(-1) < 0 {
		panic("disk: a block was returned twice")
	}
	b.surrender()
}
