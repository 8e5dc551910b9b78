// Package mono holds a monotonic time in eight bytes. The deciding packages get one with
// every call and never read a clock, so they can be replayed: the simulator passes the same
// times again.
package mono

import (
	"math"
	"time"
)

// Time is a time in nanoseconds since an origin that its source chose. The zero Time is "not
// set"; the origin is therefore a little before the first time handed out. Times of different
// origins must not be compared.
type Time int64

// Never is later than every other time: a deadline that does not come.
const Never Time = math.MaxInt64

// Start is the first time that a source should hand out, so that "not set" and "at the very
// beginning" differ.
const Start Time = Time(time.Second)

// Beat is the time between two beats: instants, the same for everything that has one clock, at which
// work that can wait is done together. What waits for a beat wakes the machine once, however many
// connections and limits it serves (decision 0200).
const Beat = 50 * time.Millisecond

// NextBeat returns the first beat after t.
func (t Time) NextBeat() Time { return t.Add(Beat - time.Duration(t)%Beat) }

// NextBeats returns the first n-th beat after t: what waits for longer meets at fewer beats.
func (t Time) NextBeats(n int) Time {
	span := time.Duration(n) * Beat
	return t.Add(span - time.Duration(t)%span)
}

// OnBeat returns the first beat that is not before t, for deadlines that can wait for it.
func (t Time) OnBeat() Time {
	if t == Never {
		return t
	}
	return (t - 1).NextBeat()
}

// Add returns the time d later. Never stays Never, and a sum beyond it is Never.
func (t Time) Add(d time.Duration) Time {
	if t == Never || d > 0 && t > Never-Time(d) {
		return Never
	}
	return t + Time(d)
}

// Sub returns the duration from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Before reports whether t is earlier than u.
func (t Time) Before(u Time) bool { return t < u }

// After reports whether t is later than u.
func (t Time) After(u Time) bool { return t > u }

// IsZero reports whether t is not set.
func (t Time) IsZero() bool { return t == 0 }

// Seconds returns t in seconds since the source's first time, for printing.
func (t Time) Seconds() float64 { return float64(t-Start) / float64(time.Second) }

// Earliest returns the earliest of the times; Never when there are none.
func Earliest(ts ...Time) Time {
	first := Never
	for _, t := range ts {
		first = min(first, t)
	}
	return first
}
