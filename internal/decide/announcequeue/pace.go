package announcequeue

import (
	"time"

	"shoal/internal/value/mono"
)

// Bounds on the pace of a tracker.
const (
	// MostOfHost is how many announces of one class run with a tracker that answers quickly.
	MostOfHost = 64

	// quickAnswer is how long a quick answer takes at most. The way around the world and the
	// work of a tracker fit into it.
	quickAnswer = 300 * time.Millisecond
	// slowAnswer is how much more than twice the quickest answer a tracker may take before it
	// counts as slowed down.
	slowAnswer = 50 * time.Millisecond

	// firstRow is how many quick answers in a row double the pace at first, mostRow how many
	// after many failures.
	firstRow = 4 * SlotsOfHost
	mostRow  = 1024

	// staleAfter is how long a tracker must have been left alone for its pace to be forgotten.
	staleAfter = time.Minute
)

// How says how an announce ended.
type How uint8

// Values of How.
const (
	Good    How = iota // the tracker did what was asked
	Refused            // it said no to this torrent
	Failed             // it broke the connection, or sent an error
	Busy               // it asked for fewer announces: HTTP status 429 or 503
	Silent             // no answer at all came back in time
	GivenUp            // we ended it, so it says nothing about the tracker
)

// Answer is how an announce ended.
type Answer struct {
	How  How
	Took time.Duration // from the request to the reply; 0 if unknown
}

// pace decides how many announces of one class run at the same time with one tracker. It
// starts at SlotsOfHost and doubles after a row of answers of which most were quick. It halves
// when most were slow, and goes back when the tracker fails. One cut in a round suffices:
// announces that began before it tell nothing about the pace after it.
type pace struct {
	half  int           // how often SlotsOfHost is doubled; below 0: halved
	best  time.Duration // quickest answer; 0: none yet
	row   int           // good answers in a row, since the pace changed
	late  int           // of those, the ones that were not quick
	slow  int           // of those, the ones that were slow
	need  int           // good answers in a row that double the pace, at least; 0: firstRow
	since mono.Time     // time of the last cut
	last  mono.Time     // time of the last answer
}

// most returns how many announces of one class may run.
func (p *pace) most() int {
	if p.half < 0 {
		return max(SlotsOfHost>>-p.half, 1)
	}
	return min(SlotsOfHost<<p.half, MostOfHost)
}

// answered takes the answer to an announce that began at some time.
func (p *pace) answered(now, began mono.Time, a Answer) {
	if a.How == GivenUp {
		return
	}
	p.last = now
	if a.How == Good && a.Took > 0 && (p.best == 0 || a.Took < p.best) {
		p.best = a.Took
	}
	switch {
	case a.How == Busy:
		p.cut(now, began, max(min(p.half, 1)-1, -2), true)
	case a.How == Failed, a.How == Silent:
		p.cut(now, began, 0, true)
	case a.How == Refused:
		p.cut(now, began, max(p.half-1, 0), false)
	case a.Took == 0: // it tells nothing
	case began < p.since: // nor does this
	default:
		p.good(now, began, a.Took)
	}
}

// good takes a good answer. Single late ones happen: the row counts.
func (p *pace) good(now, began mono.Time, took time.Duration) {
	p.row++
	if took > 2*p.best+slowAnswer {
		p.slow++
	}
	if p.half >= 0 && took > min(quickAnswer, 2*p.best+slowAnswer) { // from below it rises at any speed
		p.late++
	}
	need := max(p.need, firstRow, p.most())
	if p.half < 0 {
		need = firstRow
	}
	switch {
	case 2*p.slow > max(firstRow, p.most()):
		p.cut(now, began, max(p.half-1, min(p.half, 0)), false)
	case p.row < need:
	case 4*p.late > p.row || p.most() >= MostOfHost:
		p.row, p.late, p.slow = 0, 0, 0
	default:
		p.half++
		p.row, p.late, p.slow = 0, 0, 0
	}
}

// cut lowers the pace to a number of doublings, unless the announce began before the last cut. After
// a fault it makes the pace rise later each time.
func (p *pace) cut(now, began mono.Time, to int, fault bool) {
	p.row, p.late, p.slow = 0, 0, 0
	if began < p.since || to >= p.half {
		return
	}
	p.half, p.since = to, now
	if fault {
		p.need = min(2*max(p.need, firstRow), mostRow)
	}
}

// refresh forgets the pace of a tracker that was left alone for long.
func (p *pace) refresh(now mono.Time) {
	if p.last > 0 && now.Sub(p.last) > staleAfter {
		*p = pace{}
	}
}
