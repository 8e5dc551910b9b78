package throttle

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"shoal/internal/mailbox"
	"shoal/internal/value/mono"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// beatsOf returns beats of a clock for one test.
func beatsOf(t *testing.T, now func() mono.Time) *mailbox.Beats {
	b := mailbox.NewBeats(now, nil)
	t.Cleanup(b.Close)
	return b
}

// clock gives a limiter's time inside a bubble.
func clock(t *testing.T) *mailbox.Beats {
	origin := time.Now()
	return beatsOf(t, func() mono.Time { return mono.Start.Add(time.Since(origin)) })
}

// taker is a connection that always wants more.
type taker struct {
	turn Turn
	had  atomic.Int64
	done chan struct{}
}

// takers starts n of them in a group, which take so much at once.
func takers(wg *sync.WaitGroup, g *Group, n, size int) []*taker {
	var all []*taker
	for range n {
		k := &taker{turn: g.Turn(), done: make(chan struct{})}
		all = append(all, k)
		wg.Go(func() {
			for k.turn.Take(size, k.done) {
				k.had.Add(int64(size))
				select {
				case <-k.done:
					k.turn.Leave()
					return
				default:
				}
			}
		})
	}
	return all
}

// passed gives what all have had in d.
func passed(all []*taker, d time.Duration) (total int64, each []int64) {
	synctest.Wait()
	before := make([]int64, len(all))
	for i, k := range all {
		before[i] = k.had.Load()
	}
	time.Sleep(d)
	synctest.Wait()
	for i, k := range all {
		each = append(each, k.had.Load()-before[i])
		total += each[i]
	}
	return total, each
}

func about(t *testing.T, what string, got, want, by int64) {
	t.Helper()
	if got < want-by || got > want+by {
		t.Errorf("%s: %d bytes, want %d", what, got, want)
	}
}

// A limit is kept to one claim over seconds, and changes at once for those that wait.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(clock(t))
		l.SetLimit(1000, 0)
		var wg sync.WaitGroup
		a, b := l.Group(), l.Group()
		all := append(takers(&wg, a, 1, 100), takers(&wg, b, 3, 100)...)
		time.Sleep(time.Second)

		total, each := passed(all, 10*time.Second)
		about(t, "all", total, 10_000, 100)
		about(t, "the one of the first torrent", each[0], 5000, 200)
		about(t, "one of the second", each[2], 1667, 200)

		l.SetLimit(100_000, 0)
		total, _ = passed(all, 10*time.Second)
		about(t, "all, under a higher limit", total, 1_000_000, 200)

		b.SetLimit(3000, 0)
		total, each = passed(all, 10*time.Second)
		about(t, "all, where one torrent is limited", total, 1_000_000, 1000)
		about(t, "the limited torrent", each[1]+each[2]+each[3], 30_000, 100)

		l.SetLimit(0, 2000)
		b.SetLimit(0, 500)
		_, each = passed(all, 10*time.Second)
		about(t, "a peer by the engine's limit", each[0], 20_000, 200)
		about(t, "a peer by its torrent's", each[3], 5000, 200)

		// Those that wait are let go when the limit is.
		for _, k := range all {
			close(k.done)
		}
		l.SetLimit(0, 0)
		b.SetLimit(0, 0)
		wg.Wait()
		if l.due != mono.Never {
			t.Error("an alarm is set, and nobody waits")
		}
	})
}

// A low limit is paid for however long it takes, and whoever leaves takes nobody's turn.
func TestDebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(clock(t))
		l.SetLimit(1024, 0)
		g := l.Group()
		first, second, third := g.Turn(), g.Turn(), g.Turn()
		never := make(chan struct{})
		first.Take(16<<10, never)
		began := time.Now()
		gone := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if second.Take(16<<10, gone) {
				t.Error("who left was let through")
			}
		})
		time.Sleep(time.Second)
		close(gone)
		third.Take(16<<10, never)
		if d := time.Since(began).Round(10 * time.Millisecond); d != 16*time.Second {
			t.Errorf("16 KiB at a KiB a second took %v", d)
		}
		wg.Wait()
	})
}

