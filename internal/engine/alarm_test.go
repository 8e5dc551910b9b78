package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// Changes that keep coming do not put off what is to be done about them: here one comes
// every 10 ms, and an alarm that gathers what comes within 50 ms rings twenty times a second.
func TestAlarmIsNotPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAlarm(time.Hour)
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

// While a user goes on choosing, what was chosen is written all the same.
func TestChoicesAreWrittenWhileOthersCome(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		tor := add(t, r.e, r.spec(makeContent(t, "one", 16<<10, 100_000)))
		for range 20 { // never quiet for as long as changes are gathered
			tor.SetLimits(Limits{Up: tor.Limits().Up + 1})
			time.Sleep(writeSoon / 2)
		}
		if problems, entries := readCatalogue(t, r.state); len(problems) > 0 || len(entries) != 1 {
			t.Errorf("after %v: %d torrents, %v", 10*writeSoon, len(entries), problems)
		}
	})
}
