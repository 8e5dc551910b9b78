package inflight

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// pipe is a peer behind a path: a request travels for half the delay, waits for
// those before it, its block takes 16 KiB / rate to send, and travels back. The
// receiver looks at the clock only every grain, so blocks come in batches.
type pipe struct {
	delay time.Duration
	rate  int64 // bytes a second
	grain time.Duration

	now     mono.Time
	free    mono.Time // when the peer has sent all it was asked for
	flight  []flight
	got     int64
	limited int // blocks it may be asked for at once; 0: no bound
}

type flight struct{ sent, arrives mono.Time }

func (p *pipe) ask(w *Window) {
	n := w.Limit() - w.Outstanding()
	if p.limited > 0 {
		n = min(n, p.limited-w.Outstanding())
	}
	for range n {
		begin := max(p.free, p.now.Add(p.delay/2))
		p.free = begin.Add(time.Duration(int64(block.Size) * int64(time.Second) / p.rate))
		p.flight = append(p.flight, flight{p.now, p.free.Add(p.delay / 2)})
	}
	w.Sent(p.now, max(n, 0))
}

// run lets the pipe flow until the time is over.
func (p *pipe) run(w *Window, d time.Duration) {
	end := p.now.Add(d)
	p.got = 0
	p.ask(w)
	for len(p.flight) > 0 {
		at := p.flight[0].arrives
		if g := mono.Time(p.grain); g > 0 {
			at = (at + g - 1) / g * g
		}
		if at > end {
			break
		}
		p.now = max(p.now, at)
		for len(p.flight) > 0 && p.flight[0].arrives <= p.now {
			w.Got(p.now, block.Size, p.flight[0].sent)
			p.got += block.Size
			p.flight = p.flight[1:]
		}
		p.ask(w)
	}
	p.now = end
}

// The limit becomes what the package comment says, the pipe is full, and the
// rate measured is the true one, for slow and quick peers alike and however
// coarse the clock.
func TestConverges(t *testing.T) {
	for _, c := range []struct {
		name     string
		rate     int64
		delay    time.Duration
		reqq     int
		atLeast  int // of the limit, at the end
		atMost   int
		fullness float64
	}{
		{"800 MB/s, 0.2 ms, reqq 500", 800e6, 200 * time.Microsecond, 500, 500, 500, 0.99},
		{"800 MB/s, 0.2 ms, reqq unknown", 800e6, 200 * time.Microsecond, 0, 250, 250, 0.99},
		{"1 GB/s, 10 ms, reqq 2000", 1e9, 10 * time.Millisecond, 2000, 1000, 1000, 0.95},
		{"5 MiB/s, 50 ms, reqq 500", 5 << 20, 50 * time.Millisecond, 500, 330, 345, 0.99},
		{"5 MiB/s, 50 ms, reqq unknown", 5 << 20, 50 * time.Millisecond, 0, 250, 250, 0.99},
		{"1 MB/s, 20 ms", 1e6, 20 * time.Millisecond, 500, 60, 66, 0.99},
		{"100 KB/s, 100 ms", 1e5, 100 * time.Millisecond, 500, 6, 9, 0.98},
		{"10 KB/s, 300 ms", 1e4, 300 * time.Millisecond, 500, 2, 3, 0.93},
		{"5 KB/s, 300 ms", 5e3, 300 * time.Millisecond, 500, 2, 3, 0.9},
		{"2 MB/s by satellite, 700 ms", 2e6, 700 * time.Millisecond, 500, 200, 215, 0.97},
	} {
		for _, grain := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond} {
			if grain > c.delay && c.rate > 100<<20 {
				continue // the clock itself would be the longer delay
			}
			t.Run(fmt.Sprintf("%s, clock %v", c.name, grain), func(t *testing.T) {
				var w Window
				if c.reqq > 0 {
					w.SetMax(c.reqq)
				}
				p := &pipe{delay: c.delay, rate: c.rate, grain: grain, now: mono.Start}
				seconds := 40.0
				if c.rate > 100<<20 {
					seconds = 1
				}
				span := time.Duration(seconds * float64(time.Second))
				p.run(&w, span)
				p.run(&w, span)
				if full := float64(p.got) / (float64(c.rate) * seconds); full < c.fullness {
					t.Errorf("the pipe is %.0f %% full", 100*full)
				}
				most := c.atMost + int(c.rate*int64(grain)/int64(time.Second)/block.Size)
				if l := w.Limit(); l < c.atLeast || l > min(most, max(c.reqq, DefaultMax)) {
					t.Errorf("the limit is %d, want %d to %d", l, c.atLeast, most)
				}
				if r := float64(w.Rate()) / float64(c.rate); r < 0.9 || r > 1.1 {
					t.Errorf("the rate is %d, want %d", w.Rate(), c.rate)
				}
			})
		}
	}
}

