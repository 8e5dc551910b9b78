package webplan

import (
	"fmt"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/plural"
	"shoal/internal/value/why"
)

// seed is the state of one web seed.
type seed struct {
	Seed
	conns, asked int
	level        int // connections that it should have

	// Its properties.
	whole   bool     // it does not support ranges
	gone    []pieces // pieces that it does not have
	rate    float64  // bytes a second of one connection; 0: unknown
	latency time.Duration
	given   int64
	skipped int64

	// Its failures.
	dead   why.Why // reason why we gave it up; None: we did not
	until  mono.Time
	fails  int
	absent int // files in a row that were absent
	lacks  int // absent files in all
	lacked int // latest of them
	lackOf string
	text   string

	// When to look again.
	dry    uint64
	lookAt mono.Time

	window window
}

// pieces is the range from from to before to.
type pieces struct{ from, to uint32 }

func newSeed(s Seed) *seed { return &seed{Seed: s, level: 1, window: window{gap: firstTrial}} }

// has reports whether the seed has a piece, as far as we know.
func (s *seed) has(piece uint32) bool {
	for _, g := range s.gone {
		if g.from <= piece && piece < g.to {
			return false
		}
	}
	return true
}

// worked notes a completed run.
func (s *seed) worked(size int64, took time.Duration) {
	rate := float64(size) / max(took, time.Millisecond).Seconds()
	if s.rate > 0 {
		rate = (s.rate + rate) / 2
	}
	s.rate = rate
	s.fails, s.absent, s.text = 0, 0, ""
}

// alone goes back to one connection.
func (s *seed) alone() {
	s.level = 1
	s.window.open, s.window.trial = false, false
}

// failed notes a failure.
func (m *Machine) failed(i int, r Result) {
	s := m.seeds[i]
	s.text = r.Text
	switch r.Outcome {
	case Refused:
		m.giveUp(i, why.WebRefused, r.Text)
		return
	case Absent:
		m.lacksFile(i, r)
		return
	case NoRanges:
		if !s.whole {
			s.whole, s.text = true, ""
			s.alone()
			return
		}
	case Busy:
		s.alone()
		if r.RetryIn > 0 {
			s.until = m.now.Add(min(max(r.RetryIn, leastWait), lastWait))
			m.due(s.until)
			return
		}
	}
	// Spread the retries: clients that were cut off at the same moment must not all come back
	// at once.
	wait := min(firstWait<<min(s.fails, 16), lastWait)
	wait = wait*3/4 + time.Duration(m.rng.Int64N(int64(wait/2)))
	s.fails++
	s.until = m.now.Add(wait)
	s.alone()
	m.due(s.until)
}

// lacksFile notes a file that a seed does not have. The publisher may have left out some
// files, so we still ask for the others.
func (m *Machine) lacksFile(i int, r Result) {
	s := m.seeds[i]
	s.absent++
	s.lacks++
	s.lacked, s.lackOf = r.File, r.Text
	if m.cfg.Single || s.Pieces || r.File < 0 || r.File >= len(m.cfg.Files) || len(m.cfg.Files) == 1 {
		m.giveUp(i, why.WebGone, r.Text)
		return
	}
	if s.absent >= maxAbsent || s.lacks >= maxAbsentAll {
		m.giveUp(i, why.WebGone, fmt.Sprintf("%s missing there; the last: %s", plural.Of(s.lacks, "file"), r.Text))
		return
	}
	if f := m.cfg.Files[r.File]; f.Length > 0 {
		length := int64(m.cfg.Geometry.PieceLength)
		s.gone = append(s.gone, pieces{uint32(f.Offset / length), uint32((f.Offset+f.Length-1)/length) + 1})
	}
}

// Status is what we can say of a web seed.
type Status struct {
	State string // "waiting", "working", "failing", "given up"
	Err   string // latest failure, until a fetch succeeds
	Conns int
	Retry mono.Time // with "failing": time of the next try

	// Lacks counts the files that it does not have, or has with another length. Lacked is the
	// latest of them, or -1; LackErr says what was wrong with it.
	Lacks, Lacked int
	LackErr       string
}

// Status returns the status of a seed.
func (m *Machine) Status(seed int, now mono.Time) Status {
	s := m.seeds[seed]
	st := Status{State: "waiting", Err: s.text, Conns: s.conns, Lacks: s.lacks, Lacked: s.lacked, LackErr: s.lackOf}
	switch {
	case s.dead != why.None:
		st.State = "given up"
	case now < s.until:
		st.State, st.Retry = "failing", s.until
	case s.conns > 0:
		st.State = "working"
	}
	return st
}

// Has reports whether a seed has a piece, as far as we know.
func (m *Machine) Has(seed int, piece uint32) bool { return m.seeds[seed].has(piece) }

// GivenUp reports whether we have given up a seed, and why.
func (m *Machine) GivenUp(seed int) (why.Why, bool) {
	return m.seeds[seed].dead, m.seeds[seed].dead != why.None
}
