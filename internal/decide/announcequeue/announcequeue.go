// Package announcequeue decides which announces of an engine run at the same time, and which wait.
// Thousands of torrents announce to a few trackers. A torrent that a user has just added must
// not wait for them, and dead trackers must not hold up live ones.
//
// A Queue is a pure machine, and not safe for concurrent use. Add queues an announce, Take
// returns what to do about the queued ones, and Done says how one ended.
//
// # Slots
//
// Announces have four classes. Each class has slots of its own, in the engine and with each
// tracker: no class ever waits for another. Within a class trackers take turns, and announces
// to one tracker go in order of arrival.
//
// # The order to one tracker
//
// A tracker that receives two announces at the same time may handle them in either order, and
// "stopped" before "completed" would leave us on its list. So the announces of a torrent to a
// tracker go in order: Put adds one that waits until another has ended. A farewell
// replaces an announce that still waits, because that one is out of date.
//
// # The pace of a tracker
//
// A tracker that answers quickly gets more announces at the same time: twice as many after
// each row of quick answers, from a pool of extra slots. It gets fewer again when it slows
// down, refuses or fails, and the fewest when it asks for that (decision 0214).
//
// # Trackers that are away
//
// An announce that is never answered holds its slot the longest. So a tracker that has not
// answered yet, or not the last time, has one slot of each class, and all such trackers
// together have half of the slots.
//
// When several announces in a row had no answer from a tracker, the queue refuses the next
// ones without sending them, for a minute, and for twice as long after each further failed
// try. The torrent goes on to another tracker at once. A new torrent tries all the same, one
// at a time (decision 0081).
package announcequeue

