// Package upkeep decides what becomes of a torrent when its files fail it: what
// may still be done with them, and when the next try is due. It opens and writes
// nothing: what happened to the files goes in, with its time, and what to do with
// them comes out, one act at a time.
//
// The rules, in short. What can't be written is kept and written again, later and
// later, while everything that is had is served. What may have been changed by
// somebody else, or lost by the system, is neither served nor written before it
// was looked at. What is not there is waited for, and nothing is made in its place.
//
// A Machine is owned by the torrent loop and not safe for concurrent use. It is no
// matter of any BEP.
// Decision 0045 says why.
package upkeep

import (
	"time"

	"shoal/internal/value/mono"
)

// State is how the files of a torrent are.
type State uint8

// The states.
const (
	Opening State = iota // being opened, looked at, and hashed where there is doubt
	Ready
	Held    // they take nothing, or can't be read in part
	Missing // they were there and are not: a volume that is not mounted, most likely
)

var stateNames = [...]string{"opening", "ready", "held", "missing"}

// String gives the state's name as golden scripts print it.
func (s State) String() string { return stateNames[s] }

// Mode is what may be done with the files.
type Mode uint8

// The modes.
const (
	Out   Mode = iota // nothing
	Serve             // read what is had
	Run               // read and write
)

var modeNames = [...]string{"out", "serve", "run"}

// String gives the mode's name as golden scripts print it.
func (m Mode) String() string { return modeNames[m] }

// Act is what is to be done with the files. Its outcome is told before another
// one comes.
type Act uint8

// The acts.
const (
	Nothing Act = iota
	Open        // close what is open, open it anew, look at it and check what is in doubt; then Settled
	Settle      // look again and check what is in doubt, with what is open; then Settled
	Retry       // write again what could not be written; then Retried
)

var actNames = [...]string{"nothing", "open", "settle", "retry"}

// String gives the act's name as golden scripts print it.
func (a Act) String() string { return actNames[a] }

// Outcome is how an Open or a Settle ended.
type Outcome uint8

// The outcomes.
const (
	Fine     Outcome = iota // everything that is had can be read, and the files take writes
	Partly                  // what was found can be served; some could not be read, or not be claimed
	Unusable                // they could not be opened
	NotThere                // they were there, and are not
)

// The times between tries. A person who has made room waits seconds, not minutes;
// a disk that fails for a day is tried once a minute.
const (
	firstTry = 5 * time.Second
	lastTry  = 60 * time.Second
	// lookEvery is between two looks for files that are not there: a look costs one
	// system call.
	lookEvery = 5 * time.Second
	// calm is how long all must be well until a failure counts as the first again.
	calm = 60 * time.Second
)

// Machine is the machine of one torrent.
type Machine struct {
	state State
	mode  Mode

	acting Act  // under way
	trying bool // pieces are being written again, as Retried told
	next   Act  // due at at
	at     mono.Time
	asked  Act // to be given out by Next

	wait   time.Duration // before the next try; 0 before the first failure
	since  mono.Time     // of the last failure
	opened mono.Time     // when the last Open was given out
	spoilt bool          // while an act is under way that it makes void: open again after it
}

// State gives the state.
func (m *Machine) State() State { return m.state }

// Mode gives what may be done with the files now.
func (m *Machine) Mode() Mode { return m.mode }

// Next gives what is to be done now, once.
func (m *Machine) Next() Act {
	a := m.asked
	m.asked = Nothing
	return a
}

// Deadline is when Tick is wanted; mono.Never when nothing is due.
func (m *Machine) Deadline() mono.Time {
	if m.next == Nothing || m.acting != Nothing {
		return mono.Never
	}
	return m.at
}

// Start opens the files for the first time.
func (m *Machine) Start(now mono.Time) { m.act(now, Open) }

// Tick does what is due.
func (m *Machine) Tick(now mono.Time) {
	if m.acting == Nothing && m.next != Nothing && now >= m.at {
		m.act(now, m.next)
	}
}