// Without a limit nothing is claimed: no clock, no lock, no memory.
func TestNoLimit(t *testing.T) {
	l := NewLimiter(beatsOf(t, func() mono.Time { t.Error("the clock was read"); return 0 }))
	turn := l.Group().Turn()
	var none Turn
	if n := testing.AllocsPerRun(10, func() {
		if turn.Quantum() != 0 || none.Quantum() != 0 || !none.Ask(1<<30) {
			t.Error("a limit where there is none")
		}
		none.Charge(1)
		turn.Leave()
		none.Leave()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Claims under a limit allocate nothing once a connection has its place.
func TestClaimsAllocateNothing(t *testing.T) {
	// In a bubble no bell can ring while claims are counted.
	synctest.Test(t, func(t *testing.T) {
		var seconds atomic.Int64 // each look at the clock is a second later
		l := NewLimiter(beatsOf(t, func() mono.Time { return mono.Start.Add(time.Duration(seconds.Add(1)) * time.Second) }))
		defer l.Close()
		l.SetLimit(1<<20, 1<<19)
		turn := l.Group().Turn()
		turn.Ask(1)
		turn.Leave()
		if n := testing.AllocsPerRun(100, func() {
			turn.Charge(20)
			if !turn.Ask(100) {
				t.Fatal("not granted")
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// What a torrent may have is what is lower of its own limit and that of the whole.
func TestCeiling(t *testing.T) {
	l := NewLimiter(clock(t))
	g := l.Group()
	for _, c := range []struct{ all, own, want int64 }{
		{0, 0, 0}, {100, 0, 100}, {0, 50, 50}, {100, 50, 50}, {50, 100, 50}, {100, 0, 100},
	} {
		l.SetLimit(c.all, 0)
		g.SetLimit(c.own, 0)
		if got := g.Ceiling(); got != c.want {
			t.Errorf("%d and %d: %d, want %d", c.all, c.own, got, c.want)
		}
	}
}

// The limit of the line holds for connections to far machines, and not for those nearby; it changes
// many times a second without a loss. A lower limit of the engine holds for all.
func TestLineHoldsWhatIsFar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(clock(t))
		g := l.Group()
		var wg sync.WaitGroup
		l.SetLine(100_000)
		all := takers(&wg, g, 3, 16_000)
		for i := range 100 {
			time.Sleep(100 * time.Millisecond)
			l.SetLine(100_000 + int64(i%2))
		}
		if total, _ := passed(all, 0); total != 0 {
			t.Fatal(total)
		}
		had := int64(0)
		for _, k := range all {
			had += k.had.Load()
		}
		if had < 980_000 || had > 1_060_000 {
			t.Errorf("%d bytes in 10 s at 100 kB/s", had)
		}

		var near atomic.Bool
		turn := g.Turn()
		turn.Near(&near)
		if turn.Quantum() == 0 {
			t.Error("no limit before it is known where it leads")
		}
		near.Store(true)
		if turn.Quantum() != 0 {
			t.Error("the line's limit holds nearby")
		}
		if l.Limit() != 0 || g.Ceiling() != 0 {
			t.Errorf("the line counts as a limit of the user: %d, %d", l.Limit(), g.Ceiling())
		}
		l.SetLimit(50_000, 0)
		if turn.Quantum() == 0 {
			t.Error("the engine's limit does not hold nearby")
		}
		l.SetLine(0)
		l.SetLimit(0, 0)
		if turn.Quantum() != 0 {
			t.Error("a limit is left")
		}
		l.Close()
		for _, k := range all {
			close(k.done)
		}
		wg.Wait()
	})
}

// A user's limit holds nearby whatever the line takes. Where the line takes less, nearby obeys the line.
func TestLimitHoldsNearby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(clock(t))
		defer l.Close()
		var near atomic.Bool
		near.Store(true)
		turn := l.Group().Turn()
		turn.Near(&near)
		for _, c := range []struct {
			line, set int64
			holds     bool
		}{
			{0, 0, false},
			{100_000, 0, false},
			{0, 500_000, true},
			{500_000, 100_000, true},
			{100_000, 500_000, true},
		} {
			l.SetLine(c.line)
			l.SetLimit(c.set, 0)
			if got := turn.Quantum() > 0; got != c.holds {
				t.Errorf("line %d, limit %d: a limit nearby: %v, want %v", c.line, c.set, got, c.holds)
			}
		}
	})
}

// countingBell counts how often it rings.
type countingBell struct {
	mailbox.Bell
	rings atomic.Int64
}

func (b *countingBell) Wait() bool {
	ok := b.Bell.Wait()
	b.rings.Add(1)
	return ok
}

// However many connections wait for their turn, in both directions, they wake the machine ten times a
// second; twenty times where the line is the limit.
func TestRingsUnderALimit(t *testing.T) {
	for _, line := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			bell := &countingBell{Bell: mailbox.TimerBell()}
			origin := time.Now()
			beats := mailbox.NewBeats(func() mono.Time { return mono.Start.Add(time.Since(origin)) }, bell)
			defer beats.Close()
			up, down := NewLimiter(beats), NewLimiter(beats)
			defer up.Close()
			defer down.Close()
			want := int64(100)
			if line {
				up.SetLine(500_000)
				want = 200
			} else {
				up.SetLimit(500_000, 0)
			}
			down.SetLimit(800_000, 100_000)
			var wg sync.WaitGroup
			all := append(takers(&wg, up.Group(), 20, 16<<10), takers(&wg, down.Group(), 20, 16<<10)...)
			time.Sleep(time.Second)
			before := bell.rings.Load()
			passed(all, 10*time.Second)
			if n := bell.rings.Load() - before; n > want+1 {
				t.Errorf("the line is the limit: %v; the bell rang %d times in ten seconds, want %d", line, n, want)
			}
			for _, k := range all {
				close(k.done)
			}
			wg.Wait()
		})
	}
}
