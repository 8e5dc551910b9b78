// Package mono is given its instants; After is a method here, not the clock's.
package mono

import "time"

// Time is an instant.
type Time int64

// After compares.
func (t Time) After(u Time) bool { return t > u }

// Later adds.
func Later(t time.Time, u time.Time) bool { return t.After(u) }
