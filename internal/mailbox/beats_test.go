package mailbox

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/value/mono"
)

// Whatever waits for a beat is called at it, once, and together; what is moved or cleared is not called
// at its old time.
func TestBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		now := func() mono.Time { return mono.Start.Add(time.Since(began)) }
		b := NewBeats(now, nil)
		defer b.Close()
		type call struct {
			who string
			at  time.Duration
		}
		var calls []call
		waiter := func(who string) *Waiter {
			w := NewWaiter(func() { calls = append(calls, call{who, time.Since(began)}) })
			return &w
		}
		beat := func(n int) mono.Time { return mono.Start.Add(time.Duration(n) * mono.Beat) }
		x, y, z := waiter("x"), waiter("y"), waiter("z")
		b.Set(x, beat(4))
		b.Set(y, beat(2))
		b.Set(z, beat(2))
		b.Set(z, beat(4)) // later
		time.Sleep(3 * mono.Beat)
		b.Set(y, beat(6))
		b.Set(y, beat(5)) // sooner
		b.Clear(y)
		b.Clear(y)
		time.Sleep(10 * mono.Beat)
		b.Set(y, beat(1)) // has passed: at once
		synctest.Wait()
		slices.SortStableFunc(calls, func(a, b call) int { return int(a.at - b.at) })
		want := []call{{"y", 2 * mono.Beat}, {"x", 4 * mono.Beat}, {"z", 4 * mono.Beat}, {"y", 13 * mono.Beat}}
		if !slices.Equal(calls, want) {
			t.Errorf("called %v, want %v", calls, want)
		}
	})
}

// A waiter may wait again from its own call, which holds a lock that the caller of Set holds, too.
func TestBeatsAgain(t *testing.T) {
	for _, bell := range bells {
		t.Run(bell.name, func(t *testing.T) {
			began := time.Now()
			b := NewBeats(func() mono.Time { return mono.Start.Add(time.Since(began)) }, bell.make())
			defer b.Close()
			const times = 5
			done, n := make(chan struct{}), 0
			var w Waiter
			w = NewWaiter(func() {
				if n++; n == times {
					close(done)
					return
				}
				b.Set(&w, b.Now().Add(time.Millisecond))
			})
			b.Set(&w, b.Now().Add(time.Millisecond))
			<-done
		})
	}
}

var bells = []struct {
	name string
	make func() Bell
}{{"timer", TimerBell}, {"system", SystemBell}}

// All bells ring once for a time, also when it was set for a later time before, and end.
func TestBells(t *testing.T) {
	for _, bell := range bells {
		t.Run(bell.name, func(t *testing.T) {
			b := bell.make()
			rings, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				for b.Wait() {
					rings <- struct{}{}
				}
			}()
			b.Set(time.Hour)
			b.Set(time.Millisecond)
			<-rings
			b.Set(0)
			<-rings
			b.Set(-time.Second)
			<-rings
			b.Set(time.Hour)
			b.Close()
			<-ended
			b.Set(time.Millisecond) // nobody hears it
		})
	}
}
