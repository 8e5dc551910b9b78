package meter

import (
	"math"
	"testing"
	"time"

	"shoal/internal/value/mono"
)

func TestRate(t *testing.T) {
	for _, c := range []struct {
		name    string
		every   time.Duration
		bytes   int64
		forTime time.Duration
		silence time.Duration
		want    float64
	}{
		{"nothing", time.Second, 0, 5 * time.Second, 0, 0},
		{"steady, shorter than the window", 100 * time.Millisecond, 1000, 5 * time.Second, 0, 10000},
		{"steady, longer than the window", 100 * time.Millisecond, 1000, time.Minute, 0, 10000},
		{"one burst counts as one second", time.Second, 1 << 20, time.Second, 0, 1 << 20},
		{"half the window silent", 100 * time.Millisecond, 1000, time.Minute, 10 * time.Second, 5000},
		{"the whole window silent", 100 * time.Millisecond, 1000, time.Minute, Window, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m Meter
			now := mono.Start
			for end := now.Add(c.forTime); now < end; now = now.Add(c.every) {
				m.Add(now, c.bytes)
			}
			now = now.Add(c.silence)
			if got := m.Rate(now); math.Abs(got-c.want) > 0.12*c.want {
				t.Errorf("rate %.0f, want about %.0f", got, c.want)
			}
		})
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	var m Meter
	now := mono.Start
	if n := testing.AllocsPerRun(1000, func() { now = now.Add(time.Millisecond); m.Add(now, 16384) }); n != 0 {
		t.Errorf("%v allocations for each Add", n)
	}
}
