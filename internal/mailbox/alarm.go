package mailbox

import "time"

// Alarm is a timer that a caller can ask to ring sooner, but not later. Changes that come
// close together wait a moment for each other; they must not wait for as long as more come.
type Alarm struct {
	timer *time.Timer
	at    time.Time
}

// NewAlarm returns an alarm that rings after d.
func NewAlarm(d time.Duration) *Alarm {
	return &Alarm{timer: time.NewTimer(d), at: time.Now().Add(d)}
}

// C returns the channel on which the alarm rings.
func (a *Alarm) C() <-chan time.Time { return a.timer.C }

// Within makes the alarm ring after d, unless it rings before.
func (a *Alarm) Within(d time.Duration) {
	if time.Now().Add(d).Before(a.at) {
		a.Set(d)
	}
}

// Set makes the alarm ring after d, whatever was asked before. The owner must call it after
// each ring.
func (a *Alarm) Set(d time.Duration) {
	a.at = time.Now().Add(d)
	a.timer.Reset(d)
}

// Stop ends the alarm.
func (a *Alarm) Stop() { a.timer.Stop() }
