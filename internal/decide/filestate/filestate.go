// Package filestate decides what happens to a torrent when its files fail: what we may still do
// with them, and when the next try is due. It opens and writes nothing: file events go in,
// with their time, and acts come out, one at a time.
//
// The rules, in short:
//
//   - Pieces that can't be written stay in memory and are written again, at growing intervals,
//     while we serve everything that we have.
//   - Data that another program may have changed, or the system lost, is neither served nor
//     written before a check.
//   - When files are gone we wait for them, and create nothing in their place.
//
// The torrent loop owns a Machine; it is not safe for concurrent use. No BEP covers this
// (decision 0045).
package filestate

import (
	"time"

	"shoal/internal/value/mono"
)

// State is the state of a torrent's files.
type State uint8

// Values of State.
const (
	Opening State = iota // being opened, examined, and hashed where in doubt
	Ready
	Stalled // writes fail, or part of the data is unreadable
	Missing // they were there and are gone: most likely a volume that is not mounted
)

var stateNames = [...]string{"opening", "ready", "stalled", "missing"}

// String returns the state's name as golden scripts print it.
func (s State) String() string { return stateNames[s] }

// Mode is what we may do with the files.
type Mode uint8

// Values of Mode.
const (
	Out   Mode = iota // nothing
	Serve             // read what we have
	Run               // read and write
)

var modeNames = [...]string{"out", "serve", "run"}

// String returns the mode's name as golden scripts print it.
func (m Mode) String() string { return modeNames[m] }

// Act is what to do with the files. The Machine learns its outcome before it returns another
// one.
type Act uint8

// Values of Act.
const (
	Nothing Act = iota
	Open        // close the open files, open them again, and check what is in doubt; then call Settled
	Settle      // check again what is in doubt, with the open files; then call Settled
	Retry       // write again what could not be written; then call Retried
)

var actNames = [...]string{"nothing", "open", "settle", "retry"}

// String returns the act's name as golden scripts print it.
func (a Act) String() string { return actNames[a] }

// Outcome is how an Open or a Settle ended.
type Outcome uint8

// Values of Outcome.
const (
	Fine     Outcome = iota // everything that we have is readable, and the files take writes
	Partly                  // we can serve what we found; some of it was unreadable, or could not be claimed
	Unusable                // the files could not be opened
	NotThere                // the files were there, and are gone
)

// Times between tries. A user who has made room waits seconds, not minutes; a disk that fails
// for a day is tried once a minute.
const (
	firstTry = 5 * time.Second
	lastTry  = 60 * time.Second
	// lookEvery is the time between two looks for files that are gone: a look costs one
	// system call.
	lookEvery = 5 * time.Second
	// calm is how long all must be well before a failure counts as the first one again.
	calm = 60 * time.Second
)

// Machine decides for one torrent.
type Machine struct {
	state State
	mode  Mode

	acting Act  // act in progress
	trying bool // pieces are being written again, as Retried reported
	next   Act  // act that is due at at
	at     mono.Time
	asked  Act // act that Next returns

	wait   time.Duration // time before the next try; 0 before the first failure
	since  mono.Time     // time of the last failure
	opened mono.Time     // time of the last Open
	void   bool          // the act in progress is void: open again after it
}

// State returns the state.
func (m *Machine) State() State { return m.state }

// Mode returns what we may do with the files now.
func (m *Machine) Mode() Mode { return m.mode }

// Next returns what to do now, once.
func (m *Machine) Next() Act {
	a := m.asked
	m.asked = Nothing
	return a
}

// Deadline returns the time of the next Tick; mono.Never when nothing is due.
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

// act starts an act.
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

// later schedules an act, after a pause that grows with each failure.
func (m *Machine) later(now mono.Time, a Act) {
	if m.calm(now) {
		m.wait = firstTry
	} else {
		m.wait = min(2*m.wait, lastTry)
	}
	m.since = now
	m.next, m.at = a, now.Add(m.wait)
}

// Hurry starts the scheduled act now: the user says that the cause is fixed.
func (m *Machine) Hurry(now mono.Time) {
	if m.acting == Nothing && m.next != Nothing {
		m.act(now, m.next)
	}
}

// Reopen opens the files again because the user moves them to another place. It reports false
// while another act is in progress.
func (m *Machine) Reopen(now mono.Time) bool {
	if m.acting != Nothing || m.mode == Out {
		return false
	}
	m.act(now, Open)
	return true
}

// calm reports whether all was well for a while.
func (m *Machine) calm(now mono.Time) bool { return m.wait == 0 || now > m.since.Add(m.wait+calm) }

// Settled takes the outcome of an Open or a Settle.
func (m *Machine) Settled(now mono.Time, o Outcome) {
	m.acting, m.next = Nothing, Nothing
	if m.void {
		m.void = false
		m.Spoilt(now)
		return
	}
	switch o {
	case Fine:
		m.state, m.mode = Ready, Run
	case Partly:
		m.state, m.mode = Stalled, Serve
		m.later(now, Settle)
	case Unusable:
		m.state, m.mode = Stalled, Out
		m.later(now, Open)
	case NotThere:
		m.state, m.mode = Missing, Out
		m.next, m.at = Open, now.Add(lookEvery)
	}
}

// WriteFailed says that a write failed. The caller keeps the piece in memory if it can.
func (m *Machine) WriteFailed(now mono.Time) {
	switch {
	case m.mode == Out || m.acting == Open || m.acting == Settle:
		return // the act in progress checks it anyway
	case m.state == Stalled && m.acting == Nothing && !m.trying:
		return // a try is due already
	}
	m.acting, m.trying = Nothing, false
	m.state, m.mode = Stalled, Serve
	m.later(now, Retry)
}

// Written says that a write succeeded.
func (m *Machine) Written() {
	if m.state == Stalled && (m.next == Retry || m.acting == Retry) {
		m.acting, m.next, m.trying = Nothing, Nothing, false
		m.state, m.mode = Ready, Run
	}
}

// Retried takes how many pieces are being written again; Written and WriteFailed report how
// that goes. When there are none, the next write will show whether the files take it.
func (m *Machine) Retried(now mono.Time, pieces int) {
	switch {
	case m.acting != Retry:
	case pieces == 0:
		m.acting = Nothing
		m.state, m.mode = Ready, Run
	default:
		m.acting, m.trying = Nothing, true
		m.next, m.at = Retry, now.Add(lastTry) // in case neither is called
	}
}

// Spoilt says that the contents of the files are in doubt: they could not be read or synced,
// or another program changed them. They are opened again: at once, unless that was done just
// now for the same reason.
func (m *Machine) Spoilt(now mono.Time) {
	switch m.acting {
	case Open:
		return // the doubt is about the earlier open files
	case Settle:
		m.void = true
		m.mode = Out
		return
	case Nothing:
		if m.mode == Out && m.next == Open {
			return // the scheduled Open checks it
		}
	}
	m.acting, m.trying = Nothing, false
	m.state, m.mode = Opening, Out
	if m.calm(now) || now >= m.opened.Add(firstTry) {
		m.since, m.wait = now, firstTry/2
		m.act(now, Open)
		return
	}
	m.state = Stalled
	m.later(now, Open)
}
