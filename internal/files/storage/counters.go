package storage

import "sync/atomic"

// Counters count the calls to the file system, for statistics and for tests. All storages of an
// engine can share one set.
type Counters struct {
	reads, writes, opens, syncs, hints atomic.Int64
	readBytes, writtenBytes, uncached  atomic.Int64
}

// Calls is a snapshot of Counters.
type Calls struct {
	Reads, Writes           int64 // vectored calls; on Linux one system call each, or for a write one for every 256 KiB
	Opens                   int64 // files opened or created
	Syncs                   int64 // files and folders
	Hints                   int64 // write-back started early
	ReadBytes, WrittenBytes int64
	Uncached                int64 // bytes dropped from the system's page cache
}

// Snapshot returns the counts up to now.
func (c *Counters) Snapshot() Calls {
	return Calls{
		Reads: c.reads.Load(), Writes: c.writes.Load(), Opens: c.opens.Load(),
		Syncs: c.syncs.Load(), Hints: c.hints.Load(),
		ReadBytes: c.readBytes.Load(), WrittenBytes: c.writtenBytes.Load(), Uncached: c.uncached.Load(),
	}
}
