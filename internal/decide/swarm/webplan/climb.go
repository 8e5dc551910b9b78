package webplan

import (
	"time"

	"shoal/internal/value/mono"
)

// One more connection to a server is tried where the link is not the limit: long round
// trips, limits of the server for each connection. It is kept where it pays.
const (
	watchFor   = 5 * time.Second // how long a number of connections is watched
	pays       = 1.2             // by so much more must come with one more
	firstTrial = time.Minute     // after one that did not pay; twice as long each time
	lastTrial  = 30 * time.Minute
)

// window measures what a number of connections brings.
type window struct {
	open  bool
	since mono.Time
	bytes int64

	trial bool
	base  float64 // bytes a second with one less
	next  mono.Time
	gap   time.Duration
}

// climb decides how many connections a seed should have.
func (m *Machine) climb(s *seed) {
	w := &s.window
	if s.conns == 0 {
		w.open = false
		return
	}
	running := 0
	for _, c := range m.conns {
		if c != nil && m.seeds[c.seed] == s && c.running {
			running++
		}
	}
	if running == 0 || running != s.level {
		w.open = false // that is no fair measure
		return
	}
	if !w.open {
		w.open, w.since, w.bytes = true, m.now, 0
	}
	if m.now < w.since.Add(watchFor) {
		m.due(w.since.Add(watchFor))
		return
	}
	rate := float64(w.bytes) / m.now.Sub(w.since).Seconds()
	w.open = false
	switch {
	case w.trial && rate < w.base*pays:
		s.level--
		w.fail(m.now)
		return
	case w.trial:
		w.gap = firstTrial
	}
	w.trial, w.base = false, rate
	if s.level < perSeed && !s.whole && m.now >= w.next && rate > 0 {
		s.level++
		w.trial = true
	}
	w.open, w.since, w.bytes = true, m.now, 0
	m.due(w.since.Add(watchFor))
}

// fail takes note that one more did not pay.
func (w *window) fail(now mono.Time) {
	w.open, w.trial = false, false
	w.next, w.gap = now.Add(w.gap), min(2*w.gap, lastTrial)
}
