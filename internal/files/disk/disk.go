package disk

import (
	"runtime"
	"sync"
	"sync/atomic"

	"shoal/internal/files/storage"
)

// Config is what a Disk is made with.
type Config struct {
	Workers  int               // goroutines that hash and write; 0 means GOMAXPROCS
	Budget   *Budget           // of block buffers; used by this Disk alone
	Counters *storage.Counters // of file system calls, for Stats; may be nil
}

// Bounds that do not depend on the budget. They are in blocks.
const (
	maxBatch = 16   // contiguous blocks that make it worth waking a worker: 256 KiB, a share of a core's cache
	maxHeld  = 256  // of one piece, before it is written in runs: 4 MiB
	runLen   = 64   // of such a run: 1 MiB
	maxRun   = 1024 // in one write: what one call takes on Linux
)

// Disk is the workers of an engine and the pieces they work on.
type Disk struct {
	budget   *Budget
	counters *storage.Counters
	workers  int
	wg       sync.WaitGroup
	scanners chan *scanner // those that no check uses
	scanned  atomic.Int64

	// Bounds in blocks, from the budget.
	batch, hold, run uint32

	mu      sync.Mutex // never held while hashing, in I/O or in a report
	wake    sync.Cond  // a worker is needed
	idle    int        // workers that wait for wake and were not woken
	closed  bool
	ready   queue // pieces for workers, oldest first
	resting queue // pieces that hold buffers and have no worker
	stats   Stats
}

// Stats are the figures of a Disk. Sizes are in bytes.
type Stats struct {
	Budget, InUse int64 // block buffers: the bound, and what is out
	Allocated     int64 // block buffers taken from the system
	Scratch       int64 // buffers of workers, and of checks, taken from the system
	Pieces        int   // unfinished, in memory
	Held          int   // block buffers that unfinished pieces hold; what else is out is on its way from or to peers
	ToWrite       int   // of those, in pieces that match and are being written or wait for it
	Stalled       int   // of those, in pieces that could not be written
	Queued        int   // pieces waiting for a worker

	Blocks     int64 // stored
	Duplicates int64 // of those, dropped because the piece had them
	Rejected   int64 // of those, dropped because the torrent is closed or has no such block
	Wakes      int64 // workers woken: hand-offs
	Relieved   int64 // times that a piece was written early because buffers were short
	Hashed     int64 // of pieces as they came
	Scanned    int64 // in checks
	Written    int64
	ReadBack   int64 // written early, and read again to be hashed

	Calls storage.Calls // to the file system; zero without Config.Counters
}

// Memory is what a Disk has taken from the system to put the bytes of torrents in. What
// it keeps books in comes on top: about half a KiB a piece that is begun, and nine bytes
// a block of it.
func (s Stats) Memory() int64 { return s.Allocated + s.Scratch }

// New starts the workers.
func New(c Config) *Disk {
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	d := &Disk{
		budget: c.Budget, counters: c.Counters, workers: c.Workers,
		scanners: newScanners(c.Workers),
	}
	d.bounds()
	d.wake.L = &d.mu
	d.budget.short = d.nudge
	for range c.Workers {
		d.wg.Add(1)
		go d.work()
	}
	return d
}

// bounds has a piece take no more than its share of the buffers. The disk is locked, or
// nobody has it yet.
func (d *Disk) bounds() {
	share := uint32(max(d.budget.Cap()/8, 1))
	d.batch, d.hold, d.run = min(maxBatch, share), min(maxHeld, share), min(runLen, share)
}

// Resize changes the bound of the buffers, while they are in use. Those that are out beyond
// it are given up as they come back.
func (d *Disk) Resize(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if int(blocksOf(bytes)) == d.budget.Cap() {
		return
	}
	d.budget.setLimit(bytes)
	d.bounds()
}

// Close stops the workers, when they have done what is queued, and waits for
// them. The torrents are closed before.
func (d *Disk) Close() {
	d.mu.Lock()
	d.closed = true
	d.wake.Broadcast()
	d.mu.Unlock()
	d.wg.Wait()
}

// Stats gives the figures up to now.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	s := d.stats
	s.Queued = d.ready.n
	d.mu.Unlock()
	s.Budget, s.InUse = int64(d.budget.Cap())*blockSize, int64(d.budget.InUse())*blockSize
	s.Allocated, s.Scanned = d.budget.Allocated(), d.scanned.Load()
	if s.Scanned > 0 { // all of them may have been used
		s.Scratch += int64(cap(d.scanners)) * scanBuffer
	}
	if d.counters != nil {
		s.Calls = d.counters.Snapshot()
	}
	return s
}

// work is a worker: it does what is queued, and while nothing is, it relieves
// the budget.
func (d *Disk) work() {
	defer d.wg.Done()
	w := &worker{d: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if p := d.next(); p != nil {
			w.run(p)
		} else if d.closed {
			return
		} else {
			d.idle++
			d.wake.Wait()
		}
	}
}

// next takes the piece to work on, if any. The disk is locked.
func (d *Disk) next() *piece {
	if p := d.ready.pop(); p != nil {
		return p
	}
	if !d.short() {
		return nil
	}
	// What can't be written is given up for it, and only when somebody does wait.
	p := d.resting.fullest(d.budget.starved())
	if p == nil {
		return nil
	}
	d.resting.remove(p)
	p.relieve = true
	d.stats.Relieved++
	return p
}

// short reports whether pieces should give up buffers: when somebody waits for
// one, or soon will and it is here that many of them are.
func (d *Disk) short() bool {
	return d.budget.starved() || d.budget.low() && d.stats.Held >= d.budget.Cap()/4
}

// wakeOne has a worker look, if one is idle. The disk is locked.
func (d *Disk) wakeOne() {
	if d.idle > 0 {
		d.idle--
		d.stats.Wakes++
		d.wake.Signal()
	}
}

// nudge is called when somebody begins to wait for a buffer.
func (d *Disk) nudge() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.resting.n > 0 {
		d.wakeOne()
	}
}
