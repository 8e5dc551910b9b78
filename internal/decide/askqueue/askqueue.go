// Package askqueue decides which announces of an engine are made at the same time, and
// which wait. Thousands of torrents have something to say to a few trackers; a torrent
// that somebody has just added must not wait for them, and trackers that are gone must
// not hold up those that are there.
//
// A Queue is a pure machine, and not safe for concurrent use. Add brings what is to be
// asked, Take returns what is to be done about it, Done says how it ended.
//
// # Places
//
// Announces are of four classes, and each has places of its own, in the engine and with
// each tracker: no class ever waits for another one. Within a class trackers take turns,
// and what is for one tracker goes in the order it came.
//
// # What is said to one tracker
//
// A tracker that hears two things at the same time may take them in either order, and
// "stopped" before "completed" would leave us on its list. So what a torrent says to a tracker
// goes in order: AddAfter brings what waits until another announce has ended. A farewell takes
// the place of what still waits, since that would be news of yesterday.
//
// # Trackers that are away
//
// What waits for an answer that never comes holds its place the longest. So a tracker that
// has not answered yet, or not the last time, has one place of each class, and all such
// trackers together have half of the places.
//
// When several announces in a row had no answer at all from a tracker, the next ones are
// refused without being made, for a minute, and for twice as long after each try that
// failed too. Whoever is refused goes on to another tracker at once. A new torrent tries
// all the same, one at a time.
// Decision 0081 says why.
package askqueue

