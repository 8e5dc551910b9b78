package swarm

import (
	"shoal/internal/meter"
	"shoal/internal/mono"
)

// flows are the payload bytes of a torrent. Decisions go by the slow meters, people by the
// flows.
type flows struct {
	down, up         meter.Flow
	slowDown, slowUp meter.Meter
}

func (f *flows) got(now mono.Time, n int64) {
	f.down.Add(now, n)
	f.slowDown.Add(now, n)
}

func (f *flows) sent(now mono.Time, n int64) {
	f.up.Add(now, n)
	f.slowUp.Add(now, n)
}

// RateStats are the rates of a torrent in bytes a second.
type RateStats struct {
	Down, Up float64 // over the last few seconds; Down is 0 when nothing is wanted

	// Mean is Down over the last half minute in which bytes came: when the rest is there
	// follows from it.
	Mean     float64
	LastDown mono.Time // when the latest byte came; zero before the first
	LastUp   mono.Time

	SlowDown, SlowUp float64 // over twenty seconds, for decisions
}

// rates returns the rates of now. What came before the torrent was complete says nothing of
// what comes.
func (f *flows) rates(now mono.Time, wants bool) RateStats {
	r := RateStats{
		Up: f.up.Rate(now), LastDown: f.down.Last(), LastUp: f.up.Last(),
		SlowDown: f.slowDown.Rate(now), SlowUp: f.slowUp.Rate(now),
	}
	if wants {
		r.Down, r.Mean = f.down.Rate(now), f.down.Mean(now)
	}
	return r
}
