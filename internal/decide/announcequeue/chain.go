package announcequeue

import (
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// chain links announces that run one after another (decision 0172).
type chain struct {
	before, behind *announce // before is nil once the announce may start
}

// AddAfter is Add for an announce that starts after another one, unless that one is unknown
// or has ended. With replaces the other one is refused if it still waits, and the new one
// takes its position in the order.
func (q *Queue) AddAfter(now mono.Time, id ID, name string, class Class, before ID, replaces bool) {
	b := q.announces[before]
	if b != nil && replaces && b.waits() {
		old := b
		b = old.before
		q.drop(now, old)
		q.settle(old.host)
		q.out = append(q.out, Decision{ID: old.id, Replaced: true})
	}
	if b == nil {
		q.Add(now, id, name, class)
		return
	}
	if q.waiting >= MaxWaiting {
		q.out = append(q.out, Decision{ID: id, Why: why.TooMany})
		return
	}
	for b.behind != nil {
		b = b.behind
	}
	a := &announce{id: id, class: class, host: q.host(name), chain: chain{before: b}}
	b.behind = a
	q.announces[id] = a
	q.waiting++
}

// ended lets the next announce of a chain wait for a slot, or for the one before.
func (q *Queue) ended(now mono.Time, a *announce) {
	next, before := a.behind, a.before
	a.chain = chain{}
	if before != nil {
		before.behind = next
	}
	if next == nil {
		return
	}
	next.before = before
	if before != nil {
		return
	}
	next.host = q.host(next.host.name) // we may have forgotten it
	if next.host.refuses(now, next.class) {
		q.out = append(q.out, Decision{ID: next.id, Wait: max(next.host.until.Sub(now), 0), Why: why.SilentTracker})
		q.drop(now, next)
		return
	}
	q.enter(next)
}
