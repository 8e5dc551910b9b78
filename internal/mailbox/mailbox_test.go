package mailbox

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// owner is a loop that notes what it was given. Where idle is not set it parks.
type owner struct {
	box  Box[int]
	each func(int) // called with each event; may be nil
	busy bool      // it does not park
	left []int     // what End refused

	mu   sync.Mutex
	got  []int
	runs int           // how often the loop was started
	late int           // times that nothing came in time
	wait time.Duration // until the next deadline
	end  bool          // it ends
}

func newOwner(size int) *owner {
	o := &owner{wait: Forever}
	o.box.Init(NewInboxes(size, wakeUp), o.loop)
	return o
}

const (
	wakeUp = -1
	quit   = -2
)

func (o *owner) loop() {
	wait, _ := o.step(func() { o.runs++ })
	for {
		if !o.box.Next(wait, o.apply) {
			o.step(func() { o.late++ })
		}
		var end bool
		if wait, end = o.step(func() {}); end {
			o.box.End(func(n int) { o.left = append(o.left, n) })
			return
		}
		if !o.busy && o.box.Park(wait) {
			return
		}
	}
}

// step changes what tests look at, and returns what they have chosen.
func (o *owner) step(do func()) (wait time.Duration, end bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	do()
	return o.wait, o.end
}

func (o *owner) apply(n int) {
	o.step(func() {
		if o.end = o.end || n == quit; n != quit {
			o.got = append(o.got, n)
		}
	})
	if n != quit && o.each != nil {
		o.each(n)
	}
}

// A box without anything to do has no goroutine; each event starts its loop, and events of one
// producer stay in order.
func TestBoxSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOwner(4)
		for i := range 10 {
			if !o.box.Post(i) {
				t.Fatal("it has ended")
			}
			synctest.Wait()
			if o.box.Awake() {
				t.Fatal("it is awake with nothing to do")
			}
		}
		o.box.Wait()
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(o.got, want) || o.runs != 10 {
			t.Errorf("%v in %d runs", o.got, o.runs)
		}
	})
}

// A deadline wakes a parked loop, and one that has moved does not wake it twice.
func TestBoxWakesAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOwner(4)
		o.wait = time.Minute
		o.box.Post(1)
		time.Sleep(30 * time.Second)
		o.box.Post(2) // the minute counts from now
		time.Sleep(45 * time.Second)
		synctest.Wait()
		o.step(func() {
			if want := []int{1, 2}; !slices.Equal(o.got, want) {
				t.Errorf("%v before the deadline", o.got)
			}
			o.wait = Forever
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		o.step(func() {
			if want := []int{1, 2, wakeUp}; !slices.Equal(o.got, want) || o.late != 0 {
				t.Errorf("%v, %d times late", o.got, o.late)
			}
		})
	})
}

// A loop that stays is told when nothing came in time.
func TestBoxIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOwner(4)
		o.busy, o.wait = true, time.Second
		o.box.Post(1)
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		o.step(func() {
			if o.late != 3 {
				t.Errorf("late %d times in 3.5 s", o.late)
			}
		})
		o.box.Post(quit)
		o.box.Wait()
	})
}

// A full inbox makes producers wait, and hints are lost. Nothing else is.
func TestBoxIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, producers, each = 4, 8, 25
		o := newOwner(size)
		hold := make(chan struct{})
		o.each = func(int) { <-hold }
		var wg sync.WaitGroup
		for range producers {
			wg.Go(func() {
				for range each {
					if !o.box.Post(1) {
						t.Error("it has ended")
					}
				}
			})
		}
		synctest.Wait() // all wait for the loop, which waits for us
		for range 100 {
			o.box.Hint(2)
		}
		close(hold)
		wg.Wait()
		synctest.Wait()
		o.step(func() {
			if n := len(o.got); n != producers*each || slices.Contains(o.got, 2) {
				t.Errorf("%d events, hints among them: %t", n, slices.Contains(o.got, 2))
			}
		})
		o.box.Hint(2)
		synctest.Wait()
		o.step(func() {
			if !slices.Contains(o.got, 2) {
				t.Error("a hint was lost with room for it")
			}
		})
	})
}

// The end gives back what is left, frees the producers that wait, and takes nothing more.
func TestBoxEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const producers = 20
		o := newOwner(4)
		hold := make(chan struct{})
		o.each = func(int) { <-hold }
		o.box.Post(0)
		synctest.Wait()
		o.step(func() { o.end = true }) // as soon as it is through with what it has
		var wg sync.WaitGroup
		var mu sync.Mutex
		taken := 0
		for i := range producers {
			wg.Go(func() {
				if o.box.Post(i + 1) {
					mu.Lock()
					taken++
					mu.Unlock()
				}
			})
		}
		synctest.Wait()
		close(hold)
		wg.Wait()
		o.box.Wait()
		if n := len(o.got) - 1 + len(o.left); n != taken || taken == producers {
			t.Errorf("%d events were taken, and the loop and refuse got %d", taken, n)
		}
		if o.box.Post(1) {
			t.Error("it takes events after its end")
		}
		o.box.Hint(1)
		o.box.Wait()
	})
}

// Whatever the order in which producers and a parking loop meet, no event is lost.
func TestBoxLosesNothing(t *testing.T) {
	const producers, each = 4, 2000
	o := newOwner(2)
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for i := range each {
				o.box.Post(i)
				if i%7 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	wg.Wait()
	o.box.Post(quit)
	o.box.Wait()
	if n := len(o.got) + len(o.left); n != producers*each {
		t.Errorf("%d of %d events", n, producers*each)
	}
}

// An event costs no allocation while the loop runs.
func TestBoxCostsNothing(t *testing.T) {
	o := newOwner(64)
	o.busy = true
	o.got = make([]int, 0, 10_000)
	o.box.Post(1)
	if n := testing.AllocsPerRun(1000, func() { o.box.Post(1) }); n > 0.1 {
		t.Errorf("%v allocations an event", n)
	}
	o.box.Post(quit)
	o.box.Wait()
}

// Two loops that offer each other events never wait for each other: what does not fit is lost,
// and the one that offers learns of it.
func TestOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newOwner(2), newOwner(2)
		lost := 0
		a.each = func(n int) {
			for i := range 5 {
				if n > 0 && !b.box.Offer(-100*n-i) {
					lost++
				}
			}
		}
		b.each = func(int) { a.box.Offer(-1000) }
		a.box.Post(1)
		synctest.Wait()
		if len(b.got)+lost != 5 || len(b.got) == 0 {
			t.Errorf("%d came and %d were lost", len(b.got), lost)
		}
		for _, o := range []*owner{a, b} {
			o.box.Post(quit)
			o.box.Wait()
			if o.box.Offer(1) {
				t.Error("an ended box takes an event")
			}
		}
	})
}
