package mono

import (
	"math"
	"testing"
	"time"
)

func TestAdd(t *testing.T) {
	for _, c := range []struct {
		t    Time
		d    time.Duration
		want Time
	}{
		{Start, time.Second, 2 * Start},
		{Start, -time.Second, 0},
		{Never, time.Hour, Never},
		{Never, -time.Hour, Never},
		{Never - 1, 1, Never},
		{Never - 1, 2, Never},
		{Start, math.MaxInt64, Never},
		{0, math.MaxInt64, Never},
	} {
		if got := c.t.Add(c.d); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.t, c.d, got, c.want)
		}
	}
}

func TestOrder(t *testing.T) {
	a, b := Start, Start.Add(time.Minute)
	if !a.Before(b) || b.Before(a) || a.Before(a) || !b.After(a) || a.After(b) || a.After(a) {
		t.Error("before and after disagree")
	}
	if b.Sub(a) != time.Minute || a.Sub(b) != -time.Minute {
		t.Error(b.Sub(a))
	}
	if Time(0).After(Start) || !Never.After(b) {
		t.Error("not set is before everything, never after everything")
	}
	if a.IsZero() || !Time(0).IsZero() {
		t.Error("the first instant is not the instant that is not set")
	}
	if s := b.Seconds(); s != 60 {
		t.Errorf("%v seconds", s)
	}
}

func TestEarliest(t *testing.T) {
	if got := Earliest(); got != Never {
		t.Errorf("of none: %v", got)
	}
	if got := Earliest(Never, Start+2, Start+1, Start+3); got != Start+1 {
		t.Error(got)
	}
}

func TestBeats(t *testing.T) {
	const ms = Time(time.Millisecond)
	for _, c := range []struct{ t, next, on Time }{
		{Start, Start + 50*ms, Start},
		{Start + 1, Start + 50*ms, Start + 50*ms},
		{Start + 49*ms, Start + 50*ms, Start + 50*ms},
		{Start + 50*ms, Start + 100*ms, Start + 50*ms},
		{Never, Never, Never},
	} {
		if next, on := c.t.NextBeat(), c.t.OnBeat(); next != c.next || on != c.on {
			t.Errorf("the beats after %d are %d and %d, want %d and %d", c.t, next, on, c.next, c.on)
		}
	}
}
