// Package meter measures rates in bytes a second: a Meter for choking, a Flow for display. A
// Meter is a small value with one owner; the caller passes the time. Choking compares its
// rates (BEP 3 asks for a rolling average over twenty seconds).
package meter

import (
	"time"

	"shoal/internal/value/mono"
)

// Window is how far back a rate looks.
const Window = 20 * time.Second

// slots divide the window; the oldest expires as a whole.
const slots = 10

const slot = Window / slots

// Meter counts bytes. The zero Meter has counted nothing, and is small: most torrents never
// count. A Meter that has counted must not be copied.
type Meter struct {
	total int64
	cells *[slots]int64 // nil before the first byte
	at    int64         // number of the current slot
	since mono.Time     // time of the first byte
}

// Add counts n bytes at now.
func (m *Meter) Add(now mono.Time, n int64) {
	if m.cells == nil {
		m.cells = new([slots]int64)
	}
	m.roll(now)
	if m.since.IsZero() {
		m.since = now
	}
	m.total += n
	m.cells[m.at%slots] += n
}

// Total returns the number of bytes counted so far.
func (m *Meter) Total() int64 { return m.total }

// Rate returns bytes a second over the window, or over the time since the first byte while
// that is shorter, but at least over one second.
func (m *Meter) Rate(now mono.Time) float64 {
	if m.cells == nil {
		return 0
	}
	m.roll(now)
	var sum int64
	for _, c := range m.cells {
		sum += c
	}
	if sum == 0 {
		return 0
	}
	// The current slot is only partly over.
	span := time.Duration(int64(now)%int64(slot)) + (slots-1)*slot
	span = min(span, now.Sub(m.since))
	return float64(sum) / max(span, time.Second).Seconds()
}

// roll empties the slots that have expired.
func (m *Meter) roll(now mono.Time) {
	at := int64(now) / int64(slot)
	if at-m.at >= slots {
		*m.cells = [slots]int64{}
		m.at = at
		return
	}
	for m.at < at {
		m.at++
		m.cells[m.at%slots] = 0
	}
}
