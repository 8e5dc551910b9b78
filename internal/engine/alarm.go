package engine

import "time"

// alarm is a timer that can be asked to ring sooner, and not put off by it: what waits a
// moment for others that come with it must not wait for as long as others come.
type alarm struct {
	timer *time.Timer
	at    time.Time
}

// newAlarm makes one that rings after d.
func newAlarm(d time.Duration) *alarm {
	return &alarm{timer: time.NewTimer(d), at: time.Now().Add(d)}
}

// C tells when it rings.
func (a *alarm) C() <-chan time.Time { return a.timer.C }

// Within has it ring after d, unless it does before.
func (a *alarm) Within(d time.Duration) {
	if time.Now().Add(d).Before(a.at) {
		a.Set(d)
	}
}

// Set has it ring after d, whatever was said before. It has to be called after each ring.
func (a *alarm) Set(d time.Duration) {
	a.at = time.Now().Add(d)
	a.timer.Reset(d)
}

// Stop ends it.
func (a *alarm) Stop() { a.timer.Stop() }
