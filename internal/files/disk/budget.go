package disk

import (
	"sync"
	"sync/atomic"

	"shoal/internal/value/block"
)

// slabBlocks is how many buffers are allocated at a time: 1 MiB.
const slabBlocks = 64

// Blocks is the memory of block buffers that several budgets share. It is taken from the
// system as it is first needed, and kept: what one budget gives up, another gets.
type Blocks struct {
	mu   sync.Mutex
	made int
	free []*block.Block
}

// Allocated gives the number of bytes taken from the system.
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

// Budget is the block buffers of a device: a free list with an exact bound, not
// a cache. Who holds a *block.Block may touch it until he passes it on; the last
// holder gives it back with Put. Memory is taken as it is first needed, and kept.
//
// A reader that finds no buffer waits, which is how a slow disk reaches the TCP
// window of the peers.
type Budget struct {
	limit  atomic.Int32 // buffers there may be
	inUse  atomic.Int32 // buffers out
	queued atomic.Int32 // waiters
	short  func()       // called, without a lock, when somebody begins to wait

	mu      sync.Mutex
	mem     *Blocks
	made    int            // buffers taken from mem; more than limit only when that got less
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
func NewBudget(bytes int64) *Budget { return NewBudgetOf(new(Blocks), bytes) }

// NewBudgetOf is NewBudget with memory that others have a part of.
func NewBudgetOf(mem *Blocks, bytes int64) *Budget {
	b := &Budget{mem: mem}
	b.limit.Store(blocksOf(bytes))
	return b
}

func blocksOf(bytes int64) int32 { return int32(max(bytes/block.Size, 1)) }

// setLimit changes the bound. What is out beyond it is given up as it comes back.
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

// Retire gives up what is free, and what is out as it comes back. Nobody gets any more.
func (b *Budget) Retire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit.Store(0)
	b.surrender()
}

// surrender gives up what is beyond the bound. The budget is locked.
func (b *Budget) surrender() {
	for b.made > int(b.limit.Load()) && len(b.free) > 0 {
		last := len(b.free) - 1
		b.mem.give(b.free[last])
		b.free[last] = nil
		b.free = b.free[:last]
		b.made--
	}
}

// Cap gives the number of buffers that may be in use at once.
func (b *Budget) Cap() int { return int(b.limit.Load()) }

// InUse gives the number of buffers that are out.
func (b *Budget) InUse() int { return int(b.inUse.Load()) }

// Allocated gives the number of bytes taken from the system, or from what others gave up.
func (b *Budget) Allocated() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.made) * block.Size
}

// starved reports whether somebody waits for a buffer.
func (b *Budget) starved() bool { return b.queued.Load() > 0 }

// low reports whether less than a sixteenth is left.
func (b *Budget) low() bool { return b.Cap()-b.InUse() < b.Cap()/16 }

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
	return b.pop()
}

// pop gives a free buffer, whoever waits; nil when there is none. The budget is locked.
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

// enqueue makes a waiter, the last of the queue. The list is written out for speed
// (decision 0177).
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

// Put gives a buffer back; nil is nothing. The caller must not touch it again. One that came
// from another budget goes back there.
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

// putAll gives many buffers back.
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
	for _, blk := range blocks[:others] { // of a device that the torrent was on before
		b.Put(blk)
	}
}

// put hands a buffer to who has waited longest, or keeps it. The budget is locked.
func (b *Budget) put(blk *block.Block) {
	blk.Data = nil
	if w := b.first; w != nil && b.made <= b.Cap() {
		b.dequeue(w)
		w.got <- blk
		return
	}
	b.free = append(b.free, blk)
	if b.inUse.Add(-1) < 0 {
		panic("disk: a block was given back twice")
	}
	b.surrender()
}