import (
	"container/list"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Class is why a torrent announces.
type Class uint8

// Values of Class, by how soon a user notices the wait.
const (
	New      Class = iota // the first announce of a torrent that wants peers
	Active                // a torrent that wants more peers
	Farewell              // "stopped" and "completed": soon, or it is too late
	Idle                  // everything else: seeds, and torrents with enough peers
	classes
)

// String returns the class as a word.
func (c Class) String() string { return [...]string{"new", "active", "farewell", "idle"}[c&3] }

// Bounds on running and waiting announces.
const (
	// SlotsOfHost is how many announces of one class run with one tracker, unless its pace
	// differs. A tracker that takes a second hears from ten thousand torrents in 42 minutes.
	SlotsOfHost = 4

	// extras is how many announces run, beyond SlotsOfHost, with trackers that answer
	// quickly. All classes share them: each has its own slots besides.
	extras = MostOfHost - SlotsOfHost

	// MaxWaiting bounds the waiting announces. A torrent waits for one tracker of each of its
	// tiers, so thousands of torrents stay below this.
	MaxWaiting = 100_000

	// maxHosts bounds the idle trackers of which we remember whether they answered.
	maxHosts = 2000

	// Silences is how many announces in a row a tracker must leave unanswered to count as
	// away.
	Silences = 2
	// FirstAway is how long it then counts as away; the time doubles with each failed try, up
	// to LongestAway.
	FirstAway   = time.Minute
	LongestAway = 15 * time.Minute
)

// slots is how many announces of each class run in all, without extras: 64 together, each with
// a socket of its own over HTTP. Idle ones are by far the most numerous and the least urgent.
var slots = [classes]int{New: 20, Active: 16, Farewell: 12, Idle: 16}

// ID names an announce. The caller chooses it, above 0, and uses it once.
type ID uint64

// Decision is what to do with an announce.
type Decision struct {
	ID       ID
	Start    bool          // send the announce now; else it is refused
	More     bool          // of one to send: others wait for the same tracker
	Replaced bool          // refused because Put replaced it; Why says nothing
	Wait     time.Duration // of one refused because its tracker is away: how long that lasts
	Why      why.Why
}

// Queue holds the waiting and the running announces.
type Queue struct {
	announces map[ID]*announce
	hosts     map[string]*host
	turns     [classes]struct{ proven, others, quick list.List } // *host values that may have a slot, in turn
	running   [classes]struct{ all, others int }                 // without extras
	extras    int                                                // extra slots in use
	waiting   int
	out       []Decision
}

// announce is one announce.
type announce struct {
	id     ID
	class  Class
	host   *host
	inLine *list.Element // position among those that wait for a slot; nil when it is not one of them
	chain
	began mono.Time // time when it started
	worth Worth
	other bool // its tracker was not proven when it started
	extra bool // it has an extra slot
	tries bool // its tracker was away when it started
}

// host is one tracker. We forget it when nothing is known of it any more.
type host struct {
	name    string
	waiting [classes]lane
	turn    [classes]turn
	running [classes]int // with extras
	extras  [classes]int
	pace    pace

	proven bool          // it answered the last time
	silent int           // announces in a row without an answer
	away   time.Duration // latest wait; 0: not away
	until  mono.Time     // no announce before this time, except New
}

// turn is the position of a host in a line; nil line: none
type turn struct {
	line   *list.List
	inLine *list.Element
}

// Add queues an announce of a class to a tracker, named by its host and port.
func (q *Queue) Add(now mono.Time, id ID, name string, class Class) {
	q.Put(now, id, Announce{Host: name, Class: class})
}

// add makes an announce wait that comes after no other.
func (q *Queue) add(now mono.Time, a *announce) {
	h := a.host
	switch {
	case q.waiting >= MaxWaiting:
		q.out = append(q.out, Decision{ID: a.id, Why: why.TooMany})
		q.settle(h)
		return
	case h.refuses(now, a.class):
		q.out = append(q.out, Decision{ID: a.id, Wait: max(h.until.Sub(now), 0), Why: why.SilentTracker})
		return
	}
	q.announces[a.id] = a
	q.waiting++
	q.enter(a)
}

// host returns the tracker with a name, and creates it when necessary.
func (q *Queue) host(name string) *host {
	h := q.hosts[name]
	if h == nil {
		if q.hosts == nil {
			q.hosts, q.announces = make(map[string]*host), make(map[ID]*announce)
		}
		h = &host{name: name}
		q.hosts[name] = h
	}
	return h
}

// enter makes an announce wait for a slot.
func (q *Queue) enter(a *announce) {
	a.inLine = a.host.waiting[a.class].by[a.worth].PushBack(a)
	q.settle(a.host)
}

// waits reports whether an announce has not started yet.
func (a *announce) waits() bool { return a.inLine != nil || a.before != nil }

// refuses reports whether this class must not try a tracker that is away.
func (h *host) refuses(now mono.Time, class Class) bool {
	return h.away > 0 && (h.busy() || now < h.until && class != New)
}

func (h *host) busy() bool { return h.running != [classes]int{} }

// Remove withdraws an announce that still waits, and reports whether it did.
func (q *Queue) Remove(now mono.Time, id ID) bool {
	a := q.announces[id]
	if a == nil || !a.waits() {
		return false
	}
	q.drop(now, a)
	q.settle(a.host)
	return true
}

// drop removes an announce from the waiting ones.
func (q *Queue) drop(now mono.Time, a *announce) {
	if a.inLine != nil {
		a.host.waiting[a.class].by[a.worth].Remove(a.inLine)
		a.inLine = nil
	}
	delete(q.announces, a.id)
	q.waiting--
	q.ended(now, a)
}

// Done says that a running announce has ended, and how.
func (q *Queue) Done(now mono.Time, id ID, how Answer) {
	a := q.announces[id]
	if a == nil || a.waits() {
		return
	}
	h := a.host
	silent := how.How == Silent
	delete(q.announces, id)
	if a.extra {
		q.extras--
		h.extras[a.class]--
	} else {
		q.running[a.class].all--
	}
	if a.other {
		q.running[a.class].others--
	}
	h.running[a.class]--
	if how.How != GivenUp {
		h.proven = !silent
	}
	h.pace.answered(now, a.began, how)
	switch {
	case how.How == GivenUp:
	case !silent:
		h.silent, h.away, h.until = 0, 0, 0
	case h.away > 0 && !a.tries: // it started before; we already know that the tracker is away
	default:
		if h.silent++; h.silent >= Silences {
			h.away = min(max(2*h.away, FirstAway), LongestAway)
			h.until = now.Add(h.away)
			q.refuse(now, h)
		}
	}
	q.ended(now, a)
	q.settle(h)
}

// refuse refuses all announces that wait for a host.
func (q *Queue) refuse(now mono.Time, h *host) {
	for c := range classes {
		for a := h.waiting[c].first(); a != nil; a = h.waiting[c].first() {
			q.drop(now, a)
			q.out = append(q.out, Decision{ID: a.id, Wait: max(h.until.Sub(now), 0), Why: why.SilentTracker})
		}
	}
}

// settle puts a host into the lines for the slots that it can use, and forgets it when it is
// idle and there are many others.
func (q *Queue) settle(h *host) {
	idle := !h.busy()
	for c := range classes {
		limit, line := h.pace.most(), &q.turns[c].proven
		switch {
		case !h.proven:
			limit, line = 1, &q.turns[c].others
		case h.running[c]-h.extras[c] >= SlotsOfHost:
			line = &q.turns[c].quick
		}
		waits := h.waiting[c].first() != nil
		if !waits || h.running[c] >= limit || h.away > 0 && h.busy() {
			line = nil
		}
		idle = idle && !waits
		if t := &h.turn[c]; t.line != line {
			if t.line != nil {
				t.line.Remove(t.inLine)
			}
			if t.line = line; line != nil {
				t.inLine = line.PushBack(h)
			}
		}
	}
	if idle && len(q.hosts) > maxHosts {
		delete(q.hosts, h.name)
	}
}

// Take returns the decisions since the last call. The slice is valid until the next call of
// any method.
func (q *Queue) Take(now mono.Time) []Decision {
	for c := range classes {
		r := &q.running[c]
		for r.all < slots[c] && q.turns[c].proven.Len() > 0 {
			r.all++
			q.start(now, q.turns[c].proven.Front().Value.(*host), c, false)
		}
		for r.all < slots[c] && r.others < slots[c]/2 && q.turns[c].others.Len() > 0 {
			r.all++
			r.others++
			q.start(now, q.turns[c].others.Front().Value.(*host), c, false)
		}
	}
	for c := range classes {
		for q.extras < extras && q.turns[c].quick.Len() > 0 {
			q.extras++
			q.start(now, q.turns[c].quick.Front().Value.(*host), c, true)
		}
	}
	out := q.out
	q.out = q.out[:0]
	return out
}

// start starts the next announce of a host, in a slot that is counted already.
func (q *Queue) start(now mono.Time, h *host, c Class, extra bool) {
	a := h.waiting[c].first()
	h.waiting[c].by[a.worth].Remove(a.inLine)
	a.inLine = nil
	q.waiting--
	if !h.busy() {
		h.pace.refresh(now)
	}
	h.running[c]++
	if extra {
		h.extras[c]++
	}
	a.began, a.other, a.extra, a.tries = now, !h.proven, extra, h.away > 0
	q.out = append(q.out, Decision{ID: a.id, Start: true, More: h.waiting[c].first() != nil, Why: why.ItsTurn})
	if h.away > 0 {
		q.refuse(now, h) // one try is enough
	}
	// The host goes to the end of the line.
	h.turn[c].line.Remove(h.turn[c].inLine)
	h.turn[c] = turn{}
	q.settle(h)
}

// Waiting returns how many announces wait.
func (q *Queue) Waiting() int { return q.waiting }

// Running returns how many announces are running.
func (q *Queue) Running() int {
	n := q.extras
	for _, r := range q.running {
		n += r.all
	}
	return n
}
