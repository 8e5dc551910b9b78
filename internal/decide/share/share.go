// Package share decides when a torrent has been shared enough: by its ratio, by how long it
// has been seeded, or by how long nobody has wanted anything of it. It does nothing about it:
// what is to follow is told once, by whoever drives it.
//
// The ratio is that of the bytes sent to those received, in all runs. What was there already
// counts as received, too: who adds a complete torrent, or fetches one bad piece again, has
// shared it once when as much was sent as there is. Time counts only while it is seeded: not
// while it is paused, waits in line, is checked, or lacks its files.
//
// A Machine is owned by its torrent's loop and not safe for concurrent use. Time is given.
// It is no matter of any BEP.
// Decision 0099 says why.
package share

import (
	"math"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Act is what follows when a limit is reached.
type Act uint8

// The acts.
const (
	Pause  Act = iota // it stays, without peers
	Remove            // it is forgotten; its files stay
)

var actNames = [...]string{"pause", "remove"}

// String gives the act's name as golden scripts print it.
func (a Act) String() string { return actNames[a] }

// settle is how long a ratio has to be reached before that counts: what was sent last is on
// its way, and would be lost with its connection.
const settle = 2 * time.Second

// Limits say what is enough: the first one that is reached. Zero is no limit.
type Limits struct {
	Ratio    float64
	SeedTime time.Duration // in all runs
	IdleTime time.Duration // in a row
	Then     Act
}

// Any reports whether there is a limit at all.
func (l Limits) Any() bool { return l.Ratio > 0 || l.SeedTime > 0 || l.IdleTime > 0 }

// Machine is the machine of one torrent. The zero Machine has no limits.
type Machine struct {
	limits Limits
	waived bool // the user had it go on beyond its limits

	sent int64 // in all runs
	got  int64 // what counts as received

	seeding bool
	since   mono.Time // of seeding
	before  time.Duration
	sentAt  mono.Time // of the last byte, or since
	told    bool
	reached mono.Time // the ratio; zero: not
}

// Restore takes the time for which the torrent was seeded in other runs.
func (m *Machine) Restore(seeded time.Duration) { m.before = max(seeded, 0) }

// SetLimits changes the limits. They hold also where the user had the torrent go on beyond
// others.
func (m *Machine) SetLimits(l Limits) {
	if l != m.limits {
		m.limits, m.waived, m.told, m.reached = l, false, false, 0
	}
}

// Limits gives the limits.
func (m *Machine) Limits() Limits { return m.limits }

// Seeding says whether the torrent is seeded from now on.
func (m *Machine) Seeding(now mono.Time, on bool) {
	if on == m.seeding {
		return
	}
	if m.seeding {
		m.before += now.Sub(m.since)
	}
	m.seeding, m.since, m.sentAt = on, now, now
	if !on {
		m.told = false
	}
}

// Totals says how many bytes were sent and received in all runs, and how many are there.
func (m *Machine) Totals(now mono.Time, sent, received, there int64) {
	if sent != m.sent {
		m.sentAt = now
	}
	m.sent, m.got = sent, max(received, there)
	m.look(now)
}

// look notes when the ratio was reached.
func (m *Machine) look(now mono.Time) {
	switch {
	case !m.ratio():
		m.reached = 0
	case m.reached.IsZero():
		m.reached = now
	}
}

// GoOn says that the user has the torrent go on. Where it has been shared enough already it
// is seeded without limits, until other ones are set.
func (m *Machine) GoOn(now mono.Time) {
	if m.ratio() || m.time(now) {
		m.waived = true
	}
	m.sentAt, m.told = now, false
}

// Ratio gives the ratio; 0 while nothing is there.
func (m *Machine) Ratio() float64 {
	if m.got <= 0 {
		return 0
	}
	return float64(m.sent) / float64(m.got)
}

// Seeded gives for how long the torrent has been seeded, in all runs.
func (m *Machine) Seeded(now mono.Time) time.Duration {
	if m.seeding {
		return m.before + now.Sub(m.since)
	}
	return m.before
}

func (m *Machine) ratio() bool {
	return m.limits.Ratio > 0 && m.got > 0 && m.Ratio() >= m.limits.Ratio
}

func (m *Machine) time(now mono.Time) bool {
	return m.limits.SeedTime > 0 && m.Seeded(now) >= m.limits.SeedTime
}

func (m *Machine) idle(now mono.Time) bool {
	return m.limits.IdleTime > 0 && now.Sub(m.sentAt) >= m.limits.IdleTime
}

// Enough reports, once, that the torrent has been shared enough, and why.
func (m *Machine) Enough(now mono.Time) (reason why.Why, enough bool) {
	m.look(now)
	switch {
	case !m.seeding || m.waived || m.told:
		return why.None, false
	case m.ratio() && now >= m.reached.Add(settle):
		reason = why.RatioReached
	case m.time(now):
		reason = why.SeededLong
	case m.idle(now):
		reason = why.IdleLong
	default:
		return why.None, false
	}
	m.told = true
	return reason, true
}

// Deadline is when Enough is wanted although nothing was sent; mono.Never when time changes
// nothing.
func (m *Machine) Deadline() mono.Time {
	at := mono.Never
	if !m.seeding || m.waived || m.told {
		return at
	}
	if m.ratio() && !m.reached.IsZero() {
		at = m.reached.Add(settle)
	}
	if m.limits.SeedTime > 0 {
		at = min(at, m.since.Add(m.limits.SeedTime-m.before))
	}
	if m.limits.IdleTime > 0 {
		at = min(at, m.sentAt.Add(m.limits.IdleTime))
	}
	return at
}

// Check reports whether limits can be honoured.
func (l Limits) Check() bool {
	return l.Ratio >= 0 && !math.IsInf(l.Ratio, 0) && l.SeedTime >= 0 && l.IdleTime >= 0 && l.Then <= Remove
}
