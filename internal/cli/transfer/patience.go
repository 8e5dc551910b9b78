package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shoal"
	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

// patience says how long a command waits for what it can't change itself (decision 0143).
type patience struct {
	what  string // is attempted
	now   func() time.Time
	held  time.Duration // for a full disk or a missing volume
	stall time.Duration // without any progress; 0 means forever
	room  bool          // also for room on a volume that is too small from the start
}

// gaveUp is why a wait ended before the torrent was complete.
type gaveUp struct{ err error }

func (g *gaveUp) Error() string { return g.err.Error() }

// guard calls a function, and cancels it when held is not nil for too long, or progress does
// not change for too long.
func (p patience) guard(ctx context.Context, sample func() (progress int64, held error), do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(done)
	wg.Go(func() {
		every := max(p.held, ui.EventEvery/20)
		if p.stall > 0 {
			every = min(every, max(p.stall, ui.EventEvery/20))
		}
		tick := time.NewTicker(min(ui.EventEvery, every))
		defer tick.Stop()
		var since, moved time.Time
		last := int64(-1)
		for {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			progress, held := sample()
			now := p.now()
			if progress != last || moved.IsZero() {
				last, moved = progress, now
			}
			switch {
			case held == nil:
				since = time.Time{}
			case since.IsZero():
				since = now
			}
			switch {
			case !since.IsZero() && (now.Sub(since) >= p.held || p.hopeless(held)):
				cancel(&gaveUp{held})
				return
			case p.stall > 0 && now.Sub(moved) >= p.stall:
				cancel(&gaveUp{&ui.Failure{
					Code: ui.ExitStalled, Err: fmt.Errorf("%s: no progress for %s", p.what, ui.ShortTime(now.Sub(moved).Round(time.Second))),
					Hint: "what is verified is kept; the same command goes on from there. More peers may help: --peer, more trackers, an open port",
				}})
				return
			}
		}
	})
	err := do(ctx)
	if g, ok := errors.AsType[*gaveUp](context.Cause(ctx)); ok && err != nil {
		return g.err
	}
	return err
}

// hopeless reports whether what holds a torrent up does not pass by itself.
func (p patience) hopeless(held error) bool {
	return errors.Is(held, shoal.ErrNotKept) || !p.room && errors.As(held, new(*shoal.Shortage))
}

// patient does something that waits for the torrent.
func (d *download) patient(ctx context.Context, do func(context.Context) error) error {
	return d.patience.guard(ctx, func() (int64, error) {
		s := d.torrent.Stats()
		if s.State == shoal.StateStalled || s.State == shoal.StateMissing {
			return s.Downloaded, s.Err
		}
		return s.Downloaded + s.Verified + int64(s.Checked), nil
	}, do)
}

// awaitFolder waits until the folder above dir is there: a volume may have to be attached.
func awaitFolder(ctx context.Context, out *ui.Output, dir string, p patience) {
	above := filepath.Dir(filepath.Clean(dir))
	if _, err := os.Stat(above); !errors.Is(err, os.ErrNotExist) || p.held <= 0 {
		return
	}
	out.Say("waiting up to %s for the folder %s", ui.ShortTime(p.held), metainfo.Printable(above))
	_ = p.guard(ctx, func() (int64, error) { return 0, os.ErrNotExist }, func(ctx context.Context) error {
		tick := time.NewTicker(ui.EventEvery)
		defer tick.Stop()
		for {
			if _, err := os.Stat(above); err == nil {
				return nil
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}
