// Package mono holds an instant of monotonic time in eight bytes. The deciding
// packages are given one with every call and never read a clock, which is what
// makes them replayable: the simulator hands out the same instants again.
package mono

import (
	"math"
	"time"
)

// Time is an instant: nanoseconds since an origin that the giver chose. The
// zero Time is "not set"; an origin is therefore chosen a little before the
// first instant handed out. Times of different origins must not be compared.
type Time int64

// Never is later than every instant: the deadline of what has none.
const Never Time = math.MaxInt64

// Start is the first instant a giver should hand out, so that "not set" and
// "at the very beginning" stay apart.
const Start Time = Time(time.Second)

// Add gives the instant d later. Adding to Never stays Never, and what would
// lie beyond it is Never.
func (t Time) Add(d time.Duration) Time {
	if t == Never || d > 0 && t > Never-Time(d) {
		return Never
	}
	return t + Time(d)
}

// Sub gives the duration from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Before reports whether t is earlier than u.
func (t Time) Before(u Time) bool { return t < u }

// After reports whether t is later than u.
func (t Time) After(u Time) bool { return t > u }

// IsZero reports whether t is not set.
func (t Time) IsZero() bool { return t == 0 }

// Seconds gives t in seconds since the giver's first instant; for printing.
func (t Time) Seconds() float64 { return float64(t-Start) / float64(time.Second) }

// Earliest gives the earlier of the instants; Never when there are none.
func Earliest(ts ...Time) Time {
	first := Never
	for _, t := range ts {
		first = min(first, t)
	}
	return first
}
