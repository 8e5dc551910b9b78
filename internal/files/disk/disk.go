package disk

import (
	"runtime"
	"sync"
	"sync/atomic"

	"shoal/internal/files/storage"
)

// Config configures a Disk.
type Config struct {
	Workers  int               // number of goroutines that hash and write; 0 means GOMAXPROCS
	Budget   *Budget           // block buffers for this Disk alone
	Counters *storage.Counters // counts of file system calls, for Stats; nil for none
}

// Bounds that do not depend on the budget, in blocks.
const (
	maxBatch = 16   // contiguous blocks worth waking a worker for: 256 KiB, a share of a core's cache
	maxHeld  = 256  // blocks of one piece in memory before it is written in runs: 4 MiB
	runLen   = 64   // blocks of one such run: 1 MiB
	maxRun   = 1024 // blocks in one write: what one call accepts on Linux
)

// Disk is the workers of an engine, and the pieces that they work on.
type Disk struct {
	budget   *Budget
	counters *storage.Counters
	workers  int
	wg       sync.WaitGroup
	scanners chan *scanner // scanners that no check uses now
	scanned  atomic.Int64

	// Bounds in blocks, from the budget.
	batch, hold, run uint32

	mu      sync.Mutex // never held while hashing, during I/O or in a report
	wake    sync.Cond  // signals that work is there
	idle    int        // workers that wait for wake and have not been woken
	closed  bool
	ready   pieces // pieces ready for a worker, oldest first
	resting pieces // pieces that hold buffers and have no worker
	stats   Stats
}

// Stats are the figures of a Disk; byte counts since the start unless stated otherwise.
type Stats struct {
	Budget, InUse int64 // block buffers, in bytes: the bound, and those handed out
	Allocated     int64 // bytes of block buffers allocated from the system
	Scratch       int64 // bytes allocated for the buffers of workers and checks
	Pieces        int   // unfinished pieces in memory
	Held          int   // block buffers in unfinished pieces; the others in use are on their way from or to peers
	ToWrite       int   // of Held, in verified pieces that are being written or wait for it
	Stalled       int   // of Held, in pieces that could not be written
	Queued        int   // pieces that wait for a worker

	Blocks     int64 // blocks stored
	Duplicates int64 // of Blocks, dropped because the piece had them already
	Rejected   int64 // of Blocks, dropped because the torrent is closed or has no such block
	Wakes      int64 // workers woken
	Relieved   int64 // pieces written early because buffers were short
	Hashed     int64 // bytes of arriving pieces that were hashed
	Scanned    int64 // bytes hashed in checks
	Written    int64
	ReadBack   int64 // bytes written early, and read again for hashing

	Calls storage.Calls // file system calls; zero without Config.Counters
}

// Memory returns the bytes that a Disk has allocated for torrent data. Its bookkeeping comes on
// top: about 512 bytes for each piece begun, and nine bytes for each block of it.
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

// bounds limits a piece to its share of the buffers. The caller holds the disk's lock, or has not
// shared the disk yet.
func (d *Disk) bounds() {
	share := uint32(max(d.budget.Cap()/8, 1))
	d.batch, d.hold, d.run = min(maxBatch, share), min(maxHeld, share), min(runLen, share)
}

// Resize changes the bound on buffers, also while they are in use: those above the new bound are
// released as they come back.
func (d *Disk) Resize(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if int(blocksOf(bytes)) == d.budget.Cap() {
		return
	}
	d.budget.setLimit(bytes)
	d.bounds()
}

// Close waits until the workers have done what is queued, and stops them. The caller has closed the
// torrents.
func (d *Disk) Close() {
	d.mu.Lock()
	d.closed = true
	d.wake.Broadcast()
	d.mu.Unlock()
	d.wg.Wait()
}

// Stats returns the figures up to now.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	s := d.stats
	s.Queued = d.ready.n
	d.mu.Unlock()
	s.Budget, s.InUse = int64(d.budget.Cap())*blockSize, int64(d.budget.InUse())*blockSize
	s.Allocated, s.Scanned = d.budget.Allocated(), d.scanned.Load()
	if s.Scanned > 0 { // all scanners may have been used
		s.Scratch += int64(cap(d.scanners)) * scanBuffer
	}
	if d.counters != nil {
		s.Calls = d.counters.Snapshot()
	}
	return s
}

// work is a worker: it does what is queued, and otherwise relieves the budget.
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

// next returns the piece to work on, or nil. The caller holds the disk's lock.
func (d *Disk) next() *piece {
	if p := d.ready.pop(); p != nil {
		return p
	}
	if !d.short() {
		return nil
	}
	// Give up what can't be written only when a caller really waits.
	p := d.resting.fullest(d.budget.starved())
	if p == nil {
		return nil
	}
	d.resting.remove(p)
	p.relieve = true
	d.stats.Relieved++
	return p
}

// short reports whether pieces should release buffers: when a caller waits for one, or soon will
// and pieces hold many of them.
func (d *Disk) short() bool {
	return d.budget.starved() || d.budget.low() && d.stats.Held >= d.budget.Cap()/4
}

// wakeOne wakes a worker, if one is idle. The caller holds the disk's lock.
func (d *Disk) wakeOne() {
	if d.idle > 0 {
		d.idle--
		d.stats.Wakes++
		d.wake.Signal()
	}
}

// nudge is called when a caller begins to wait for a buffer.
func (d *Disk) nudge() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.resting.n > 0 {
		d.wakeOne()
	}
}
