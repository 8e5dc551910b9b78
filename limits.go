package shoal

import (
	"fmt"

	"shoal/internal/decide/quota"
	"shoal/internal/engine"
)

// The upload limits of an engine that are not rates. As text they are "auto" and "none".
const (
	// LimitAuto holds what is sent to peers on the internet just below what the line takes, so
	// that its queue stays short and others at home can use it. The engine learns that rate from
	// the round-trip times; it lets go where a delay is not its own, and never holds what goes to
	// this machine and its local network. See Engine.Uplink.
	LimitAuto int64 = 0
	// LimitNone is no limit at all.
	LimitNone int64 = -1
)

// Limits bound how fast bytes move, in bytes a second. LimitNone means no limit, and 0 as well,
// except in Up of an engine, where it means LimitAuto. Over a few seconds they hold to the byte.
// Torrents share those of the engine equally, and peers those of a torrent. Small messages never
// wait, and count afterwards.
type Limits struct {
	Up   int64 // sent to all peers together
	Down int64 // received from all peers together
	// PeerUp and PeerDown hold for each peer. Those of a torrent replace those of the engine for
	// its peers.
	PeerUp, PeerDown int64
}

func (l Limits) check() error {
	if min(l.Up, l.Down, l.PeerUp, l.PeerDown) < LimitNone {
		return fmt.Errorf("%w: a limit is negative: LimitNone means no limit", ErrConfig)
	}
	return nil
}

// inner returns the limits of a torrent, or of an engine.
func (l Limits) inner(engines bool) engine.Limits {
	return engine.Limits{
		Up: max(l.Up, 0), Down: max(l.Down, 0), PeerUp: max(l.PeerUp, 0), PeerDown: max(l.PeerDown, 0),
		Auto: engines && l.Up == LimitAuto,
	}
}

// SetLimits changes the limits of the engine, at once. The error is ErrConfig.
func (e *Engine) SetLimits(l Limits) error {
	if err := l.check(); err != nil {
		return err
	}
	e.e.SetLimits(l.inner(true))
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
	e.e.SetAlternative(l.inner(true), spans)
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
	l = outer(now)
	if l.Up == 0 && !now.Auto {
		l.Up = LimitNone
	}
	return l, alternative
}

// SetLimits changes the limits of the torrent, at once. The engine's limits hold as well. The
// error is ErrConfig.
func (t *Torrent) SetLimits(l Limits) error {
	if err := l.check(); err != nil {
		return err
	}
	t.t.SetLimits(l.inner(false))
	return nil
}

// Limits returns the limits of the torrent. The engine's limits hold as well.
func (t *Torrent) Limits() Limits { return outer(t.t.Limits()) }

func outer(l engine.Limits) Limits {
	return Limits{Up: l.Up, Down: l.Down, PeerUp: l.PeerUp, PeerDown: l.PeerDown}
}