// Slow start doubles the limit each delay.
func TestSlowStart(t *testing.T) {
	w := NewWindow(4)
	p := &pipe{delay: 100 * time.Millisecond, rate: 100e6, now: mono.Start}
	for _, want := range []int{4, 8, 16, 32, 64, 128} {
		if got := w.Limit(); got != want {
			t.Fatalf("at %v the limit is %d, want %d", p.now, got, want)
		}
		p.run(&w, 110*time.Millisecond)
	}
}

// The limit follows a rate that changes, down and up again.
func TestRateChanges(t *testing.T) {
	var w Window
	w.SetMax(500)
	p := &pipe{delay: 50 * time.Millisecond, rate: 4 << 20, now: mono.Start}
	for _, step := range []struct {
		rate     int64
		from, to int
	}{
		{4 << 20, 260, 285},
		{100 << 10, 6, 12},
		{8 << 20, 490, 500},
		{20 << 10, 2, 4},
		{1 << 20, 64, 72},
	} {
		p.rate = step.rate
		p.run(&w, 10*time.Minute) // what was asked for at the old rate comes first
		if l := w.Limit(); l < step.from || l > step.to {
			t.Errorf("at %d bytes/s the limit is %d, want %d to %d", step.rate, l, step.from, step.to)
		}
	}
}

// While there is too little to ask for, the rate falls and the limit does not;
// and a pause of ours is not held against the peer.
func TestLackOfBlocksIsNotThePeersFault(t *testing.T) {
	var w Window
	w.SetMax(500)
	p := &pipe{delay: 50 * time.Millisecond, rate: 4 << 20, now: mono.Start}
	p.run(&w, 20*time.Second)
	before := w.Limit()
	p.run(&w, 2*time.Second)
	p.limited = 3
	p.run(&w, 20*time.Second)
	if got := w.Limit(); got < before-10 {
		t.Errorf("with three blocks to ask for the limit fell from %d to %d", before, got)
	}
	if r := w.Rate(); r > 2<<20 {
		t.Errorf("with three blocks to ask for the rate is %d", r)
	}

	w.Drained(p.now)
	rate := w.Rate()
	w.Sent(p.now.Add(time.Hour), 1)
	if got := w.Rate(); got != rate {
		t.Errorf("an hour without requests changed the rate from %d to %d", rate, got)
	}
}

func TestSnub(t *testing.T) {
	var w Window
	p := &pipe{delay: 50 * time.Millisecond, rate: 4 << 20, now: mono.Start}
	p.run(&w, 5*time.Second)
	w.Snub(p.now)
	if w.Limit() != 1 || !w.Snubbed() {
		t.Errorf("snubbed: limit %d", w.Limit())
	}
	w.Drained(p.now)
	w.Sent(p.now, 1)
	w.Got(p.now.Add(time.Minute), block.Size, p.now)
	if w.Limit() != 1 {
		t.Errorf("a block alone made the limit %d; that it answers again is for the owner to say", w.Limit())
	}
	w.Unsnub()
	if w.Limit() != DefaultStart || w.Snubbed() {
		t.Errorf("answering again: limit %d, want %d", w.Limit(), DefaultStart)
	}
}

