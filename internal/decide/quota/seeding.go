package quota

// This file decides when a torrent has been shared enough: by its ratio, by how long it
// has been seeded, or by how long no peer has taken anything. It does not act on that: it
// reports once that a limit is reached, and the owner acts.
//
// The ratio is bytes sent to bytes received, in all runs. Data that was on disk already
// counts as received, too: a torrent added complete, or one that fetched a bad piece again,
// counts as ratio 1 when it has uploaded the torrent's size. Time counts only while the
// torrent seeds: not while it is paused, queued, checked, or lacks its files.
//
// A Seeding is owned by its torrent's loop and not safe for concurrent use. The caller passes
// the time. No BEP covers this (decision 0099).

import (
	"math"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Act is what follows when a limit is reached.
type Act uint8

// Values of Act.
const (
	Pause  Act = iota // the torrent stays in the engine, without peers
	Remove            // the torrent is removed; its files stay
)

var actNames = [...]string{"pause", "remove"}

// String returns the act's name as golden scripts print it.
func (a Act) String() string { return actNames[a] }

// settle is how long a ratio must be reached before it counts: the last bytes are still on
// their way, and would be lost with their connection.
const settle = 2 * time.Second

// ShareLimits say what is enough; the first one reached counts. 0 means no limit.
type ShareLimits struct {
	Ratio    float64
	SeedTime time.Duration // in all runs
	IdleTime time.Duration // without a pause
	Then     Act
}

// Any reports whether there is a limit at all.
func (l ShareLimits) Any() bool { return l.Ratio > 0 || l.SeedTime > 0 || l.IdleTime > 0 }

// Seeding decides for one torrent. The zero Seeding has no limits.
type Seeding struct {
	limits ShareLimits
	waived bool // the user resumed it beyond its limits

	sent int64 // bytes sent in all runs
	got  int64 // bytes that count as received

	seeding bool
	since   mono.Time     // start of seeding in this run
	before  time.Duration // time seeded before since
	sentAt  mono.Time     // time of the last byte, or since
	told    bool          // Enough has reported the limit
	reached mono.Time     // time when the ratio was reached; zero: not reached
}

// Restore takes how long the torrent was seeded in other runs.
func (m *Seeding) Restore(seeded time.Duration) { m.before = max(seeded, 0) }

// SetLimits sets the limits. They apply even when the user resumed the torrent beyond other
// limits.
func (m *Seeding) SetLimits(l ShareLimits) {
	if l != m.limits {
		m.limits, m.waived, m.told, m.reached = l, false, false, 0
	}
}

// ShareLimits returns the limits.
func (m *Seeding) Limits() ShareLimits { return m.limits }

// Seeding says whether the torrent seeds from now on.
func (m *Seeding) Seeding(now mono.Time, on bool) {
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

// Totals sets the bytes sent and received in all runs, and the verified bytes.
func (m *Seeding) Totals(now mono.Time, sent, received, there int64) {
	if sent != m.sent {
		m.sentAt = now
	}
	m.sent, m.got = sent, max(received, there)
	m.look(now)
}

// look notes when the ratio was reached.
func (m *Seeding) look(now mono.Time) {
	switch {
	case !m.ratio():
		m.reached = 0
	case m.reached.IsZero():
		m.reached = now
	}
}

// Resumed says that the user resumed the torrent. If a limit is reached already, the torrent
// seeds without limits until new ones are set.
func (m *Seeding) Resumed(now mono.Time) {
	if m.ratio() || m.time(now) {
		m.waived = true
	}
	m.sentAt, m.told = now, false
}

// Ratio returns the ratio; 0 while nothing is verified.
func (m *Seeding) Ratio() float64 {
	if m.got <= 0 {
		return 0
	}
	return float64(m.sent) / float64(m.got)
}

// Seeded returns how long the torrent has been seeded, in all runs.
func (m *Seeding) Seeded(now mono.Time) time.Duration {
	if m.seeding {
		return m.before + now.Sub(m.since)
	}
	return m.before
}

func (m *Seeding) ratio() bool {
	return m.limits.Ratio > 0 && m.got > 0 && m.Ratio() >= m.limits.Ratio
}

func (m *Seeding) time(now mono.Time) bool {
	return m.limits.SeedTime > 0 && m.Seeded(now) >= m.limits.SeedTime
}

func (m *Seeding) idle(now mono.Time) bool {
	return m.limits.IdleTime > 0 && now.Sub(m.sentAt) >= m.limits.IdleTime
}

// Enough reports, once, that the torrent has been shared enough, and why.
func (m *Seeding) Enough(now mono.Time) (reason why.Why, enough bool) {
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

// Deadline returns when to call Enough even if nothing was sent; mono.Never when time changes
// nothing.
func (m *Seeding) Deadline() mono.Time {
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

// Check reports whether limits are valid.
func (l ShareLimits) Check() bool {
	return l.Ratio >= 0 && !math.IsInf(l.Ratio, 0) && l.SeedTime >= 0 && l.IdleTime >= 0 && l.Then <= Remove
}
