package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoal/internal/decide/lineup"
	"shoal/internal/decide/share"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Share says when a torrent has been shared enough, and what follows.
type Share = share.Limits

// What follows when a limit is reached.
const (
	SharePause  = share.Pause
	ShareRemove = share.Remove
)

// SetShare changes when torrents that have no limits of their own have been shared enough.
func (e *Engine) SetShare(s Share) {
	e.share.Store(&s)
	for _, t := range e.Torrents() {
		if t.sharing.own.Load() == nil {
			t.do(wake{})
		}
	}
}

// SetShare gives the torrent limits of its own; nil means those of the engine.
func (t *Torrent) SetShare(s *Share) {
	if s != nil {
		own := *s
		s = &own
	}
	t.sharing.own.Store(s)
	t.do(wake{})
	t.remember()
}

// Share gives the limits of the torrent, and whether they are its own.
func (t *Torrent) Share() (s Share, own bool) {
	if s := t.sharing.own.Load(); s != nil {
		return *s, true
	}
	if s := t.e.share.Load(); s != nil {
		return *s, false
	}
	return Share{}, false
}

// Seeded gives for how long the torrent was seeded, in all runs, as of the latest snapshot
// or the end of its seeding.
func (t *Torrent) Seeded() time.Duration { return time.Duration(t.sharing.seeded.Load()) }

// weigh has the torrent rest, or go, when it has been shared enough.
func (t *Torrent) weigh(now mono.Time) {
	limits, _ := t.Share()
	t.sharing.machine.SetLimits(limits)
	if t.run.goesOn.Swap(false) {
		t.sharing.machine.GoOn(now)
	}
	t.sharing.machine.Seeding(now, t.sent.want == lineup.Seed && !t.sent.resting)
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
	case share.Remove:
		t.e.life.wg.Go(t.goes) // while a torrent runs, Close does not wait for these yet
	default:
		t.run.paused.Store(true)
		t.stand(now)
		t.life.tasks.Go(t.remember) // the list may be being written, and the loop waits for nobody
	}
}

// shared says in words what was enough.
func (t *Torrent) shared(now mono.Time, reason why.Why) string {
	switch reason {
	case why.RatioReached:
		return fmt.Sprintf("%s: ratio %.2f", reason.Words(), t.sharing.machine.Ratio())
	case why.SeededLong:
		return fmt.Sprintf("%s: %v", reason.Words(), t.sharing.machine.Seeded(now).Round(time.Second))
	}
	return reason.Words()
}

// goes takes the torrent out of the engine. Its files stay.
func (t *Torrent) goes() {
	err := t.e.Remove(t.e.life.ctx, t.infoHash)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.e.log.Warn("remove a torrent that was shared enough", "torrent", t.info.Name, "err", err)
	}
}
