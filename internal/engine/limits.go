package engine

import (
	"net/netip"
	"sync"
	"time"

	"shoal/internal/decide/schedule"
	"shoal/internal/net/peerconn"
	"shoal/internal/value/ipscope"
)

// Limits bound how fast bytes move, in bytes a second; 0 means no limit.
type Limits struct {
	Up, Down int64 // all peers together
	// PeerUp and PeerDown hold for every single peer. A torrent's hold for its peers
	// instead of the engine's.
	PeerUp, PeerDown int64
}

// limits are those of an engine: the usual ones, and others that hold instead of them at
// times, or when somebody says so.
type limits struct {
	mu     sync.Mutex
	usual  Limits
	other  Limits
	when   schedule.Machine
	timer  *time.Timer // while there is a plan
	closed bool
}

// lookAtClock is how often a plan is compared with the clock, which may be put forward
// and back, or go on while the machine sleeps.
const lookAtClock = time.Minute

// SetLimits changes the limits of the whole engine, at once.
func (e *Engine) SetLimits(l Limits) {
	e.limits.chosen.mu.Lock()
	defer e.limits.chosen.mu.Unlock()
	e.limits.chosen.usual = l
	e.applyLimits()
}

// SetAlternative changes the limits that hold instead of the others at the times of a plan,
// which schedule.Check has found good; none means: by hand only.
func (e *Engine) SetAlternative(l Limits, plan []schedule.Span) {
	e.limits.chosen.mu.Lock()
	defer e.limits.chosen.mu.Unlock()
	e.limits.chosen.other = l
	e.limits.chosen.when.SetPlan(time.Now(), plan)
	e.applyLimits()
}

// SwitchAlternative has the alternative limits hold, or not, until the plan next has
// something to say.
func (e *Engine) SwitchAlternative(on bool) {
	e.limits.chosen.mu.Lock()
	defer e.limits.chosen.mu.Unlock()
	e.limits.chosen.when.Switch(on)
	e.applyLimits()
}

// Limits gives the limits that hold now, and whether they are the alternative ones.
func (e *Engine) Limits() (l Limits, alternative bool) {
	e.limits.chosen.mu.Lock()
	defer e.limits.chosen.mu.Unlock()
	return e.limits.chosen.now(), e.limits.chosen.when.On()
}

func (l *limits) now() Limits {
	if l.when.On() {
		return l.other
	}
	return l.usual
}

// applyLimits has those hold that are to hold now, and looks again when the plan has
// something to say. e.limits.mu is held.
func (e *Engine) applyLimits() {
	l := &e.limits.chosen
	if l.closed {
		return
	}
	now := l.now()
	e.limits.up.SetLimit(now.Up, now.PeerUp)
	e.limits.down.SetLimit(now.Down, now.PeerDown)
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if next := l.when.Next(); !next.IsZero() {
		l.timer = time.AfterFunc(min(max(time.Until(next), 0), lookAtClock), e.lookAtPlan)
	}
}

func (e *Engine) lookAtPlan() {
	l := &e.limits.chosen
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.when.On()
	l.when.Tick(time.Now())
	if on := l.when.On(); on != was {
		e.log.Info("limits changed by the plan", "alternative", on)
	}
	e.applyLimits()
}

// closeLimits lifts the limits for good.
func (e *Engine) closeLimits() {
	e.limits.chosen.mu.Lock()
	defer e.limits.chosen.mu.Unlock()
	e.limits.chosen.closed = true
	if e.limits.chosen.timer != nil {
		e.limits.chosen.timer.Stop()
	}
	e.limits.up.Close()
	e.limits.down.Close()
}

// SetLimits changes the limits of the torrent, at once. Those of the engine hold besides.
func (t *Torrent) SetLimits(l Limits) {
	t.links.mu.Lock()
	t.links.limit(l)
	t.applyLimits()
	t.links.mu.Unlock()
	t.remember()
}

// Limits gives the limits of the torrent.
func (t *Torrent) Limits() Limits {
	t.links.mu.Lock()
	defer t.links.mu.Unlock()
	return t.links.limits
}

// applyLimits has the connections keep to the limits. t.connMu is held.
func (t *Torrent) applyLimits() {
	if t.links.shared != nil {
		t.links.shared.Up.SetLimit(t.links.limits.Up, t.links.limits.PeerUp)
		t.links.shared.Down.SetLimit(t.links.limits.Down, t.links.limits.PeerDown)
	}
}

// limitSlots tells the swarm what its peers together may have and bring.
func (t *Torrent) limitSlots() {
	t.links.mu.Lock()
	defer t.links.mu.Unlock()
	if t.links.shared != nil {
		t.swarm.SetUpLimit(t.links.shared.Up.Ceiling())
		limit, waits := t.links.shared.Down.Share()
		t.swarm.SetDownLimit(t.e.now(), limit, waits)
		return
	}
	all, _ := t.e.Limits() // whose share it will have is known when there are peers
	t.swarm.SetUpLimit(lower(all.Up, t.links.limits.Up))
	t.swarm.SetDownLimit(t.e.now(), lower(all.Down, t.links.limits.Down), false)
}

// lower gives the lower of two limits; 0 is none.
func lower(a, b int64) int64 {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// limit puts a new connection under the limits, unless it is exempt from them.
func (t *Torrent) limit(c *peerconn.Conn, addr netip.Addr) {
	if t.e.cfg.LocalExempt && ipscope.Own(addr) {
		c.Exempt()
	}
}
