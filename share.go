package shoal

import (
	"fmt"
	"time"

	"shoal/internal/decide/quota"
	"shoal/internal/engine"
)

// ShareLimits say when a torrent has been shared enough: at the first limit that it reaches. 0
// means no limit.
type ShareLimits struct {
	// Ratio is how many times the torrent's data is uploaded: bytes uploaded in all runs, divided
	// by those downloaded, or by those that we have if they are more.
	Ratio float64
	// SeedTime is how long the torrent seeds, in all runs. Pauses and waits do not count.
	SeedTime time.Duration
	// IdleTime is how long no peer has wanted anything of the torrent, without a break.
	IdleTime time.Duration
	// Then is what to do at the limit. Default SharePause.
	Then ShareAct
}

// ShareAct is what to do with a torrent that has been shared enough.
type ShareAct string

// The acts.
const (
	SharePause  ShareAct = "pause"  // pause it; after Torrent.Resume it seeds until the limits change
	ShareRemove ShareAct = "remove" // take it off the list, as Torrent.Remove does; its files stay
)

// shareLimits returns limits of the engine in their public form.
func shareLimits(s engine.ShareLimits) ShareLimits {
	l := ShareLimits{Ratio: s.Ratio, SeedTime: s.SeedTime, IdleTime: s.IdleTime, Then: SharePause}
	if s.Then == quota.Remove {
		l.Then = ShareRemove
	}
	return l
}

func (l *ShareLimits) inner() (*engine.ShareLimits, error) {
	if l == nil {
		return nil, nil
	}
	s := &engine.ShareLimits{Ratio: l.Ratio, SeedTime: l.SeedTime, IdleTime: l.IdleTime}
	switch l.Then {
	case "", SharePause:
	case ShareRemove:
		s.Then = quota.Remove
	default:
		return nil, fmt.Errorf("%w: ShareLimits.Then is %q: it is %q, %q or empty", ErrConfig, l.Then, SharePause, ShareRemove)
	}
	if !s.Check() {
		return nil, fmt.Errorf("%w: a share limit is negative or not a number: 0 means no limit", ErrConfig)
	}
	return s, nil
}

// SetShareLimits changes the limits of torrents that have none of their own. The error is
// ErrConfig.
func (e *Engine) SetShareLimits(l ShareLimits) error {
	s, err := l.inner()
	if err == nil {
		e.e.SetShareLimits(*s)
	}
	return err
}

// ShareLimits returns the limits of torrents that have none of their own.
func (e *Engine) ShareLimits() ShareLimits { return shareLimits(e.e.ShareLimits()) }

// SetShareLimits sets limits of the torrent alone; nil means those of the engine. The error is
// ErrConfig.
func (t *Torrent) SetShareLimits(l *ShareLimits) error {
	s, err := l.inner()
	if err == nil {
		t.t.SetShareLimits(s)
	}
	return err
}

// ShareLimits returns the limits that hold for the torrent, and reports whether they are its own.
func (t *Torrent) ShareLimits() (l ShareLimits, own bool) {
	s, own := t.t.ShareLimits()
	return shareLimits(s), own
}

// Seeded returns how long the torrent has seeded, in all runs that had a SeedTime.
func (t *Torrent) Seeded() time.Duration { return t.t.Seeded() }
