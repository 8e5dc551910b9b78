package main

import (
	"time"

	flow "shoal/internal/meter"
	"shoal/internal/mono"
)

// A speed says how fast a job gets on, and how long the rest takes. What was done when it is
// first told counts for nothing: an earlier run did it.
type speed struct {
	flow  flow.Flow
	start time.Time
	done  int64
}

// at takes how much is done.
func (s *speed) at(now time.Time, done int64) {
	if s.start.IsZero() || done < s.done {
		*s = speed{start: now, done: done}
		return
	}
	if done > s.done {
		s.flow.Add(s.mono(now), done-s.done)
		s.done = done
	}
}

func (s *speed) mono(now time.Time) mono.Time { return mono.Start.Add(now.Sub(s.start)) }

// words are the rate and the rest, as parts of a line; none before they are known.
func (s *speed) words(now time.Time, total int64) []string {
	if s.start.IsZero() {
		return nil
	}
	var parts []string
	at := s.mono(now)
	mean := s.flow.Mean(at)
	if r := s.flow.Rate(at); r >= 1 && now.Sub(s.start) >= time.Second/2 {
		parts = append(parts, rate(r))
	}
	if left := total - s.done; left > 0 && mean >= 1 && now.Sub(s.start) >= time.Second {
		parts = append(parts, "ETA "+eta(time.Duration(float64(left)/mean*float64(time.Second))))
	}
	return parts
}

// eta is how long something takes, in words.
func eta(d time.Duration) string { return span(max(d.Round(time.Second), time.Second)) }
