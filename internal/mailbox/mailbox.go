// Package mailbox contains what the loops of the shell wait with: an inbox whose loop runs only
// while there is something to do, and small parts for things that mostly sleep. It knows nothing
// about torrents.
//
// A Box has a bounded inbox and one loop, which owns its state. Posting starts the loop if none
// runs. A loop that has nothing to do until a deadline parks; posting or the deadline starts it
// again. Ten thousand idle torrents have no goroutine and no inbox.
//
//	for {
//		if !box.Next(until, apply) {
//			tick()
//		}
//		...
//		if idle && box.Park(until) {
//			return
//		}
//	}
//
// A Gate is a channel that is made when somebody waits for it, a Life a context that costs as
// little, an Alarm a timer that can be moved forward. Tasks runs short tasks in order, a few at a
// time. Decision 0064 has the reasons.
package mailbox

import (
	"math"
	"sync"
	"time"
)

// Forever is a waiting time without an end.
const Forever = time.Duration(math.MaxInt64)

// Inboxes is a pool of inboxes for boxes with a running loop.
type Inboxes[E any] struct {
	size int
	wake E // what the alarm of a parked loop posts
	pool sync.Pool
}

// NewInboxes returns inboxes for size events each. A producer that finds one full waits. When the
// deadline of a parked loop arrives, the loop receives the event wake.
func NewInboxes[E any](size int, wake E) *Inboxes[E] { return &Inboxes[E]{size: size, wake: wake} }

// inbox is what a loop needs while it runs.
type inbox[E any] struct {
	events chan E
	timer  *time.Timer
}

func (i *Inboxes[E]) get() *inbox[E] {
	if in, ok := i.pool.Get().(*inbox[E]); ok {
		return in
	}
	in := &inbox[E]{events: make(chan E, i.size), timer: time.NewTimer(time.Hour)}
	in.timer.Stop()
	return in
}

func (i *Inboxes[E]) put(in *inbox[E]) {
	in.timer.Stop()
	i.pool.Put(in)
}

// Box is an inbox and the loop behind it. Init makes it ready.
type Box[E any] struct {
	of   *Inboxes[E]
	loop func() // runs until Park or End

	mu      sync.Mutex
	in      *inbox[E]   // nil while the loop does not run
	posting int         // producers that wait for room in the inbox
	posted  *sync.Cond  // signals that posting is 0 after the end; nil while nobody waits for it
	ended   bool        // Post refuses every event
	end     Gate        // opens with ended
	alarm   *time.Timer // runs while the loop is parked; nil before the first deadline
	loops   sync.WaitGroup
}

// Init sets the loop of a box.
func (b *Box[E]) Init(of *Inboxes[E], loop func()) { b.of, b.loop = of, loop }

// Post hands an event to the loop, and starts the loop if it does not run. It waits while the inbox
// is full. It returns false when the box has ended.
func (b *Box[E]) Post(ev E) bool {
	b.mu.Lock()
	if b.ended {
		b.mu.Unlock()
		return false
	}
	b.begin()
	events := b.in.events
	select {
	case events <- ev:
		b.mu.Unlock()
		return true
	default: // the inbox is full
	}
	b.posting++
	b.mu.Unlock()

	ok := true
	select {
	case events <- ev:
	case <-b.end.C():
		ok = false
	}
	b.mu.Lock()
	b.posting--
	if b.posting == 0 && b.posted != nil {
		b.posted.Broadcast()
	}
	b.mu.Unlock()
	return ok
}

// begin starts the loop if it does not run. The caller holds b.mu.
func (b *Box[E]) begin() {
	if b.in != nil {
		return
	}
	if b.alarm != nil {
		b.alarm.Stop()
	}
	b.in = b.of.get()
	b.loops.Go(b.loop)
}

// Offer is Post without waiting: it also returns false when the inbox is full. So the loops of two
// boxes can hand each other events.
func (b *Box[E]) Offer(ev E) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return false
	}
	b.begin()
	select {
	case b.in.events <- ev:
		return true
	default:
		return false
	}
}

// Hint is Post for an event that is not worth waiting for: it is lost when the inbox is full.
func (b *Box[E]) Hint(ev E) {
	b.mu.Lock()
	busy := b.in != nil && len(b.in.events) == cap(b.in.events)
	b.mu.Unlock()
	if !busy {
		// Another producer can take the last place in between. Then this waits a moment: the loop,
		// which never blocks, makes room.
		b.Post(ev)
	}
}

// Next waits until events are posted, calls apply with each of them, and returns true. It returns
// false when none are posted in the given time. Only the loop calls it.
func (b *Box[E]) Next(wait time.Duration, apply func(E)) bool {
	var late <-chan time.Time
	if wait != Forever {
		b.in.timer.Reset(wait)
		late = b.in.timer.C
	}
	select {
	case ev := <-b.in.events:
		apply(ev)
		for n := len(b.in.events); n > 0; n-- {
			apply(<-b.in.events)
		}
		return true
	case <-late:
		return false
	}
}

// Park ends a loop that has nothing to do for the given time. It returns false when an event was
// posted meanwhile: then the loop continues. After true the loop must return at once. Only the loop
// calls it.
func (b *Box[E]) Park(wait time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.posting > 0 || len(b.in.events) > 0 {
		return false
	}
	b.of.put(b.in) // no loop uses it any longer
	b.in = nil
	switch {
	case wait == Forever:
	case b.alarm == nil:
		b.alarm = time.AfterFunc(wait, func() { b.Post(b.of.wake) })
	default:
		b.alarm.Reset(wait)
	}
	return true
}

// Awake reports whether the loop runs.
func (b *Box[E]) Awake() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.in != nil
}

// End ends the box: Post returns false from now on. The remaining events go to refuse, once the
// last producer has noticed the end. Only the loop calls it, and must then return without calling
// Next.
func (b *Box[E]) End(refuse func(E)) {
	b.mu.Lock()
	b.ended = true
	b.end.Open()
	if b.posting > 0 {
		b.posted = sync.NewCond(&b.mu)
	}
	for b.posting > 0 {
		b.posted.Wait()
	}
	b.mu.Unlock()
	for {
		select {
		case ev := <-b.in.events:
			refuse(ev)
		default:
			return
		}
	}
}

// Wait waits until a loop that has parked or ended has returned.
func (b *Box[E]) Wait() { b.loops.Wait() }
