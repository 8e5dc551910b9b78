package meter

import (
	"time"

	"shoal/internal/value/mono"
)

// Times between two snapshots of a torrent.
const (
	// PublishEvery is the least time between two snapshots while things change.
	PublishEvery = 250 * time.Millisecond
	// RefreshEvery is the time between two while only rates change, so that they fall when
	// bytes stop.
	RefreshEvery = time.Second
	// lastWords bounds the snapshots out of turn between two in turn.
	lastWords = 4
)

// Cadence decides when to make a snapshot of a torrent. The zero Cadence has made none.
type Cadence struct {
	last    mono.Time
	pending bool // something has changed since last
	flowing bool // a rate was not zero
	early   uint8
}

// Changed notes that a snapshot would differ from the latest.
func (c *Cadence) Changed() { c.pending = true }

// Changes notes whether something has changed.
func (c *Cadence) Changes(yes bool) { c.pending = c.pending || yes }

// Due reports whether to make a snapshot now, and if not, when: Never while nothing changes.
// A torrent that is about to go idle gets its snapshot at once, at most lastWords times: so
// thousands that only woke up for a moment do not stay awake together.
func (c *Cadence) Due(now mono.Time, idle bool) (due bool, next mono.Time) {
	if c.Quiet() {
		return false, mono.Never
	}
	c.pending = true
	early := now < c.last.Add(PublishEvery) && !c.last.IsZero()
	switch {
	case early && (!idle || c.early >= lastWords):
		return false, c.last.Add(PublishEvery)
	case early:
		c.early++
	default:
		c.early = 0
	}
	return true, mono.Never
}

// Made notes that a snapshot was made; flowing says that a rate in it is not zero.
func (c *Cadence) Made(now mono.Time, flowing bool) {
	c.last, c.pending, c.flowing = now, false, flowing
}

// Next returns when the next snapshot is due although nothing happens.
func (c *Cadence) Next(now mono.Time) mono.Time {
	if c.flowing {
		return now.Add(RefreshEvery)
	}
	return mono.Never
}

// Quiet reports whether the latest snapshot stays true while nothing happens.
func (c *Cadence) Quiet() bool { return !c.pending && !c.flowing }