import (
	"container/list"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Class is why somebody asks.
type Class uint8

// The classes, by how soon somebody feels the wait.
const (
	New      Class = iota // the first announce of a torrent that wants peers
	Active                // a torrent that wants more peers
	Farewell              // "stopped" and "completed": soon, or it is too late
	Idle                  // everything else: seeds, and torrents that have peers enough
	classes
)

// String gives the class in a word.
func (c Class) String() string { return [...]string{"new", "active", "farewell", "idle"}[c&3] }

// Bounds of what is under way, and of what waits.
const (
	// PlacesOfHost is how many announces of one class one tracker has at once. A tracker
	// that answers within 0.3 s hears of ten thousand torrents in thirteen minutes.
	PlacesOfHost = 4

	// MaxWaiting bounds what waits. A torrent waits for one tracker of each of its
	// tiers, so this is more than torrents in their thousands come to.
	MaxWaiting = 100_000

	// maxHosts bounds the trackers that nothing waits for, and of which is kept whether
	// they answered.
	maxHosts = 2000

	// Silences is how many announces in a row must have had no answer before a tracker
	// counts as away.
	Silences = 2
	// FirstAway is for how long it does then; it doubles with each failed try, up to
	// LongestAway.
	FirstAway   = time.Minute
	LongestAway = 15 * time.Minute
)

// places is how many announces of each class are under way in all: 64 together, each
// with a socket of its own over HTTP. Those of the last class are the most, by far, and
// the least urgent.
var places = [classes]int{New: 20, Active: 16, Farewell: 12, Idle: 16}

// ID names what was added. The caller chooses it, and does not use it twice.
type ID uint64

// A Decision is what becomes of what was added.
type Decision struct {
	ID       ID
	Start    bool          // make the announce now; else it is refused
	Replaced bool          // refused because AddAfter has put another one in its place; Why says nothing
	Wait     time.Duration // of one that is refused because its tracker is away: the time until it is tried
	Why      why.Why
}

// Queue is what waits and what is under way.
type Queue struct {
	asks    map[ID]*ask
	hosts   map[string]*host
	turns   [classes]struct{ proven, others list.List } // of *host that may have a place, in turn
	running [classes]struct{ all, others int }
	waiting int
	out     []Decision
}

// An ask is one announce.
type ask struct {
	id    ID
	class Class
	host  *host
	place *list.Element // among those that wait for a place; nil when it is not one of them
	chain
	other bool // its tracker was not proven when it began
	tries bool // it was away then
}

// A host is one tracker. It is forgotten when nothing is known of it any more.
type host struct {
	name    string
	waiting [classes]list.List // of *ask
	turn    [classes]turn
	running [classes]int

	proven bool          // it answered the last time
	silent int           // announces in a row without an answer
	away   time.Duration // the last wait; 0 when it is not away
	until  mono.Time     // nothing but New before
}

// A turn is where a host stands in line; in none when its place is nil.
type turn struct {
	line  *list.List
	place *list.Element
}

// Add brings an announce to a tracker, named by its host and port.
func (q *Queue) Add(now mono.Time, id ID, name string, class Class) {
	h := q.host(name)
	switch {
	case q.waiting >= MaxWaiting:
		q.out = append(q.out, Decision{ID: id, Why: why.TooMany})
		q.settle(h)
		return
	case h.refuses(now, class):
		q.out = append(q.out, Decision{ID: id, Wait: max(h.until.Sub(now), 0), Why: why.SilentTracker})
		return
	}
	a := &ask{id: id, class: class, host: h}
	q.asks[id] = a
	q.waiting++
	q.enter(a)
}

// host returns the tracker of a name.
func (q *Queue) host(name string) *host {
	h := q.hosts[name]
	if h == nil {
		if q.hosts == nil {
			q.hosts, q.asks = make(map[string]*host), make(map[ID]*ask)
		}
		h = &host{name: name}
		q.hosts[name] = h
	}
	return h
}

// enter makes an ask wait for a place.
func (q *Queue) enter(a *ask) {
	a.place = a.host.waiting[a.class].PushBack(a)
	q.settle(a.host)
}

// waits reports whether an ask is not under way yet.
func (a *ask) waits() bool { return a.place != nil || a.before != nil }

// refuses reports whether a tracker that is away is not to be tried by this.
func (h *host) refuses(now mono.Time, class Class) bool {
	return h.away > 0 && (h.busy() || now < h.until && class != New)
}

func (h *host) busy() bool { return h.running != [classes]int{} }

// Remove takes back what still waits, and reports whether it did.
func (q *Queue) Remove(now mono.Time, id ID) bool {
	a := q.asks[id]
	if a == nil || !a.waits() {
		return false
	}
	q.drop(now, a)
	q.settle(a.host)
	return true
}

// drop takes an ask out of those that wait.
func (q *Queue) drop(now mono.Time, a *ask) {
	if a.place != nil {
		a.host.waiting[a.class].Remove(a.place)
		a.place = nil
	}
	delete(q.asks, a.id)
	q.waiting--
	q.ended(now, a)
}

// Done says that an announce under way has ended; silent, that nothing at all came back
// in the time it had.
func (q *Queue) Done(now mono.Time, id ID, silent bool) {
	a := q.asks[id]
	if a == nil || a.waits() {
		return
	}
	h := a.host
	delete(q.asks, id)
	q.running[a.class].all--
	if a.other {
		q.running[a.class].others--
	}
	h.running[a.class]--
	h.proven = !silent
	switch {
	case !silent:
		h.silent, h.away, h.until = 0, 0, 0
	case h.away > 0 && !a.tries: // it began before: that the tracker is away is known
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

// refuse sends away all that wait for a host.
func (q *Queue) refuse(now mono.Time, h *host) {
	for c := range classes {
		for e := h.waiting[c].Front(); e != nil; e = h.waiting[c].Front() {
			a := e.Value.(*ask)
			q.drop(now, a)
			q.out = append(q.out, Decision{ID: a.id, Wait: max(h.until.Sub(now), 0), Why: why.SilentTracker})
		}
	}
}

// settle has a host stand in line for the places it could use, and forgets it when there
// are many others.
func (q *Queue) settle(h *host) {
	idle := !h.busy()
	for c := range classes {
		limit, line := PlacesOfHost, &q.turns[c].proven
		if !h.proven {
			limit, line = 1, &q.turns[c].others
		}
		if h.waiting[c].Len() == 0 || h.running[c] >= limit || h.away > 0 && h.busy() {
			line = nil
		}
		idle = idle && h.waiting[c].Len() == 0
		if t := &h.turn[c]; t.line != line {
			if t.line != nil {
				t.line.Remove(t.place)
			}
			if t.line = line; line != nil {
				t.place = line.PushBack(h)
			}
		}
	}
	if idle && len(q.hosts) > maxHosts {
		delete(q.hosts, h.name)
	}
}

// Take returns what is to be done since the last call. The slice is valid until the next
// call of any method.
func (q *Queue) Take(now mono.Time) []Decision {
	for c := range classes {
		r := &q.running[c]
		for r.all < places[c] && q.turns[c].proven.Len() > 0 {
			q.start(now, q.turns[c].proven.Front().Value.(*host), c)
		}
		for r.all < places[c] && r.others < places[c]/2 && q.turns[c].others.Len() > 0 {
			r.others++
			q.start(now, q.turns[c].others.Front().Value.(*host), c)
		}
	}
	out := q.out
	q.out = q.out[:0]
	return out
}

// start lets the next ask of a host have its place.
func (q *Queue) start(now mono.Time, h *host, c Class) {
	a := h.waiting[c].Front().Value.(*ask)
	h.waiting[c].Remove(a.place)
	a.place = nil
	q.waiting--
	q.running[c].all++
	h.running[c]++
	a.other, a.tries = !h.proven, h.away > 0
	q.out = append(q.out, Decision{ID: a.id, Start: true, Why: why.ItsTurn})
	if h.away > 0 {
		q.refuse(now, h) // it is being tried: one is enough
	}
	// To the end of the line.
	h.turn[c].line.Remove(h.turn[c].place)
	h.turn[c] = turn{}
	q.settle(h)
}

// Waiting is how many wait, and Running how many are under way.
func (q *Queue) Waiting() int { return q.waiting }

// Running is how many announces are under way.
func (q *Queue) Running() int {
	n := 0
	for _, r := range q.running {
		n += r.all
	}
	return n
}
