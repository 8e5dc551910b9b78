package announce

import (
	"slices"

	"shoal/internal/format/tracker"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Add adds a tracker to a tier, counted from 0; a tier that does not exist yet becomes the last
// one. It reports false where the torrent has the tracker already, or as many as it can have.
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

// hasNews starts the next round of a walk that has got another tracker, unless one has answered.
func (m *Machine) hasNews(now mono.Time, w *walk) {
	if m.running && !w.settled {
		w.next = min(w.next, now)
	}
}

// Remove removes a tracker. farewell is what it is owed when it knows us, or may: the caller
// performs it as those of Stop. It reports false where the torrent has no such tracker.
func (m *Machine) Remove(now mono.Time, url string) (farewell []Request, ok bool) {
	e := m.find(tracker.CleanURL(url))
	if e == nil {
		return nil, false
	}
	m.trackers = slices.DeleteFunc(m.trackers, func(o *entry) bool { return o == e })
	m.out = slices.DeleteFunc(m.out, func(r Request) bool { return r.URL == e.url })
	if m.running && (e.known || e.asking) {
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
	if e.asking {
		w.asking = false
	}
	if m.running && (e.asking || e.known) {
		w.settled, w.next = false, now // another one takes its place
	}
	return farewell, true
}

// Urged is what becomes of a wish to announce now.
type Urged struct {
	URL  string
	Sent bool      // it is on its way, or was already
	Next mono.Time // otherwise: when the tracker may be asked; mono.Never: it does not want to be asked again
}

// Urge announces to one tracker of each walk, as soon as Tick comes, where that does not break
// the word of a tracker: the least interval that it named, a minute at least (MinInterval), or the
// time for which it does not want to be asked (BEP 31). Our own wait after a failure does
// not count. While nothing runs there is nothing to say.
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
	if w.asking {
		for _, tier := range w.tiers {
			for _, e := range tier {
				if e.asking {
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
			w.round++ // each can be asked once more
		}
		w.next, w.urged = now, true
	}
	return u
}

// allowed returns when a tracker may be asked by the user's wish.
func (e *entry) allowed() (at mono.Time) {
	if e.told {
		at = e.notBefore
	}
	if e.answerAt != 0 {
		at = max(at, e.answerAt.Add(max(e.least, MinInterval)))
	}
	return at
}
