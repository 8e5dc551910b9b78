package announce

import (
	"math/rand/v2"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/value/mono"
)

// State says how a tracker is doing.
type State uint8

// The states of a tracker.
const (
	Waiting     State = iota // not asked yet
	Asking                   // a request is under way
	Working                  // it answered the last request
	Failing                  // the last request failed; it is asked again later
	GivenUp                  // it said never to come back (BEP 31)
	Unsupported              // its kind of tracker is not spoken here; it is never asked
)

// String gives the state in a word or two.
func (s State) String() string {
	return [...]string{"waiting", "asking", "working", "failing", "given up", "unsupported", "", ""}[s&7]
}

// TrackerStatus is a tracker as users see it.
type TrackerStatus struct {
	URL               string // with its passkey, if it has one
	State             State
	Next              mono.Time // when it may be asked next; mono.Never when that is unknown
	Fails             int       // failures in a row
	Err               string    // of the last request if it failed; empty otherwise
	Warning           string    // of the last answer, for people; empty when it had none
	Seeders, Leechers int64     // -1 when not known
	Peers             int       // how many came with the last answer

	// Telling says that "completed" is under way; Owed, that the tracker refused it, mostly
	// since it came too soon, and is told again at Next.
	Telling, Owed bool
}

// Status gives every tracker in the order of the torrent.
func (m *Machine) Status() []TrackerStatus {
	all := make([]TrackerStatus, len(m.trackers))
	for i, e := range m.trackers {
		s := e.status
		s.URL, s.State, s.Fails, s.Next = e.url, e.state, e.fails, mono.Never
		if e.asking {
			s.State = Asking
		}
		s.Telling = e.asking && e.event == tracker.Completed
		s.Owed = m.running && e.refused && !e.asking && e.state != GivenUp
		if w := m.asksNext(e); w != nil {
			s.Next = max(w.due(m.need), e.notBefore)
		}
		all[i] = s
	}
	return all
}

// asksNext gives the walk that will ask e in its next round unless another tracker
// answers first; nil when there is none or a request is under way.
func (m *Machine) asksNext(e *entry) *walk {
	if !m.running || e.state == Unsupported || e.state == GivenUp {
		return nil
	}
	if e.walk.asking || e.state != Failing && e.walk.tiers[0][0] != e {
		return nil
	}
	return e.walk
}

// An entry is one tracker.
type entry struct {
	url   string
	state State
	walk  *walk // nil when Unsupported

	// The request under way.
	asking bool
	event  tracker.Event

	scraping bool // its counts are being asked for
	noScrape bool // it does not tell them then either

	known     bool          // it took our "started": it is owed "stopped"
	trackerID string        // to be echoed
	fails     int           // in a row
	notBefore mono.Time     // it is not asked before
	told      bool          // it said itself for how long it is not to be asked
	refused   bool          // it said no to "completed", which it is still owed
	answerAt  mono.Time     // of its last answer
	least     time.Duration // between announces, as that said; 0 when it did not
	tried     uint64        // the round of its walk in which it was asked last

	status TrackerStatus // the fields that results set
}

func newEntry(url string) *entry {
	e := &entry{url: url}
	e.status.Seeders, e.status.Leechers = -1, -1
	if err := tracker.CheckURL(url); err != nil {
		e.state = Unsupported
		e.status.Err = err.Error()
		switch scheme := tracker.Scheme(url); scheme {
		case "":
			e.status.Err = "it does not say how to reach it: an announce URL begins with http://, https:// or udp://"
		case "http", "https", "udp":
		default:
			e.status.Err = scheme + " trackers are not supported"
		}
	}
	return e
}

// reset forgets the last run, but for what it learned of the swarm.
func (e *entry) reset() {
	if e.state != Unsupported {
		status := e.status
		status.Err = ""
		*e = entry{url: e.url, walk: e.walk, status: status}
	}
}

// failed counts a failure and sets the wait: what the tracker asked for, or longer
// with each failure in a row.
func (e *entry) failed(now mono.Time, r Result, rng *rand.Rand) {
	e.fails++
	e.state = Failing
	e.status.Err = r.Err
	told := r.Event == tracker.Completed && r.Refused
	e.refused = e.refused || told
	e.told = told || r.RetryIn > 0 || r.RetryIn == tracker.Never
	switch {
	case r.RetryIn == tracker.Never:
		e.state = GivenUp
		e.notBefore = mono.Never
	case told && r.MinInterval > 0:
		e.notBefore = now.Add(max(r.MinInterval, SoonestTold))
	case told && r.RetryIn > 0:
		e.notBefore = now.Add(min(max(r.RetryIn, SoonestTold), tracker.MaxInterval))
	case told && e.least > 0 && e.answerAt.Add(e.least) > now:
		// It came before the tracker's min interval was over. Then it is welcome.
		e.notBefore = max(e.answerAt.Add(e.least), now.Add(SoonestTold))
	case r.RetryIn > 0:
		e.notBefore = now.Add(min(max(r.RetryIn, MinInterval), tracker.MaxInterval))
	default:
		e.notBefore = now.Add(backoff(e.fails, rng))
	}
}

// scrapes reports whether the counts are to be asked for, since the answer had none.
func (e *entry) scrapes() bool {
	if e.status.Seeders >= 0 && e.status.Leechers >= 0 || e.scraping || e.noScrape {
		return false
	}
	_, ok := tracker.ScrapeURL(e.url)
	return ok
}

// counted takes the answer to a scrape. A tracker that has none is not asked again.
func (e *entry) counted(r Result) {
	if !e.scraping {
		return
	}
	e.scraping = false
	if r.Err != "" || r.Seeders < 0 && r.Leechers < 0 {
		e.noScrape = true
		return
	}
	e.status.Seeders, e.status.Leechers = r.Seeders, r.Leechers
}

// answered notes an answer.
func (e *entry) answered(now mono.Time, r Result) {
	e.known = true
	e.answerAt, e.least = now, r.MinInterval
	if r.Event == tracker.Completed {
		e.refused = false
	}
	e.fails = 0
	e.notBefore = 0
	e.state = Working
	e.status.Err = ""
	e.status.Warning = r.Warning
	e.status.Peers = r.Peers
	e.status.Seeders, e.status.Leechers = r.Seeders, r.Leechers
	if r.TrackerID != "" {
		e.trackerID = r.TrackerID
	}
}
