// Package announce decides when to announce one torrent, to which tracker, and with which
// event. It knows the tiers of BEP 12 as they are deployed, the intervals of BEP 3, the
// tracker id, and the wait of BEP 31; it sends nothing.
//
// A Machine is owned by the swarm of its torrent and is not safe for concurrent use. Tick
// moves what is due into Take; the shell performs each request and brings its result to Done;
// Deadline says when to Tick again.
//
// # Tiers
//
// The trackers of a tier stand in for one another: they are shuffled once, asked in order,
// and one that answers moves to the front. A public torrent announces to one tracker of every
// tier, all tiers side by side, as deployed clients do. A private one announces to a single
// tracker (BEP 27): it goes down a tier only when all trackers of the tiers above have
// failed, and starts from the top the next time. Both are walks: a public torrent has one for
// each tier, a private one has one over all tiers (decision 0032).
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
	// MinInterval is the least time between announces to a tracker, whatever it says, unless
	// we owe it an event.
	MinInterval = time.Minute
	// NeedInterval is the least time between announces for more peers to a tracker that names
	// no min interval; its interval if that is shorter.
	NeedInterval = 5 * time.Minute

	// SoonestTold is the least wait after a tracker refused an event and said for how long.
	SoonestTold = 5 * time.Second

	// FirstRetry is the wait after a tracker's first failure. It doubles with each further
	// one in a row, up to MaxRetry. Up to a quarter is added at random, so that the clients
	// of a tracker that was down do not come back all at once.
	FirstRetry = 15 * time.Second
	MaxRetry   = time.Hour

	// jitterShare: up to an interval divided by it is added at random.
	jitterShare = 20
)

const (
	// NumWant is how many peers we ask for: about as many as a swarm keeps connected.
	NumWant = 80
	// MaxTrackers is how many trackers of a torrent we keep. Honest torrents have fewer; we
	// send packets to each one on the word of a stranger.
	MaxTrackers = 100
)

// Config configures a Machine.
type Config struct {
	Tiers   [][]string // announce URLs; empty tiers and repeated URLs are skipped
	Private bool       // BEP 27: one tracker at a time
}

// Request is one announce to make. The caller adds the counters. With Scrape it asks for the
// counts only (BEP 48), and the fields of an announce are zero.
type Request struct {
	URL       string
	Scrape    bool
	Event     tracker.Event
	TrackerID string // to send along; empty when the tracker sent none
	NumWant   int
	Need      bool // we want more peers
	Why       why.Why
}

// Result is how a Request ended. Of a failed one only URL, Event, Err, RetryIn, Refused and
// MinInterval count.
type Result struct {
	URL    string
	Scrape bool          // from the request
	Event  tracker.Event // from the request

	// Err is empty for success, else what went wrong, for display.
	Err     string
	RetryIn time.Duration // BEP 31; 0: not sent; tracker.Never: never again
	Refused bool          // the tracker itself refused

	Interval, MinInterval time.Duration // 0: not sent
	TrackerID             string        // empty: not sent, the old one stays
	Warning               string        // for display; empty: none
	Peers                 int           // number of received peers
	Seeders, Leechers     int64         // -1: not sent
}

// Machine is the announce state of one torrent.
type Machine struct {
	rng      *rand.Rand
	trackers []*entry // in the order of the torrent
	walks    []*walk
	private  bool
	running  bool
	need     bool
	seeking  bool // the torrent wants pieces
	partial  bool
	complete bool // Completed was called
	out      []Request
}

// New returns a machine that does nothing until Start. It takes over cfg.Tiers.
func New(cfg Config, rng *rand.Rand) *Machine {
	m := &Machine{rng: rng, need: true, seeking: true, private: cfg.Private}
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

// Start makes "started" due for one tracker of each walk.
func (m *Machine) Start(now mono.Time) {
	m.running = true
	for _, e := range m.trackers {
		e.reset()
	}
	for _, w := range m.walks {
		*w = walk{tiers: w.tiers, next: now}
	}
}

// Completed makes "completed" due for one tracker of each walk. The caller calls it when the
// last piece has arrived, and not at all for a torrent that was complete when it started (BEP
// 3). Only the first call counts (decision 0036).
func (m *Machine) Completed(now mono.Time) {
	if m.complete || !m.running {
		return
	}
	m.complete = true
	for _, w := range m.walks {
		w.complete(now)
	}
}

// NeedPeers sets whether we want more peers; true until the first call. While we do,
// announces come as early as the trackers allow.
func (m *Machine) NeedPeers(now mono.Time, need bool) { m.need = need }

// Seeking sets whether the torrent wants pieces; true until the first call. Only then does the
// machine scrape for counts that an announce lacked: a seed does nothing with them, and with
// thousands of seeds the tracker would get twice as many requests (decision 0218).
func (m *Machine) Seeking(seeking bool) { m.seeking = seeking }

// Partial sets whether the torrent is a partial seed: it lacks pieces and wants none of them.
// Every announce says so (BEP 21).
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
			continue // due has moved on to when we may ask a tracker again
		}
		r := w.request(now, e, m.partial)
		r.Need = m.need
		m.out = append(m.out, r)
	}
}

// Take returns the requests made since the last call. The slice is valid until the next call
// of any method.
func (m *Machine) Take() []Request {
	out := m.out
	m.out = m.out[:0]
	return out
}

// Done takes the result of one request. It ignores results without a request.
func (m *Machine) Done(now mono.Time, r Result) {
	e := m.find(r.URL)
	if m.running && e != nil && r.Scrape {
		e.counted(r)
		return
	}
	if !m.running || e == nil || !e.busy || e.event != r.Event {
		return
	}
	w := e.walk
	e.busy, w.busy = false, false
	if r.Err != "" {
		e.failed(now, r, m.rng)
		w.next = now
		return
	}
	e.answered(now, r)
	w.answered(now, e, r, m.rng)
	if m.seeking && e.scrapes() {
		e.scraping = true
		m.out = append(m.out, Request{URL: e.url, Scrape: true, Why: why.CountsUnknown})
	}
}

// Stop returns a "stopped" for each tracker that knows us, or may: it has not answered yet.
// The caller ends the running requests, performs these with a short limit, and need not bring
// their results. Nothing follows until another Start.
func (m *Machine) Stop(now mono.Time) []Request {
	m.out = m.out[:0]
	if !m.running {
		return nil
	}
	m.running = false
	for _, e := range m.trackers {
		if e.known || e.busy {
			m.out = append(m.out, Request{URL: e.url, Event: tracker.Stopped, TrackerID: e.trackerID, Why: why.Stopping})
		}
		e.busy, e.known = false, false
	}
	return m.Take()
}

// Deadline returns when to call Tick; in the past when something is due already.
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
