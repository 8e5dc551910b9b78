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
	// openingTasks is how many torrents are opened and checked at the same time.
	openingTasks = 8
	// claimingTasks is how many seeds claim their pieces at the same time: a file system makes durable
	// together what several sync at once.
	claimingTasks = 8
	// A check of more than longBytes leaves its place to others, and takes one of the few for long checks.
	// So a torrent with nothing to check does not wait for a long check, and a disk with moving parts does
	// not seek between many places.
	longBytes = 16 << 20
	// longChecks is how many long checks run at the same time. Each hashes on all cores.
	longChecks = 2
)

// SharedConfig is what NewShared needs.
type SharedConfig struct {
	Pool       *storage.Pool
	Journals   *journals.Store
	Log        *slog.Logger
	Buffers    int64 // bytes for blocks on their way, on all devices together
	Workers    int   // disk workers of a device; 0 means one a processor
	Now        func() mono.Time
	KeepCached bool // leave what was fetched in the system's cache of files
}

// Shared is what the contents of an engine share.
type Shared struct {
	pool       *storage.Pool
	journals   *journals.Store
	log        *slog.Logger
	now        func() mono.Time
	keepCached bool

	openings   *mailbox.Tasks // opens and checks torrents
	adoptions  *mailbox.Tasks // claims pieces of seeds
	checkSlots chan struct{}  // places of long checks

	devices devices
	rooms   rooms
}

// NewShared returns a Shared without contents.
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

// Journals returns the place of the journals.
func (s *Shared) Journals() *journals.Store { return s.journals }

// Idle waits until all files are opened and all claims of seeds are made, or ctx ends.
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

// longCheck waits for the turn of a check of this many bytes. The caller calls done at its end.
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