// act gives out an act.
func (m *Machine) act(now mono.Time, a Act) {
	m.acting, m.asked, m.next, m.trying = a, a, Nothing, false
	if a == Open {
		m.opened = now
		m.mode = Out
		if m.state != Missing {
			m.state = Opening
		}
	}
}

// later has an act follow when its time has come, which is later with each failure.
func (m *Machine) later(now mono.Time, a Act) {
	if m.calm(now) {
		m.wait = firstTry
	} else {
		m.wait = min(2*m.wait, lastTry)
	}
	m.since = now
	m.next, m.at = a, now.Add(m.wait)
}

// Hurry has what is due later done now: somebody says that things have changed.
func (m *Machine) Hurry(now mono.Time) {
	if m.acting == Nothing && m.next != Nothing {
		m.act(now, m.next)
	}
}

// Reopen has the files opened anew because somebody wants it so: they are to be in another
// place. It reports false while something else is done with them.
func (m *Machine) Reopen(now mono.Time) bool {
	if m.acting != Nothing || m.mode == Out {
		return false
	}
	m.act(now, Open)
	return true
}

// calm reports whether all was well for a while.
func (m *Machine) calm(now mono.Time) bool { return m.wait == 0 || now > m.since.Add(m.wait+calm) }

// Settled tells how an Open or a Settle ended.
func (m *Machine) Settled(now mono.Time, o Outcome) {
	m.acting, m.next = Nothing, Nothing
	if m.spoilt {
		m.spoilt = false
		m.Spoilt(now)
		return
	}
	switch o {
	case Fine:
		m.state, m.mode = Ready, Run
	case Partly:
		m.state, m.mode = Held, Serve
		m.later(now, Settle)
	case Unusable:
		m.state, m.mode = Held, Out
		m.later(now, Open)
	case NotThere:
		m.state, m.mode = Missing, Out
		m.next, m.at = Open, now.Add(lookEvery)
	}
}

// Unwritten says that a write failed. What it wrote is kept, if it could be.
func (m *Machine) Unwritten(now mono.Time) {
	switch {
	case m.mode == Out || m.acting == Open || m.acting == Settle:
		return // it is looked at anyway
	case m.state == Held && m.acting == Nothing && !m.trying:
		return // a try is due already
	}
	m.acting, m.trying = Nothing, false
	m.state, m.mode = Held, Serve
	m.later(now, Retry)
}

// Written says that a write went well.
func (m *Machine) Written() {
	if m.state == Held && (m.next == Retry || m.acting == Retry) {
		m.acting, m.next, m.trying = Nothing, Nothing, false
		m.state, m.mode = Ready, Run
	}
}

// Retried tells how many pieces are being written again: how that goes, Written and
// Unwritten tell. When there are none, the next write will tell whether the files
// take it.
func (m *Machine) Retried(now mono.Time, pieces int) {
	switch {
	case m.acting != Retry:
	case pieces == 0:
		m.acting = Nothing
		m.state, m.mode = Ready, Run
	default:
		m.acting, m.trying = Nothing, true
		m.next, m.at = Retry, now.Add(lastTry) // should nobody tell
	}
}

// Spoilt says that what the files hold is in doubt: they could not be read or
// synced, or somebody else has changed them. They are opened anew: at once, unless
// that was done a moment ago for the same reason.
func (m *Machine) Spoilt(now mono.Time) {
	switch m.acting {
	case Open:
		return // of what was open before
	case Settle:
		m.spoilt = true
		m.mode = Out
		return
	case Nothing:
		if m.mode == Out && m.next == Open {
			return // it is looked at when its time has come
		}
	}
	m.acting, m.trying = Nothing, false
	m.state, m.mode = Opening, Out
	if m.calm(now) || now >= m.opened.Add(firstTry) {
		m.since, m.wait = now, firstTry/2
		m.act(now, Open)
		return
	}
	m.state = Held
	m.later(now, Open)
}
