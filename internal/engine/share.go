package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoal/internal/decide/quota"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// ShareLimits says when a torrent has been shared enough, and what happens then.
type ShareLimits = quota.ShareLimits

// What happens when a limit is reached.
const (
	SharePause  = quota.Pause
	ShareRemove = quota.Remove
)

// SetShareLimits changes the share limits of torrents that have none of their own.
func (e *Engine) SetShareLimits(s ShareLimits) {
	e.shareLimits.Store(&s)
	for _, t := range e.Torrents() {
		if t.sharing.own.Load() == nil {
			t.do(wake{})
		}
	}
}

// ShareLimits returns the share limits of torrents that have none of their own.
func (e *Engine) ShareLimits() ShareLimits { return *e.shareLimits.Load() }

// SetShareLimits sets the torrent's own share limits; nil means those of the engine.
func (t *Torrent) SetShareLimits(s *ShareLimits) {
	if s != nil {
		own := *s
		s = &own
	}
	t.sharing.own.Store(s)
	t.do(wake{})
	t.remember()
}

// ShareLimits returns the share limits of the torrent, and whether they are its own.
func (t *Torrent) ShareLimits() (s ShareLimits, own bool) {
	if s := t.sharing.own.Load(); s != nil {
		return *s, true
	}
	if s := t.e.shareLimits.Load(); s != nil {
		return *s, false
	}
	return ShareLimits{}, false
}

// Seeded returns how long the torrent has seeded in all runs, as of the latest snapshot
// or the end of its seeding.
func (t *Torrent) Seeded() time.Duration { return time.Duration(t.sharing.seeded.Load()) }

// checkShareLimits pauses or removes the torrent when it has reached a share limit.
func (t *Torrent) checkShareLimits(now mono.Time) {
	limits, _ := t.ShareLimits()
	t.sharing.machine.SetLimits(limits)
	if t.run.resumed.Swap(false) {
		t.sharing.machine.Resumed(now)
	}
	t.sharing.machine.Seeding(now, t.sent.want == quota.Seed && !t.sent.resting)
	t.sharing.seeded.Store(int64(t.sharing.machine.Seeded(now)))
	if !limits.Any() || t.swarm == nil {
		return
	}
	down, up := t.swarm.Moved()
	there := t.pub.latest.Load().Swarm.Verified
	t.sharing.machine.Totals(now, t.totals.earlier.Uploaded+up, t.totals.earlier.Downloaded+down, there)
	reason, enough := t.sharing.machine.Enough(now)
	if !enough {
		return
	}
	t.tell(Event{Kind: EventShared, Text: t.shared(now, reason)})
	switch limits.Then {
	case quota.Remove:
		t.e.life.wg.Go(t.goes) // safe: Close waits for these only after all torrents have ended
	default:
		t.run.paused.Store(true)
		t.applyRunState(now)
		t.life.tasks.Go(t.remember) // a task, since a write of the catalogue could block the loop
	}
}

// shared describes the share limit that was reached.
func (t *Torrent) shared(now mono.Time, reason why.Why) string {
	switch reason {
	case why.RatioReached:
		return fmt.Sprintf("%s: ratio %.2f", reason.Words(), t.sharing.machine.Ratio())
	case why.SeededLong:
		return fmt.Sprintf("%s: %v", reason.Words(), t.sharing.machine.Seeded(now).Round(time.Second))
	}
	return reason.Words()
}

// goes removes the torrent from the engine. Its files stay.
func (t *Torrent) goes() {
	err := t.e.Remove(t.e.life.ctx, t.infoHash)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.e.log.Warn("cannot remove a torrent that reached its share limit; remove it by hand", "torrent", t.Info().Name, "err", err)
	}
}
