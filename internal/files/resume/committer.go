package resume

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Report is the outcome of a group of pieces.
type Report struct {
	Durable []uint32 // claimed: we have them whatever happens now
	Doubt   []uint32 // pieces of files that could not be synced; hash them again
	Err     error    // a *SyncError with Doubt; otherwise why the claim has to wait
}

// CommitterConfig configures a Committer.
type CommitterConfig struct {
	Sync func(context.Context) error // makes all writes to the torrent's files durable

	Every time.Duration // from the first piece of a group to its commit; 0 means DefaultEvery
	Bytes int64         // a group this large is committed at once; 0 means DefaultBytes

	// Report is called for each group, one call at a time. It can block. It must not call Close.
	Report func(Report)
}

// The most that a loss of power can cost: the pieces of this time, or this many bytes and those
// that arrived during their sync.
const (
	DefaultEvery = 2 * time.Second
	DefaultBytes = 64 << 20
)

// retryAfter is how long a claim waits after a failed write to the folder of state.
const retryAfter = 5 * time.Second

// Committer commits verified pieces in groups. It has one goroutine while pieces
// wait, and none otherwise (decision 0043).
type Committer struct {
	j *Journal
	c CommitterConfig

	mu      sync.Mutex
	done    sync.WaitGroup // the goroutine
	running *running       // nil when there is none
	closed  bool
	waiting int64        // bytes verified since the last commit began
	asked   []chan error // callers that wait for a commit that begins from now on
}

// running is the goroutine that commits.
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

// Verified accepts a piece that is written and matches its hash. It never blocks.
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

// start starts the goroutine if there is none. The caller holds k.mu.
func (k *Committer) start() {
	if k.running != nil || k.closed {
		return
	}
	r := &running{hurry: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	k.running = r
	k.done.Go(func() { k.run(r) })
}

// now makes the goroutine commit without further delay, if there is one. The caller holds k.mu.
func (k *Committer) now() {
	if k.running == nil {
		return
	}
	select {
	case k.running.hurry <- struct{}{}:
	default:
	}
}

// Flush waits until everything verified earlier is claimed and durable, or has failed.
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

// run commits until nothing is left to commit.
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

// commit claims the ready pieces, and reports them.
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

// Close ends the committer and the journal. With inOrder it first claims everything verified, as
// far as ctx allows; the caller no longer writes to the torrent's files. A nil result then means
// that everything is durable, and Close reports it instead of Report. Otherwise Close leaves
// unclaimed pieces to the next start.
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
