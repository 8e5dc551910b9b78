package meter

import (
	"math"
	"testing"
	"time"

	"shoal/internal/value/mono"
)

// phase is a time in which bytes come evenly; every 0 is silence.
type phase struct {
	length, every time.Duration
	bytes         int64
}

func TestFlow(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	steady := func(length time.Duration) phase { return phase{length, 100 * ms, 100_000} } // 1 MB/s
	silence := func(length time.Duration) phase { return phase{length: length} }
	for _, c := range []struct {
		name       string
		phases     []phase
		rate, mean float64
	}{
		{"nothing", []phase{silence(5 * s)}, 0, 0},
		{"steady, short", []phase{steady(2 * s)}, 1e6, 1e6},
		{"steady, long", []phase{steady(90 * s)}, 1e6, 1e6},
		{"the first byte", []phase{{100 * ms, 100 * ms, 16384}}, 16384, 16384},
		{"stopped for half of what is shown", []phase{steady(60 * s), silence(2 * s)}, 0.5e6, 1e6 * 28 / 30},
		{"stopped for as long as is shown", []phase{steady(60 * s), silence(4 * s)}, 0, 0.87e6},
		{"stopped for long", []phase{steady(60 * s), silence(18 * s)}, 0, 0},
		// 948 KiB/s for a while, the seed is away for a while, then it is back: the end is
		// as far as its rate says.
		{"stopped and back", []phase{steady(60 * s), silence(30 * s), steady(2 * s)}, 1e6, 1e6},
		{"stopped for an hour and back", []phase{steady(60 * s), silence(time.Hour), steady(2 * s)}, 1e6, 1e6},
		{"stopped and back for long", []phase{steady(60 * s), silence(30 * s), steady(60 * s)}, 1e6, 1e6},
		{"half as fast, just now", []phase{steady(60 * s), {4 * s, 200 * ms, 100_000}}, 0.5e6, 0.93e6},
		{"half as fast, since long", []phase{steady(60 * s), {60 * s, 200 * ms, 100_000}}, 0.5e6, 0.5e6},
		// How a stream flows that has more silences than bytes.
		{"a block every twelve seconds", []phase{{180 * s, 12 * s, 16384}}, 0, 0},
		{"a burst every half minute", []phase{
			steady(2 * s), silence(28 * s), steady(2 * s), silence(28 * s), steady(2 * s), silence(28 * s), steady(2 * s),
		}, 1e6, 8e6 / 92},
		{"a block every three seconds", []phase{{60 * s, 3 * s, 30_000}, silence(ms)}, 7.5e3, 10e3},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f Flow
			now := mono.Start
			var total int64
			for _, p := range c.phases {
				end := now.Add(p.length)
				if p.every == 0 {
					now = end
					continue
				}
				for ; now < end; now = now.Add(p.every) {
					f.Add(now, p.bytes)
					total += p.bytes
				}
				now = end
			}
			if got := f.Rate(now); math.Abs(got-c.rate) > 0.15*c.rate {
				t.Errorf("rate %.0f, want about %.0f", got, c.rate)
			}
			if got := f.Mean(now); math.Abs(got-c.mean) > 0.15*c.mean {
				t.Errorf("mean %.0f, want about %.0f", got, c.mean)
			}
			if f.Total() != total {
				t.Errorf("%d bytes, want %d", f.Total(), total)
			}
		})
	}
}

// A rate is right at once after a pause: it does not climb for as long as it is shown.
func TestFlowAfterPause(t *testing.T) {
	var f Flow
	now := mono.Start
	for range 100 {
		now = now.Add(100 * time.Millisecond)
		f.Add(now, 1000)
	}
	now = now.Add(5 * time.Second)
	for range 15 {
		now = now.Add(100 * time.Millisecond)
		f.Add(now, 1000)
	}
	if got := f.Rate(now); math.Abs(got-10_000) > 1500 {
		t.Errorf("rate %.0f a second and a half after a pause, want 10000", got)
	}
	if f.Last() != now {
		t.Errorf("the latest byte came at %v, want %v", f.Last(), now)
	}
}

func TestFlowAllocatesNothing(t *testing.T) {
	var f Flow
	now := mono.Start
	if n := testing.AllocsPerRun(1000, func() { now = now.Add(time.Millisecond); f.Add(now, 16384) }); n != 0 {
		t.Errorf("%v allocations for each Add", n)
	}
}
