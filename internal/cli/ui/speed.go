package ui

import (
	"time"

	flow "shoal/internal/value/meter"
	"shoal/internal/value/mono"
)

// A Speed says how fast a job gets on, and how long the rest takes. What was done when it is
// first told counts for nothing: an earlier run did it.
type Speed struct {
	flow  flow.Flow
	start time.Time
	done  int64
}

// At takes how much is done.
func (s *Speed) At(now time.Time, done int64) {
	if s.start.IsZero() || done < s.done {
		*s = Speed{start: now, done: done}
		return
	}
	if done > s.done {
		s.flow.Add(s.mono(now), done-s.done)
		s.done = done
	}
}

func (s *Speed) mono(now time.Time) mono.Time { return mono.Start.Add(now.Sub(s.start)) }

// rate is the one of now, in bytes a second; 0 before it is known.
func (s *Speed) rate(now time.Time) float64 {
	if s.start.IsZero() || now.Sub(s.start) < time.Second/2 {
		return 0
	}
	return s.flow.Rate(s.mono(now))
}

// eta returns how long the rest takes, once that is known.
func (s *Speed) eta(now time.Time, total int64) (d time.Duration, ok bool) {
	if s.start.IsZero() || now.Sub(s.start) < time.Second || s.done >= total {
		return 0, false
	}
	mean := s.flow.Mean(s.mono(now))
	if mean < 1 {
		return 0, false
	}
	return time.Duration(float64(total-s.done) / mean * float64(time.Second)), true
}

// Words are the rate and the rest, as parts of a line; none before they are known.
func (s *Speed) Words(now time.Time, total int64) (parts []string) {
	if r := s.rate(now); r >= 1 {
		parts = append(parts, Rate(r))
	}
	if d, ok := s.eta(now, total); ok {
		parts = append(parts, "ETA "+ETA(d))
	}
	return parts
}

// ETA is how long something takes, in words.
func ETA(d time.Duration) string { return Span(max(d.Round(time.Second), time.Second)) }
