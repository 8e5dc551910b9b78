package mailbox

import (
	"sync"
	"time"

	"shoal/internal/value/mono"
)

// Beats calls functions at beats (mono.Beat). Whatever waits for the same beat is called by one goroutine,
// which one bell wakes: connections, limits and watches that wait together cost as much as one of them
// (decision 0203).
type Beats struct {
	now  func() mono.Time
	bell Bell
	wg   sync.WaitGroup

	mu      sync.Mutex
	waiting []*Waiter
	next    mono.Time // time for which the bell is set; Never while nothing waits
	ringing []*Waiter // used by run alone; the memory is used again
}

// Waiter is something that waits for a beat. Its function is called by the goroutine of the Beats, and
// must not block. It may be called once more after Clear, and after Set for a later time, when that
// crosses the beat.
type Waiter struct {
	ring  func()
	at    mono.Time // 0: does not wait
	place int       // index among those that wait
}

// NewWaiter returns a waiter that does not wait.
func NewWaiter(ring func()) Waiter { return Waiter{ring: ring} }

// NewBeats returns beats of a clock. The bell is closed by Close; nil means a TimerBell.
func NewBeats(now func() mono.Time, bell Bell) *Beats {
	if bell == nil {
		bell = TimerBell()
	}
	b := &Beats{now: now, bell: bell, next: mono.Never}
	b.wg.Go(b.run)
	return b
}

// Close ends the beats: nothing is called any more.
func (b *Beats) Close() {
	b.bell.Close()
	b.wg.Wait()
}

// Now returns the time of the clock.
func (b *Beats) Now() mono.Time { return b.now() }

// Set makes the waiter wait for this time, which is a beat, instead of what it waited for before.
func (b *Beats) Set(w *Waiter, at mono.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.at == 0 {
		w.place = len(b.waiting)
		b.waiting = append(b.waiting, w)
	}
	w.at = at
	if at < b.next {
		b.next = at
		b.bell.Set(at.Sub(b.now()))
	}
}

// Clear ends the wait of the waiter, if it waits. The bell is left alone: it rings once for nothing,
// which costs less than to set it for each of many waits.
func (b *Beats) Clear(w *Waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.at != 0 {
		b.remove(w)
	}
}

func (b *Beats) remove(w *Waiter) {
	w.at = 0
	last := len(b.waiting) - 1
	moved := b.waiting[last]
	b.waiting[w.place], moved.place = moved, w.place
	b.waiting[last] = nil
	b.waiting = b.waiting[:last]
}

func (b *Beats) run() {
	for b.bell.Wait() {
		for _, w := range b.due() {
			w.ring()
		}
		clear(b.ringing)
	}
}

// due returns the waiters whose time has come, and sets the bell for the others.
func (b *Beats) due() []*Waiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.ringing, b.next = b.ringing[:0], mono.Never
	for i := 0; i < len(b.waiting); {
		w := b.waiting[i]
		if w.at <= now {
			b.ringing = append(b.ringing, w)
			b.remove(w)
			continue
		}
		b.next = min(b.next, w.at)
		i++
	}
	if b.next != mono.Never {
		b.bell.Set(b.next.Sub(now))
	}
	return b.ringing
}

// Bell wakes one goroutine at a set time.
type Bell interface {
	// Set makes the bell ring once in d, and not when it was set to ring before. It may be called at
	// any time, from any goroutine.
	Set(d time.Duration)
	// Wait waits until the bell rings; it returns false when the bell is closed.
	Wait() bool
	// Close ends the bell.
	Close()
}

// TimerBell returns a bell that rings by a timer of the runtime.
func TimerBell() Bell {
	t := &timerBell{timer: time.NewTimer(time.Hour), done: make(chan struct{})}
	t.timer.Stop()
	return t
}

type timerBell struct {
	timer *time.Timer
	done  chan struct{}
}

func (t *timerBell) Set(d time.Duration) { t.timer.Reset(d) }

func (t *timerBell) Wait() bool {
	select {
	case <-t.timer.C:
		return true
	case <-t.done:
		return false
	}
}

func (t *timerBell) Close() {
	t.timer.Stop()
	close(t.done)
}
