package content

import (
	"context"
	"log/slog"

	"shoal/internal/files/journals"
	"shoal/internal/files/storage"
	"shoal/internal/mailbox"
	"shoal/internal/value/mono"
)

const (
	// openingTasks is how many torrents are looked at at once.
	openingTasks = 8
	// claimingTasks is how many seeds have their pieces claimed at once: file systems
	// make what several sync at the same time durable together.
	claimingTasks = 8
	// A check of more than longBytes leaves its place to others, and takes one of the few for
	// long ones: so a torrent that has nothing to check does not wait for one that has, and a
	// disk with moving parts is not asked for many places at once.
	longBytes = 16 << 20
	// longChecks is how many long checks run at once. Each hashes on all cores.
	longChecks = 2
)

// SharedConfig is what a Shared is made with.
type SharedConfig struct {
	Pool       *storage.Pool
	Journals   *journals.Store
	Log        *slog.Logger
	Buffers    int64 // bytes for blocks on their way, on all devices together
	Workers    int   // disk workers of a device; 0: one a processor
	Now        func() mono.Time
	KeepCached bool // leave what was fetched in the system's cache of files
}

// Shared is what the contents of an engine have together.
type Shared struct {
	pool       *storage.Pool
	journals   *journals.Store
	log        *slog.Logger
	now        func() mono.Time
	keepCached bool

	openings   *mailbox.Tasks // torrents to be opened and checked
	adoptions  *mailbox.Tasks // seeds whose pieces are to be claimed
	checkSlots chan struct{}  // long checks

	devices devices
	rooms   rooms
}

// NewShared returns what contents share.
func NewShared(cfg SharedConfig) *Shared {
	s := &Shared{
		pool: cfg.Pool, journals: cfg.Journals, log: cfg.Log, now: cfg.Now, keepCached: cfg.KeepCached,
		openings:   mailbox.NewTasks(openingTasks, nil),
		checkSlots: make(chan struct{}, longChecks),
		devices:    devices{buffers: cfg.Buffers, workers: cfg.Workers},
	}
	s.adoptions = mailbox.NewTasks(claimingTasks, s.openings)
	s.devices.counters = cfg.Pool.Counters()
	return s
}

// Journals returns where journals are kept.
func (s *Shared) Journals() *journals.Store { return s.journals }

// Idle waits until all files are opened and all claims of seeds are made so far, or ctx ends.
func (s *Shared) Idle(ctx context.Context) error {
	if err := s.openings.Idle(ctx); err != nil {
		return err
	}
	return s.adoptions.Idle(ctx)
}

// Close waits for the last tasks and ends the disk workers. No content is left.
func (s *Shared) Close() {
	s.openings.Wait()
	s.adoptions.Wait()
	s.closeDevices()
}

// longCheck waits for the turn of a check of a number of bytes. The caller calls done at its end.
func (s *Shared) longCheck(ctx context.Context, bytes int64, leave func()) (done func()) {
	if bytes < longBytes {
		return func() {}
	}
	leave()
	select {
	case s.checkSlots <- struct{}{}:
		return func() { <-s.checkSlots }
	case <-ctx.Done():
		return func() {}
	}
}
