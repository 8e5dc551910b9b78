package webplan

import (
	"time"

	"shoal/internal/value/mono"
)

// We try one more connection to a server, which pays when the link is not the limit: with
// long round trips, or when the server limits each connection. We keep it if it pays.
const (
	watchFor   = 5 * time.Second // how long the rate of a number of connections is measured
	pays       = 1.2             // factor by which one more connection must raise the rate
	firstTrial = time.Minute     // wait after one that did not pay; doubles each time
	lastTrial  = 30 * time.Minute
)

// window measures the rate of a number of connections.
type window struct {
	open  bool
	since mono.Time
	bytes int64

	trial bool
	base  float64 // bytes a second with one connection less
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
		w.open = false // the measurement would not be fair
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

// fail notes that one more connection did not pay.
func (w *window) fail(now mono.Time) {
	w.open, w.trial = false, false
	w.next, w.gap = now.Add(w.gap), min(2*w.gap, lastTrial)
}