func TestSetMax(t *testing.T) {
	for _, c := range []struct{ reqq, want int }{{-5, 1}, {0, 1}, {1, 1}, {5, 5}, {8, 8}, {250, 8}, {1 << 30, 8}} {
		var w Window
		w.SetMax(c.reqq)
		if got := w.Limit(); got != c.want {
			t.Errorf("reqq %d: first limit %d, want %d", c.reqq, got, c.want)
		}
	}
	var w Window
	p := &pipe{delay: time.Millisecond, rate: 100e6, now: mono.Start}
	p.run(&w, time.Second)
	w.SetMax(20)
	if got := w.Limit(); got != 20 {
		t.Errorf("reqq told late: limit %d, want 20", got)
	}
	w.SetMax(1 << 30)
	p.run(&w, time.Second)
	if got := w.Limit(); got != HardMax {
		t.Errorf("an absurd reqq: limit %d, want %d", got, HardMax)
	}
}

// Arbitrary calls keep the limit in its bounds and the rate a number.
func FuzzWindow(f *testing.F) {
	f.Add([]byte{0, 8, 1, 10, 1, 0, 1, 0, 2, 3, 5, 1, 4, 0, 6, 0, 1, 200})
	f.Add([]byte{0, 255, 1, 0, 1, 0, 1, 0, 2, 0, 1, 0})
	f.Fuzz(func(t *testing.T, ops []byte) { play(t, ops) })
}

func play(t *testing.T, ops []byte) {
	var w Window
	now := mono.Start
	most := DefaultMax
	for i := 0; i+2 <= len(ops); i += 2 {
		n := int(ops[i+1])
		now = now.Add(time.Duration(n*n*n) * time.Microsecond)
		switch ops[i] % 7 {
		case 0:
			w.Sent(now, n)
		case 1:
			w.Got(now, block.Size, now.Add(-time.Duration(n)*17*time.Millisecond))
		case 2:
			w.Lost(now)
		case 3:
			w.Drained(now)
		case 4:
			w.Snub(now)
		case 5:
			w.Unsnub()
		case 6:
			w.SetMax(n * n * n)
			most = min(max(n*n*n, 1), HardMax)
		}
		if l := w.Limit(); l < 1 || l > most {
			t.Fatalf("step %d: limit %d of at most %d", i/2, l, most)
		}
		if w.Rate() < 0 || w.Outstanding() < 0 {
			t.Fatalf("step %d: rate %d, outstanding %d", i/2, w.Rate(), w.Outstanding())
		}
	}
}

func TestRandomOperations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		ops := make([]byte, 400)
		for i := range ops {
			ops[i] = byte(rng.Uint32())
		}
		play(t, ops)
	}
}

func TestGotAllocatesNothing(t *testing.T) {
	w, now := NewWindow(0), mono.Start
	w.Sent(now, 1)
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(time.Millisecond)
		w.Got(now, block.Size, now.Add(-time.Millisecond))
		w.Sent(now, 1)
	}); n != 0 {
		t.Errorf("%v allocations for each block", n)
	}
}

func BenchmarkGot(b *testing.B) {
	w, now := NewWindow(0), mono.Start
	w.Sent(now, 100)
	for range b.N {
		now = now.Add(20 * time.Microsecond)
		w.Got(now, block.Size, now.Add(-2*time.Second))
		w.Sent(now, 1)
	}
}

