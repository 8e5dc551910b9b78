package announce

import (
	"slices"

	"shoal/internal/format/tracker"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Add adds a tracker to a tier, counted from 0; a tier that does not exist yet becomes the
// last one. It reports false when the torrent has the tracker already, or as many as it can
// have.
func (m *Machine) Add(now mono.Time, url string, tier int) bool {
	url = tracker.CleanURL(url)
	if url == "" || m.find(url) != nil || len(m.trackers) == MaxTrackers {
		return false
	}
	e := newEntry(url)
	m.trackers = append(m.trackers, e)
	if e.state == Unsupported {
		return true
	}
	for _, w := range m.walks {
		if tier >= 0 && tier < len(w.tiers) {
			w.tiers[tier] = append(w.tiers[tier], e)
			e.walk = w
			m.hasNews(now, w)
			return true
		}
		tier -= len(w.tiers)
	}
	m.addTier([]*entry{e}, m.private)
	m.hasNews(now, e.walk)
	return true
}

// hasNews starts the next round of a walk that has a new tracker, unless one has answered.
func (m *Machine) hasNews(now mono.Time, w *walk) {
	if m.running && !w.settled {
		w.next = min(w.next, now)
	}
}

// Remove removes a tracker. farewell is the "stopped" that we owe it if it knows us, or may:
// the caller performs it like those of Stop. It reports false when the torrent has no such
// tracker.
func (m *Machine) Remove(now mono.Time, url string) (farewell []Request, ok bool) {
	e := m.find(tracker.CleanURL(url))
	if e == nil {
		return nil, false
	}
	m.trackers = slices.DeleteFunc(m.trackers, func(o *entry) bool { return o == e })
	m.out = slices.DeleteFunc(m.out, func(r Request) bool { return r.URL == e.url })
	if m.running && (e.known || e.busy) {
		farewell = []Request{{URL: e.url, Event: tracker.Stopped, TrackerID: e.trackerID, Why: why.Stopping}}
	}
	w := e.walk
	if w == nil {
		return farewell, true
	}
	w.tiers = slices.DeleteFunc(w.tiers, func(tier []*entry) bool { return len(tier) == 1 && tier[0] == e })
	for i, tier := range w.tiers {
		w.tiers[i] = slices.DeleteFunc(tier, func(o *entry) bool { return o == e })
	}
	if len(w.tiers) == 0 {
		m.walks = slices.DeleteFunc(m.walks, func(o *walk) bool { return o == w })
		return farewell, true
	}
	if e.busy {
		w.busy = false
	}
	if m.running && (e.busy || e.known) {
		w.settled, w.next = false, now // another tracker replaces it
	}
	return farewell, true
}

// Urged is what comes of an announce that the user wants now.
type Urged struct {
	URL  string
	Sent bool      // it is being sent, or was already
	Next mono.Time // otherwise: when we may ask the tracker; mono.Never: it told us never to ask again
}

// Urge announces to one tracker of each walk, as soon as Tick comes, unless that breaks a
// rule of the tracker: the least interval that it named, at least MinInterval, or the time
// for which it told us to wait (BEP 31). Our own wait after a failure does not count. While
// the machine does not run there is nothing to announce.
func (m *Machine) Urge(now mono.Time) (all []Urged) {
	if !m.running {
		return nil
	}
	for _, w := range m.walks {
		all = append(all, w.urge(now))
	}
	return all
}

func (w *walk) urge(now mono.Time) Urged {
	if w.busy {
		for _, tier := range w.tiers {
			for _, e := range tier {
				if e.busy {
					return Urged{URL: e.url, Sent: true}
				}
			}
		}
	}
	first := Urged{Next: mono.Never}
	for _, tier := range w.tiers {
		for _, e := range tier {
			switch at := e.allowed(); {
			case at <= now:
				e.notBefore = min(e.notBefore, now)
				if !first.Sent {
					first = Urged{URL: e.url, Sent: true}
				}
			case first.URL == "" || !first.Sent && at < first.Next:
				first = Urged{URL: e.url, Next: at}
			}
			if w.settled && e.notBefore <= now {
				return w.asked(now, first) // it works, and the others stand in for it
			}
		}
	}
	return w.asked(now, first)
}

func (w *walk) asked(now mono.Time, u Urged) Urged {
	if u.Sent {
		if !w.settled {
			w.round++ // each tracker can be asked once more
		}
		w.next, w.urged = now, true
	}
	return u
}

// allowed returns when the user may ask a tracker.
func (e *entry) allowed() (at mono.Time) {
	if e.told {
		at = e.notBefore
	}
	if e.answerAt != 0 {
		at = max(at, e.answerAt.Add(max(e.least, MinInterval)))
	}
	return at
}
