package engine

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"shoal/internal/decide/quota"
	"shoal/internal/net/peerconn"
	"shoal/internal/net/uplink"
	"shoal/internal/value/ipscope"
)

// Limits bound transfer rates, in bytes per second; 0 means no limit.
type Limits struct {
	Up, Down int64 // limits of all peers together
	// Auto holds what we send to the internet just below what the line takes. Of a torrent it
	// says nothing.
	Auto bool
	// PeerUp and PeerDown limit every single peer. For the peers of a torrent that has them
	// they replace the engine's.
	PeerUp, PeerDown int64
}

// limits are the limits of an engine: the usual ones, and alternative ones that replace them
// by a schedule or by hand.
type limits struct {
	mu     sync.Mutex
	usual  Limits
	other  Limits
	when   quota.Schedule
	timer  *time.Timer // nil without a schedule
	closed bool
}

// lookAtClock is how often the schedule is compared with the clock, which the user can set,
// and which continues while the machine sleeps.
const lookAtClock = time.Minute

// SetLimits changes the limits of the whole engine at once.
func (e *Engine) SetLimits(l Limits) {
	e.limits.chosen.mu.Lock()
	defer e.limits.chosen.mu.Unlock()
	e.limits.chosen.usual = l
	e.applyLimits()
}

// SetAlternative changes the alternative limits and the schedule by which they hold.
// quota.CheckPlan must accept the plan; an empty plan leaves the switch to UseAltLimits.
func (e *Engine) SetAlternative(l Limits, plan []quota.Span) {
	e.limits.chosen.mu.Lock()
	defer e.limits.chosen.mu.Unlock()
	e.limits.chosen.other = l
	e.limits.chosen.when.SetPlan(time.Now(), plan)
	e.applyLimits()
}

// UseAltLimits turns the alternative limits on or off until the next scheduled change.
func (e *Engine) UseAltLimits(on bool) {
	e.limits.chosen.mu.Lock()
	defer e.limits.chosen.mu.Unlock()
	e.limits.chosen.when.Switch(on)
	e.applyLimits()
}

// Limits returns the limits in force, and whether they are the alternative ones.
func (e *Engine) Limits() (l Limits, alternative bool) {
	e.limits.chosen.mu.Lock()
	defer e.limits.chosen.mu.Unlock()
	return e.limits.chosen.now(), e.limits.chosen.when.On()
}

// Uplink returns what is known of the line that the engine sends over.
func (e *Engine) Uplink() uplink.Status { return e.limits.watch.Status() }

func (l *limits) now() Limits {
	if l.when.On() {
		return l.other
	}
	return l.usual
}

// applyLimits applies the limits in force, and sets the timer for the next scheduled change.
// The mutex of e.limits.chosen is held.
func (e *Engine) applyLimits() {
	l := &e.limits.chosen
	if l.closed {
		return
	}
	now := l.now()
	e.limits.up.SetLimit(now.Up, now.PeerUp)
	e.limits.watch.Turn(now.Auto)
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
		e.log.Info("the schedule switched the speed limits", "alternative", on)
	}
	e.applyLimits()
}

// closeLimits lifts all limits; the engine closes.
func (e *Engine) closeLimits() {
	e.limits.chosen.mu.Lock()
	defer e.limits.chosen.mu.Unlock()
	e.limits.chosen.closed = true
	if e.limits.chosen.timer != nil {
		e.limits.chosen.timer.Stop()
	}
	e.limits.watch.Close()
	e.limits.up.Close()
	e.limits.down.Close()
}

// SetLimits changes the limits of the torrent at once. The limits of the engine hold as well.
func (t *Torrent) SetLimits(l Limits) {
	t.links.mu.Lock()
	t.links.limit(l)
	t.applyLimits()
	t.links.mu.Unlock()
	t.remember()
}

// Limits returns the limits of the torrent.
func (t *Torrent) Limits() Limits {
	t.links.mu.Lock()
	defer t.links.mu.Unlock()
	return t.links.limits
}

// applyLimits applies the limits to the connections. t.links.mu is held.
func (t *Torrent) applyLimits() {
	if t.links.shared != nil {
		t.links.shared.Up.SetLimit(t.links.limits.Up, t.links.limits.PeerUp)
		t.links.shared.Down.SetLimit(t.links.limits.Down, t.links.limits.PeerDown)
	}
}

// limitSlots sends the swarm the rate limits that its peers share.
func (t *Torrent) limitSlots() {
	t.links.mu.Lock()
	defer t.links.mu.Unlock()
	if t.links.shared != nil {
		t.swarm.SetUpLimit(t.links.shared.Up.Ceiling())
		limit, waits := t.links.shared.Down.Expect()
		t.swarm.SetDownLimit(t.e.now(), limit, waits)
		return
	}
	all, _ := t.e.Limits() // its share of them is known only once there are peers
	t.swarm.SetUpLimit(lower(all.Up, t.links.limits.Up))
	t.swarm.SetDownLimit(t.e.now(), lower(all.Down, t.links.limits.Down), false)
}

// lower returns the lower of two limits; 0 means no limit.
func lower(a, b int64) int64 {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// limit exempts a new connection from the limits if its address is local and exempt. Others are
// watched for what they send.
func (t *Torrent) limit(c *peerconn.Conn, nc net.Conn, addr netip.Addr) {
	if t.e.cfg.LocalExempt && ipscope.Own(addr) {
		c.Exempt()
		return
	}
	c.Watch(t.e.limits.watch.Link(nc, addr))
}
