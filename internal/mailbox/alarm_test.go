package mailbox

import (
	"testing"
	"testing/synctest"
	"time"
)

// Changes that keep coming do not put off what is to be done about them: here one comes
// every 10 ms, and an alarm that gathers what comes within 50 ms rings twenty times a second.
func TestAlarmIsNotPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAlarm(time.Hour)
		defer a.Stop()
		changes := time.NewTicker(10 * time.Millisecond)
		defer changes.Stop()
		end := time.After(time.Second)
		rings := 0
		for {
			select {
			case <-changes.C:
				a.Within(50 * time.Millisecond)
			case <-a.C():
				rings++
				a.Set(time.Hour)
			case <-end:
				if rings < 15 || rings > 20 {
					t.Errorf("it rang %d times in a second", rings)
				}
				return
			}
		}
	})
}