// A lost request ends slow start; and what little is known by then, such as a
// batch that arrived at one instant, does not throw the limit down.
func TestLost(t *testing.T) {
	w, now := NewWindow(0), mono.Start
	w.Sent(now, 8)
	for range 3 {
		w.Got(now, block.Size, now)
	}
	if got := w.Limit(); got != 11 {
		t.Fatalf("three blocks in slow start: limit %d, want 11", got)
	}
	w.Lost(now)
	w.Got(now, block.Size, now)
	if got := w.Limit(); got != 11 {
		t.Errorf("after a loss at the same instant: limit %d, want 11", got)
	}
	if got := w.Outstanding(); got != 3 {
		t.Errorf("eight sent, four got, one lost: %d outstanding, want 3", got)
	}
	w.Sent(now, 8)
	w.Got(now.Add(500*time.Millisecond), block.Size, now)
	if got, want := w.Limit(), 9; got != want { // 4 x 3/3.5 + 1 blocks in half a second
		t.Errorf("after a loss the limit is %d, want %d by the rate", got, want)
	}
}

// A snubbed peer that answers again is measured anew.
func TestUnsnubForgetsTheRate(t *testing.T) {
	var w Window
	p := &pipe{delay: 50 * time.Millisecond, rate: 4 << 20, now: mono.Start}
	p.run(&w, 5*time.Second)
	w.Snub(p.now)
	w.Unsnub()
	if got := w.Rate(); got != 0 {
		t.Errorf("rate %d, want none", got)
	}
}

// A request cannot have been sent after its block came; if the caller says so,
// the delay is none.
func TestTimesOutOfOrder(t *testing.T) {
	var w Window
	now := mono.Start.Add(time.Hour)
	w.Sent(now, 20)
	for range 10 {
		w.Got(now, block.Size, now.Add(time.Minute))
		now = now.Add(10 * time.Millisecond)
	}
	w.Lost(now.Add(-time.Minute))
	w.Got(now, block.Size, now.Add(-2*time.Second))
	if got := w.Limit(); got < 10 || got > DefaultMax {
		t.Errorf("limit %d", got)
	}
}

func TestScale(t *testing.T) {
	for _, c := range []struct{ a, b, c, want int64 }{
		{7, 3, 2, 10},
		{0, math.MaxInt64, 1, 0},
		{math.MaxInt64, 1000, 1000, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, 1, math.MaxInt64},
		{math.MaxInt64, 3, 2, math.MaxInt64},
	} {
		if got := scale(c.a, c.b, c.c); got != c.want {
			t.Errorf("%d x %d / %d = %d, want %d", c.a, c.b, c.c, got, c.want)
		}
	}
}

// What is expected of a steady pipe is what comes.
func TestExpect(t *testing.T) {
	var w Window
	if wait, block := w.Expect(); wait != 0 || block != 0 || w.Within(time.Second) != 0 {
		t.Errorf("with nothing known: %v, %v, %d", wait, block, w.Within(time.Second))
	}
	w.SetMax(500)
	p := &pipe{delay: 50 * time.Millisecond, rate: 1 << 20, now: mono.Start}
	p.run(&w, 30*time.Second)
	wait, each := w.Expect()
	// 64 blocks a second; one second and the delay of them are waiting.
	if each < 15*time.Millisecond || each > 16*time.Millisecond {
		t.Errorf("a block takes %v", each)
	}
	if wait < time.Second || wait > 1200*time.Millisecond {
		t.Errorf("the next block is expected in %v", wait)
	}
	if n := w.OnTheWay(); n < 3 || n > 6 {
		t.Errorf("%d blocks are on the way", n)
	}
	if n := w.Within(300 * time.Millisecond); n < 22 || n > 26 {
		t.Errorf("%d requests are answered within 300 ms", n)
	}
}

// A peer that was quick and is slow now is slow also while there is little to ask of it:
// what waits for longer than it should tells so.
func TestSlowInSpiteOfLack(t *testing.T) {
	var w Window
	p := &pipe{delay: 20 * time.Millisecond, rate: 8 << 20, now: mono.Start}
	p.run(&w, 10*time.Second)
	quick := w.Limit()
	p.rate, p.limited = 128<<10, 100 // 8 blocks a second, and only so many to ask for
	p.run(&w, 30*time.Second)
	if quick < 200 || w.Limit() > 12 {
		t.Errorf("limit %d at 8 MiB/s, %d at 8 blocks a second", quick, w.Limit())
	}
}
