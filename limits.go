package shoal

import (
	"fmt"

	"shoal/internal/decide/quota"
	"shoal/internal/engine"
)

// Limits bound how fast bytes move, in bytes a second; 0 means no limit. Over a few seconds they
// hold to the byte. Torrents share those of the engine equally, and peers those of a torrent.
// Small messages never wait, and count afterwards.
type Limits struct {
	Up   int64 // sent to all peers together
	Down int64 // received from all peers together
	// PeerUp and PeerDown hold for each peer. Those of a torrent replace those of the engine for
	// its peers.
	PeerUp, PeerDown int64
}

func (l Limits) check() error {
	if l.Up < 0 || l.Down < 0 || l.PeerUp < 0 || l.PeerDown < 0 {
		return fmt.Errorf("%w: a limit is negative: 0 means no limit", ErrConfig)
	}
	return nil
}

func (l Limits) inner() engine.Limits { return engine.Limits(l) }

// SetLimits changes the limits of the engine, at once. The error is ErrConfig.
func (e *Engine) SetLimits(l Limits) error {
	if err := l.check(); err != nil {
		return err
	}
	e.e.SetLimits(l.inner())
	return nil
}

// SetAltLimits sets limits that replace the others at the times of a plan, in the time zone of
// this machine: "mon-fri 08:00-18:30, sat,sun 23:00-06:00", for instance. With an empty plan they
// hold after UseAltLimits(true) only. The error is ErrConfig.
func (e *Engine) SetAltLimits(l Limits, plan string) error {
	if err := l.check(); err != nil {
		return err
	}
	spans, err := parsePlan(plan)
	if err != nil {
		return err
	}
	e.e.SetAlternative(l.inner(), spans)
	return nil
}

func parsePlan(plan string) ([]quota.Span, error) {
	if plan == "" {
		return nil, nil
	}
	spans, err := quota.ParsePlan(plan)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return spans, nil
}

// UseAltLimits turns the alternative limits on or off until the next change in the plan.
func (e *Engine) UseAltLimits(on bool) { e.e.UseAltLimits(on) }

// Limits returns the limits in force, and reports whether they are the alternative ones.
func (e *Engine) Limits() (l Limits, alternative bool) {
	now, alternative := e.e.Limits()
	return Limits(now), alternative
}

// SetLimits changes the limits of the torrent, at once. The engine's limits hold as well. The
// error is ErrConfig.
func (t *Torrent) SetLimits(l Limits) error {
	if err := l.check(); err != nil {
		return err
	}
	t.t.SetLimits(l.inner())
	return nil
}

// Limits returns the limits of the torrent. The engine's limits hold as well.
func (t *Torrent) Limits() Limits { return Limits(t.t.Limits()) }
