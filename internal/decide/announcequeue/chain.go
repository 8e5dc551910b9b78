package announcequeue

import (
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// chain links announces that run one after another (decision 0172).
type chain struct {
	before, behind *announce // before is nil once the announce may start
}

// Announce is the place of an announce among the others.
type Announce struct {
	Host     string // of its tracker, with the port
	Class    Class
	Worth    Worth
	After    ID   // the announce that it starts after, unless that one is unknown or has ended; 0: none
	Replaces bool // that one is refused if it still waits, and this one takes its position
}

// Put queues an announce.
func (q *Queue) Put(now mono.Time, id ID, p Announce) {
	var b *announce
	if p.After != 0 {
		b = q.announces[p.After]
	}
	if b != nil && p.Replaces && b.waits() {
		old := b
		b = old.before
		q.drop(now, old)
		q.settle(old.host)
		q.out = append(q.out, Decision{ID: old.id, Replaced: true})
	}
	if b == nil {
		q.add(now, &announce{id: id, class: p.Class, worth: p.Worth, host: q.host(p.Host)})
		return
	}
	if q.waiting >= MaxWaiting {
		q.out = append(q.out, Decision{ID: id, Why: why.TooMany})
		return
	}
	for b.behind != nil {
		b = b.behind
	}
	a := &announce{id: id, class: p.Class, worth: p.Worth, host: q.host(p.Host), chain: chain{before: b}}
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
