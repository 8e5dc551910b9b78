package announce

import (
	"math/rand/v2"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/value/mono"
)

// State is the state of a tracker.
type State uint8

// Values of State.
const (
	Waiting     State = iota // not asked yet
	Asking                   // a request is running
	Working                  // it answered the last request
	Failing                  // the last request failed; we ask again later
	GivenUp                  // it told us never to come back (BEP 31)
	Unsupported              // we do not speak its protocol; we never ask it
)

// String returns the state in a word or two.
func (s State) String() string {
	return [...]string{"waiting", "asking", "working", "failing", "given up", "unsupported", "", ""}[s&7]
}

// TrackerStatus is a tracker as users see it.
type TrackerStatus struct {
	URL               string // with its passkey, if it has one
	State             State
	Next              mono.Time // time of the next request at the earliest; mono.Never: unknown
	Fails             int       // failures in a row
	Err               string    // error of the last request; empty: it succeeded
	Warning           string    // warning of the last answer, for display; empty: none
	Seeders, Leechers int64     // -1: unknown
	Peers             int       // number of peers in the last answer

	// Telling says that a "completed" is being sent. Owed says that the tracker refused it,
	// usually because it came too soon, and that we send it again at Next.
	Telling, Owed bool
}

// Status returns every tracker in the order of the torrent.
func (m *Machine) Status() []TrackerStatus {
	all := make([]TrackerStatus, len(m.trackers))
	for i, e := range m.trackers {
		s := e.status
		s.URL, s.State, s.Fails, s.Next = e.url, e.state, e.fails, mono.Never
		if e.busy {
			s.State = Asking
		}
		s.Telling = e.busy && e.event == tracker.Completed
		s.Owed = m.running && e.refused && !e.busy && e.state != GivenUp
		if w := m.asksNext(e); w != nil {
			s.Next = max(w.due(m.need), e.notBefore)
		}
		all[i] = s
	}
	return all
}

// asksNext returns the walk that will ask e in its next round unless another tracker answers
// first; nil when there is none or a request is running.
func (m *Machine) asksNext(e *entry) *walk {
	if !m.running || e.state == Unsupported || e.state == GivenUp {
		return nil
	}
	if e.walk.busy || e.state != Failing && e.walk.tiers[0][0] != e {
		return nil
	}
	return e.walk
}

// entry is one tracker.
type entry struct {
	url   string
	state State
	walk  *walk // nil: Unsupported

	// The running request.
	busy  bool
	event tracker.Event

	scraping bool // a scrape of its counts is running
	noScrape bool // its scrapes have no counts either

	known     bool          // it took our "started", so we owe it "stopped"
	trackerID string        // to send back
	fails     int           // failures in a row
	notBefore mono.Time     // no request before this time
	refused   bool          // it refused "completed", which we still owe it
	answerAt  mono.Time     // time of its last answer
	least     time.Duration // its min interval in that answer; 0: not sent
	tried     uint64        // latest round of its walk in which we asked it
	told      bool          // the tracker itself named the wait in notBefore

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

// reset forgets the last run, except the counts of the swarm.
func (e *entry) reset() {
	if e.state != Unsupported {
		status := e.status
		status.Err = ""
		*e = entry{url: e.url, walk: e.walk, status: status}
	}
}

// failed counts a failure and sets the wait: what the tracker asked for, or longer with each
// failure in a row.
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
		// It came before the tracker's min interval was over. After that the tracker takes
		// it.
		e.notBefore = max(e.answerAt.Add(e.least), now.Add(SoonestTold))
	case r.RetryIn > 0:
		e.notBefore = now.Add(min(max(r.RetryIn, MinInterval), tracker.MaxInterval))
	default:
		e.notBefore = now.Add(backoff(e.fails, rng))
	}
}

// scrapes reports whether to scrape for counts, because the answer had none.
func (e *entry) scrapes() bool {
	if e.status.Seeders >= 0 && e.status.Leechers >= 0 || e.scraping || e.noScrape {
		return false
	}
	_, ok := tracker.ScrapeURL(e.url)
	return ok
}

// counted takes the answer to a scrape. We do not scrape a tracker without counts again.
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
