// Package announce decides when to announce one torrent, to which tracker, and with
// which event. It knows the tiers of BEP 12 as they are deployed, the intervals of
// BEP 3, the tracker id, and the wait of BEP 31; it sends nothing.
//
// A Machine is owned by the swarm of its torrent and is not safe for concurrent use.
// It goes round like this: Tick moves what is due into Take; the shell performs each
// request and brings its result to Done; Deadline says when to Tick again.
//
// # Tiers
//
// The trackers of a tier stand in for one another: they are shuffled once, asked in
// order, and one that answers moves to the front. A public torrent announces to one
// tracker of every tier, all tiers side by side, as deployed clients do. A private
// one announces to a single tracker (BEP 27): it goes down a tier only when all
// trackers of the tiers above have failed, and starts from the top the next time.
// Both are walks: a public torrent has one for each tier, a private one has one over
// all tiers.
// Decision 0032 says why.
package announce

import (
	"math/rand/v2"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Times by which the machine acts.
const (
	// DefaultInterval is used when a tracker names none.
	DefaultInterval = 30 * time.Minute
	// MinInterval is the least time between announces to a tracker, whatever it
	// says, unless an event is owed.
	MinInterval = time.Minute
	// NeedInterval is the least time between announces for more peers to a
	// tracker that names no min interval; its interval where that is shorter.
	NeedInterval = 5 * time.Minute

	// SoonestTold is the least wait after a tracker that refused to hear of an event, and
	// said for how long.
	SoonestTold = 5 * time.Second

	// FirstRetry is the wait after a tracker's first failure. It doubles with each
	// one in a row, up to MaxRetry. Up to a quarter is added at random, so that
	// the clients of a tracker that was away do not come back all at once.
	FirstRetry = 15 * time.Second
	MaxRetry   = time.Hour

	// jitterShare is the part of an interval that is added at random.
	jitterShare = 20
)

const (
	// NumWant is how many peers are asked for: about as many as a swarm keeps
	// connected.
	NumWant = 80
	// MaxTrackers is how many trackers of a torrent are kept. Honest ones have
	// fewer; each one kept is sent packets on the word of a stranger.
	MaxTrackers = 100
)

// Config is what a Machine is made with.
type Config struct {
	Tiers   [][]string // announce URLs; empty tiers and repeated URLs are passed over
	Private bool       // BEP 27: one tracker at a time
}

// Request is one announce to make. The counters are the caller's to add. With Scrape it is
// a question for the counts alone (BEP 48), and the fields of an announce are zero.
type Request struct {
	URL       string
	Scrape    bool
	Event     tracker.Event
	TrackerID string // to send along; empty when the tracker gave none
	NumWant   int
	Need      bool // more peers are wanted
	Why       why.Why
}

// Result is how a Request ended. Of a failed one only URL, Event, Err, RetryIn, Refused and
// MinInterval count.
type Result struct {
	URL    string
	Scrape bool          // of the request
	Event  tracker.Event // of the request

	// Err is empty for success, else what went wrong, for people.
	Err     string
	RetryIn time.Duration // BEP 31; 0 when not given, tracker.Never for never again
	Refused bool          // the tracker itself said no

	Interval, MinInterval time.Duration // 0 when not given
	TrackerID             string        // empty when not given: the old one stays
	Warning               string        // for people; empty when there is none
	Peers                 int           // how many came
	Seeders, Leechers     int64         // -1 when not given
}

// Machine is the announce state of one torrent.
type Machine struct {
	rng      *rand.Rand
	trackers []*entry // in the order of the torrent
	walks    []*walk
	private  bool
	running  bool
	need     bool
	partial  bool
	complete bool // Completed was called
	out      []Request
}

// New makes a machine that does nothing until Start. It takes over cfg.Tiers.
func New(cfg Config, rng *rand.Rand) *Machine {
	m := &Machine{rng: rng, need: true, private: cfg.Private}
	for _, urls := range cfg.Tiers {
		var tier []*entry
		for _, url := range urls {
			url = tracker.CleanURL(url)
			if url == "" || m.find(url) != nil || len(m.trackers) == MaxTrackers {
				continue
			}
			e := newEntry(url)
			m.trackers = append(m.trackers, e)
			if e.state != Unsupported {
				tier = append(tier, e)
			}
		}
		if len(tier) > 0 {
			rng.Shuffle(len(tier), func(i, j int) { tier[i], tier[j] = tier[j], tier[i] })
			m.addTier(tier, cfg.Private)
		}
	}
	return m
}

func (m *Machine) addTier(tier []*entry, private bool) {
	if !private || len(m.walks) == 0 {
		m.walks = append(m.walks, &walk{next: mono.Never})
	}
	w := m.walks[len(m.walks)-1]
	w.tiers = append(w.tiers, tier)
	for _, e := range tier {
		e.walk = w
	}
}

// Start owes "started" to one tracker of each walk.
func (m *Machine) Start(now mono.Time) {
	m.running = true
	for _, e := range m.trackers {
		e.reset()
	}
	for _, w := range m.walks {
		*w = walk{tiers: w.tiers, next: now}
	}
}

// Completed owes "completed" to one tracker of each walk. It is called when the last
// piece has arrived, and not at all for a torrent that was complete when it started
// (BEP 3). Only the first call counts (decision 0036).
func (m *Machine) Completed(now mono.Time) {
	if m.complete || !m.running {
		return
	}
	m.complete = true
	for _, w := range m.walks {
		w.complete(now)
	}
}

// NeedPeers says whether more peers are wanted. While they are, announces come as
// early as the trackers allow. It is so until the first call.
func (m *Machine) NeedPeers(now mono.Time, need bool) { m.need = need }

// Partial says whether the torrent is a partial seed: it lacks pieces and wants none of
// them. Its trackers are told with every announce (BEP 21).
func (m *Machine) Partial(partial bool) { m.partial = partial }

// Tick makes the requests that are due.
func (m *Machine) Tick(now mono.Time) {
	if !m.running {
		return
	}
	for _, w := range m.walks {
		if w.due(m.need) > now {
			continue
		}
		e := w.pick(now)
		if e == nil {
			continue // due has moved on to when a tracker may be asked again
		}
		r := w.request(now, e, m.partial)
		r.Need = m.need
		m.out = append(m.out, r)
	}
}

// Take gives the requests made since the last call. The slice is valid until the
// next call of any method.
func (m *Machine) Take() []Request {
	out := m.out
	m.out = m.out[:0]
	return out
}

// Done takes the result of one request. What was not asked is passed over.
func (m *Machine) Done(now mono.Time, r Result) {
	e := m.find(r.URL)
	if m.running && e != nil && r.Scrape {
		e.counted(r)
		return
	}
	if !m.running || e == nil || !e.asking || e.event != r.Event {
		return
	}
	w := e.walk
	e.asking, w.asking = false, false
	if r.Err != "" {
		e.failed(now, r, m.rng)
		w.next = now
		return
	}
	e.answered(now, r)
	w.answered(now, e, r, m.rng)
	if e.scrapes() {
		e.scraping = true
		m.out = append(m.out, Request{URL: e.url, Scrape: true, Why: why.CountsUnknown})
	}
}

// Stop gives "stopped" for each tracker that knows us, or may: its request is not
// answered yet. The caller ends what is under way, performs these with a short limit
// and need not bring their results. Nothing comes after but by another Start.
func (m *Machine) Stop(now mono.Time) []Request {
	m.out = m.out[:0]
	if !m.running {
		return nil
	}
	m.running = false
	for _, e := range m.trackers {
		if e.known || e.asking {
			m.out = append(m.out, Request{URL: e.url, Event: tracker.Stopped, TrackerID: e.trackerID, Why: why.Stopping})
		}
		e.asking, e.known = false, false
	}
	return m.Take()
}

// Deadline is when Tick is wanted; in the past when something is due already.
func (m *Machine) Deadline() mono.Time {
	first := mono.Never
	if m.running {
		if len(m.out) > 0 {
			return mono.Start
		}
		for _, w := range m.walks {
			first = min(first, w.due(m.need))
		}
	}
	return first
}

func (m *Machine) find(url string) *entry {
	for _, e := range m.trackers {
		if e.url == url {
			return e
		}
	}
	return nil
}
