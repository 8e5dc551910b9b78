package shoal

import (
	"fmt"
	"time"

	"shoal/internal/decide/quota"
	"shoal/internal/engine"
)

// ShareLimits say when a torrent has been shared enough: when the first of them is reached.
// Zero is no limit.
type ShareLimits struct {
	// Ratio is how often it is sent: the bytes sent in all runs, over those received or
	// there, whichever are more.
	Ratio float64
	// SeedTime is for how long it is seeded, in all runs. Pauses and waits do not count.
	SeedTime time.Duration
	// IdleTime is for how long nobody has wanted anything of it, in a row.
	IdleTime time.Duration
	// Then is what follows. Default SharePause.
	Then ShareAct
}

// ShareAct is what follows when a torrent has been shared enough.
type ShareAct string

// The acts.
const (
	SharePause  ShareAct = "pause"  // it rests until Torrent.Resume, and then goes on without limits
	ShareRemove ShareAct = "remove" // it is taken out of the engine and forgotten; its files stay
)

func (l *ShareLimits) inner() (*engine.Share, error) {
	if l == nil {
		return nil, nil
	}
	s := &engine.Share{Ratio: l.Ratio, SeedTime: l.SeedTime, IdleTime: l.IdleTime}
	switch l.Then {
	case "", SharePause:
	case ShareRemove:
		s.Then = quota.Remove
	default:
		return nil, fmt.Errorf("%w: %q is not what can follow when a torrent was shared enough", ErrConfig, l.Then)
	}
	if !s.Check() {
		return nil, fmt.Errorf("%w: a limit of sharing is negative or no number; 0 means none", ErrConfig)
	}
	return s, nil
}

// SetShareLimits changes when torrents that have no limits of their own have been shared
// enough. The error is ErrConfig.
func (e *Engine) SetShareLimits(l ShareLimits) error {
	s, err := l.inner()
	if err == nil {
		e.e.SetShare(*s)
	}
	return err
}

// SetShareLimits sets limits of the torrent's own; nil means those of the engine. The
// error is ErrConfig.
func (t *Torrent) SetShareLimits(l *ShareLimits) error {
	s, err := l.inner()
	if err == nil {
		t.t.SetShare(s)
	}
	return err
}

// ShareLimits returns the limits of the torrent, and reports whether they are its own.
func (t *Torrent) ShareLimits() (l ShareLimits, own bool) {
	s, own := t.t.Share()
	l = ShareLimits{Ratio: s.Ratio, SeedTime: s.SeedTime, IdleTime: s.IdleTime, Then: SharePause}
	if s.Then == quota.Remove {
		l.Then = ShareRemove
	}
	return l, own
}

// Seeded is for how long the torrent has been seeded, in all runs in which there was a limit
// to that.
func (t *Torrent) Seeded() time.Duration { return t.t.Seeded() }
