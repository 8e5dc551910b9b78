package webplan

import (
	"fmt"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/plural"
	"shoal/internal/value/why"
)

// seed is what is kept of a web seed.
type seed struct {
	Seed
	conns, asked int
	level        int // connections that it should have

	// What it is like.
	whole   bool     // it knows no ranges
	gone    []pieces // that it does not have
	rate    float64  // bytes a second of one connection; 0: unknown
	latency time.Duration
	given   int64
	skipped int64

	// Its failures.
	dead   why.Why // given up, why
	until  mono.Time
	fails  int
	absent int // files in a row
	lacks  int // files
	lacked int // the last of them
	lackOf string
	text   string

	// When to look again.
	dry    uint64
	lookAt mono.Time

	window window
}

// pieces are those from from to before to.
type pieces struct{ from, to uint32 }

func newSeed(s Seed) *seed { return &seed{Seed: s, level: 1, window: window{gap: firstTrial}} }

// has reports whether the seed has a piece, as far as is known.
func (s *seed) has(piece uint32) bool {
	for _, g := range s.gone {
		if g.from <= piece && piece < g.to {
			return false
		}
	}
	return true
}

// worked takes note of a run that came.
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

// failed takes note of a failure.
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
	// Everybody who was cut off at the same moment should not come back at the same one.
	wait := min(firstWait<<min(s.fails, 16), lastWait)
	wait = wait*3/4 + time.Duration(m.rng.Int64N(int64(wait/2)))
	s.fails++
	s.until = m.now.Add(wait)
	s.alone()
	m.due(s.until)
}

// lacksFile takes note of a file that a seed does not have: whoever put the files there
// may have left some out, so the others are asked for.
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

// Status is what can be said of a web seed.
type Status struct {
	State string // "waiting", "working", "failing", "given up"
	Err   string // the last thing that went wrong, until something goes well
	Conns int
	Retry mono.Time // with "failing": when it is asked again

	// Files that it does not have, or has with another length; the last of them, or -1, and
	// what was wrong with it.
	Lacks, Lacked int
	LackErr       string
}

// Status gives that of a seed.
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

// Has reports whether a seed has a piece, as far as is known.
func (m *Machine) Has(seed int, piece uint32) bool { return m.seeds[seed].has(piece) }

// GivenUp reports whether a seed is not asked any more, and why.
func (m *Machine) GivenUp(seed int) (why.Why, bool) {
	return m.seeds[seed].dead, m.seeds[seed].dead != why.None
}
