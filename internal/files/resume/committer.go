package resume

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Report is the outcome of a group of pieces.
type Report struct {
	Durable []uint32 // claimed: they are had whatever happens now
	Doubt   []uint32 // their files could not be synced; to be hashed again
	Err     error    // a *SyncError with Doubt; else why the claim has to wait
}

// CommitterConfig is what a Committer is made with.
type CommitterConfig struct {
	Sync func(context.Context) error // makes durable what was written to the torrent's files

	Every time.Duration // from the first piece of a group to its commit; 0 means DefaultEvery
	Bytes int64         // a group this large is committed at once; 0 means DefaultBytes

	// Report is called for each group, one call at a time. It may wait. It must
	// not call Close.
	Report func(Report)
}

// What a loss of power may cost, at most: this time's worth of pieces, or this
// many bytes and those that came while they were synced.
const (
	DefaultEvery = 2 * time.Second
	DefaultBytes = 64 << 20
)

// retryAfter is how long a claim waits that the folder of state did not take.
const retryAfter = 5 * time.Second

// Committer commits verified pieces in groups. It has one goroutine while pieces
// wait, and none otherwise (decision 0043).
type Committer struct {
	j *Journal
	c CommitterConfig

	mu      sync.Mutex
	done    sync.WaitGroup // the goroutine
	running *running       // nil while there is none
	closed  bool
	waiting int64        // bytes verified since the last commit began
	asked   []chan error // who waits for a commit that begins from now on
}

// running is a goroutine that commits.
type running struct {
	ctx    context.Context
	cancel context.CancelFunc
	hurry  chan struct{} // of capacity 1: commit now
}

// NewCommitter makes the committer of a torrent.
func NewCommitter(j *Journal, c CommitterConfig) *Committer {
	if c.Every <= 0 {
		c.Every = DefaultEvery
	}
	if c.Bytes <= 0 {
		c.Bytes = DefaultBytes
	}
	return &Committer{j: j, c: c}
}

// Verified takes a piece that is written and matches its hash. It never waits.
func (k *Committer) Verified(piece uint32) {
	k.j.Verified(piece)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting += int64(k.j.lay.Geometry.PieceSize(piece))
	k.start()
	if k.waiting >= k.c.Bytes {
		k.now()
	}
}

// start has the goroutine run. k.mu is held.
func (k *Committer) start() {
	if k.running != nil || k.closed {
		return
	}
	r := &running{hurry: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	k.running = r
	k.done.Go(func() { k.run(r) })
}

// now has the goroutine commit without further delay, if there is one. k.mu is held.
func (k *Committer) now() {
	if k.running == nil {
		return
	}
	select {
	case k.running.hurry <- struct{}{}:
	default:
	}
}

// Flush waits until everything verified before is claimed and durable, or can't be.
func (k *Committer) Flush(ctx context.Context) error {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return errClosed
	}
	if k.running == nil && !k.j.anyReady() {
		k.mu.Unlock()
		return nil
	}
	answer := make(chan error, 1)
	k.asked = append(k.asked, answer)
	k.start()
	k.now()
	k.mu.Unlock()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errClosed = errors.New("resume: closed")

// run commits until nothing is left to be.
func (k *Committer) run(r *running) {
	defer r.cancel()
	timer := time.NewTimer(k.c.Every)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-r.hurry:
		case <-r.ctx.Done():
		}
		k.mu.Lock()
		asked := k.asked
		k.asked, k.waiting = nil, 0
		k.mu.Unlock()

		err := r.ctx.Err()
		wait := k.c.Every
		if err == nil {
			if err = k.commit(r.ctx); err != nil {
				wait = retryAfter
			}
		}
		for _, answer := range asked {
			answer <- err
		}

		k.mu.Lock()
		if len(k.asked) == 0 && (k.closed || !k.j.anyReady()) {
			k.running = nil
			k.mu.Unlock()
			k.j.Rest()
			return
		}
		k.mu.Unlock()
		timer.Reset(wait)
	}
}

// commit claims what is ready, and reports.
func (k *Committer) commit(ctx context.Context) error {
	pieces, err := k.j.Commit(ctx, k.c.Sync)
	var failed *SyncError
	switch {
	case errors.As(err, &failed):
		k.c.Report(Report{Doubt: pieces, Err: err})
	case err != nil:
		if ctx.Err() == nil {
			k.c.Report(Report{Err: err})
		}
	case len(pieces) > 0:
		k.c.Report(Report{Durable: pieces})
	}
	return err
}

// Close ends the committer and the journal. In order, everything verified is
// claimed first, as far as ctx allows; the torrent's files are not written to any
// more; nil says that everything is durable, and no Report does. Otherwise what is
// not claimed yet is left to the next start.
func (k *Committer) Close(ctx context.Context, inOrder bool) error {
	k.mu.Lock()
	k.closed = true
	if k.running != nil {
		k.running.cancel()
	}
	k.mu.Unlock()
	k.done.Wait()
	if !inOrder {
		return k.j.Close(ctx, nil)
	}
	return k.j.Close(ctx, k.c.Sync)
}
