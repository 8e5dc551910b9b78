// Package meter measures how many bytes a second flow: a Meter for choking, a Flow for
// people. A Meter is a small
// value owned by whoever counts; time is given. It is what choking compares
// (BEP 3 asks for a rolling average over twenty seconds).
package meter

import (
	"time"

	"shoal/internal/value/mono"
)

// Window is how far back a rate looks.
const Window = 20 * time.Second

// slots divide the window; the oldest falls out as a whole.
const slots = 10

const slot = Window / slots

// Meter counts bytes. The zero Meter has counted nothing, and is small: most torrents
// never count. One that has counted is not to be copied.
type Meter struct {
	total int64
	cells *[slots]int64 // nil before the first byte
	at    int64         // number of the current slot
	since mono.Time     // of the first byte
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

// Total is the number of bytes counted ever.
func (m *Meter) Total() int64 { return m.total }

// Rate gives bytes a second over the window, or over the time since the first
// byte while that is shorter (but at least over one second).
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

// roll empties the slots that time has passed over.
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
