package announce

import (
	"math/rand/v2"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// walk announces to one tracker at a time. A round asks its trackers in order, each once at
// most, until one answers; it ends then, or when all have failed.
//
//		          next                 all failed
//		waiting ---------> a round ------------------> waiting, until the first of
//		   ^
//	                        them may be asked again
//
//	 interval
//
// one answered
//
//	+-----------------+
type walk struct {
	tiers [][]*entry
	round uint64 // the entries tried in this round carry its number

	busy      bool      // a request is running; none other is made until it ends
	next      mono.Time // time of the next announce
	settled   bool      // the last round ended with an answer: the wait may be cut short
	early     mono.Time // earliest time in that case, even for more peers
	completed bool      // we owe "completed"
	urged     bool      // the user wants the next announce
}

// due returns when the next request must be made.
func (w *walk) due(need bool) mono.Time {
	switch {
	case w.busy:
		return mono.Never
	case w.settled && need:
		return min(w.next, w.early)
	}
	return w.next
}

// pick returns the first tracker that was not tried in this round and may be asked. If there
// is none the round is over, and the next one begins when the first of them may be asked
// again.
func (w *walk) pick(now mono.Time) *entry {
	first := mono.Never
	for _, tier := range w.tiers {
		for _, e := range tier {
			if e.tried != w.round+1 && e.notBefore <= now {
				return e
			}
			first = min(first, e.notBefore)
		}
	}
	w.round++
	w.settled = false
	w.next = max(first, now)
	return nil
}

// request asks e.
func (w *walk) request(now mono.Time, e *entry, partial bool) Request {
	r := Request{URL: e.url, TrackerID: e.trackerID, NumWant: NumWant, Why: why.Periodic}
	switch {
	case !e.known:
		r.Event, r.Why = tracker.Started, why.FirstAnnounce
	case w.completed:
		r.Event, r.Why = tracker.Completed, why.Finished
	case w.settled && now < w.next:
		r.Why = why.NeedPeers
	}
	if r.Event == tracker.None && partial {
		r.Event = tracker.Paused
	}
	if e.fails > 0 {
		r.Why = why.Retried
	}
	if w.urged {
		r.Why, w.urged = why.UserAsked, false
	}
	e.busy, e.event, e.tried = true, r.Event, w.round+1
	w.busy = true
	return r
}

// answered ends the round and sets the times of the next.
func (w *walk) answered(now mono.Time, e *entry, r Result, rng *rand.Rand) {
	for _, tier := range w.tiers {
		promote(tier, e)
	}
	if r.Event == tracker.Completed {
		w.completed = false
	}
	w.round++
	w.settled = true
	least := max(r.MinInterval, MinInterval)
	interval := r.Interval
	if interval <= 0 {
		interval = DefaultInterval
	}
	interval = min(max(interval, least), tracker.MaxInterval)
	if r.MinInterval <= 0 {
		least = min(NeedInterval, interval)
	}
	w.next = now.Add(interval + jitter(rng, interval/jitterShare))
	w.early = now.Add(min(least, tracker.MaxInterval))
	if w.completed {
		w.next = now
	}
}

// complete makes "completed" due. An event does not wait for the interval (BEP 3), but it
// does wait for trackers that failed.
func (w *walk) complete(now mono.Time) {
	w.completed = true
	if w.settled {
		w.next = now
	}
}

// promote moves e to the front of its tier (BEP 12).
func promote(tier []*entry, e *entry) {
	for i, other := range tier {
		if other == e {
			copy(tier[1:i+1], tier[:i])
			tier[0] = e
			return
		}
	}
}

// backoff returns the wait after a number of failures in a row, 1 or more.
func backoff(fails int, rng *rand.Rand) time.Duration {
	wait := min(FirstRetry<<min(fails-1, 16), MaxRetry)
	return wait + jitter(rng, wait/4)
}

// jitter returns a random time up to most.
func jitter(rng *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(most) + 1))
}
