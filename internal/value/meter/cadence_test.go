package meter

import (
	"testing"
	"time"

	"shoal/internal/value/mono"
)

func TestCadence(t *testing.T) {
	var c Cadence
	now := mono.Start
	at := func(ms int) mono.Time { return mono.Start.Add(time.Duration(ms) * time.Millisecond) }
	expect := func(what string, idle, due bool, next mono.Time) {
		t.Helper()
		gotDue, gotNext := c.Due(now, idle)
		if gotDue != due || gotNext != next {
			t.Errorf("%s: due is %v, next %v; want %v, %v", what, gotDue, gotNext, due, next)
		}
		if gotDue {
			c.Made(now, false)
		}
	}
	now = at(1000)
	expect("nothing has changed", false, false, mono.Never)
	c.Changed()
	expect("the first change", false, true, mono.Never)
	now = at(1100)
	c.Changed()
	expect("a change soon after", false, false, at(1250))
	now = at(1250)
	expect("its turn", false, true, mono.Never)
	for i := range lastWords {
		now = at(1260 + i)
		c.Changes(true)
		expect("about to sleep", true, true, mono.Never)
	}
	now = at(1270)
	c.Changed()
	expect("about to sleep, once too often", true, false, now.Add(-7*time.Millisecond).Add(PublishEvery))
	now = at(2000)
	c.Due(now, false)
	c.Made(now, true)
	if c.Quiet() || c.Next(now) != at(3000) {
		t.Error("rates flow, and nothing is due")
	}
	if c.Made(now, false); !c.Quiet() || c.Next(now) != mono.Never {
		t.Error("nothing flows, and something is due")
	}
}
