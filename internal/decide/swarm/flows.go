package swarm

import (
	"shoal/internal/value/meter"
	"shoal/internal/value/mono"
)

// flows measure the payload of a torrent: decisions use the slow meters, displays the others
// (decision 0146). Most torrents never move a byte and have a nil flows.
type flows struct {
	down, up         meter.Flow
	slowDown, slowUp meter.Meter
}

// traffic is the payload of this run.
//
//shoal:part
type traffic struct {
	flows  *flows // nil: nothing has moved
	wasted int64  // bytes that came and were of no use
}

func (t *traffic) waste(bytes int64) { t.wasted += bytes }

// cameDown counts payload bytes from peers and web seeds.
func (s *Swarm) cameDown(n int64) {
	if s.traffic.flows == nil {
		s.traffic.flows = new(flows)
	}
	s.traffic.flows.down.Add(s.now, n)
	s.traffic.flows.slowDown.Add(s.now, n)
}

// wentUp counts payload bytes sent to peers.
func (s *Swarm) wentUp(n int64) {
	if s.traffic.flows == nil {
		s.traffic.flows = new(flows)
	}
	s.traffic.flows.up.Add(s.now, n)
	s.traffic.flows.slowUp.Add(s.now, n)
}

// Moved returns the payload bytes of this run. It is cheap.
func (s *Swarm) Moved() (downloaded, uploaded int64) {
	if s.traffic.flows == nil {
		return 0, 0
	}
	return s.traffic.flows.down.Total(), s.traffic.flows.up.Total()
}

// Rates are the rates of a torrent, in bytes a second.
type Rates struct {
	Down, Up float64 // over the last few seconds; Down is 0 when complete or idle, Up when idle

	// Mean is Down over the last half minute in which bytes came: the remaining time follows
	// from it.
	Mean     float64
	LastDown mono.Time // time of the latest byte; zero: none yet
	LastUp   mono.Time

	SlowDown, SlowUp float64 // over twenty seconds, for decisions
}

// Flowing reports whether any rate falls while nothing happens.
func (r *Rates) Flowing() bool { return r.Down > 0 || r.Up > 0 || r.SlowDown > 0 || r.SlowUp > 0 }

// rates returns the current rates. A complete torrent has no download rate: what came before
// says nothing about what will come.
func (s *Swarm) rates(now mono.Time) (r Rates) {
	f := s.traffic.flows
	if f == nil {
		return r
	}
	r.LastDown, r.LastUp = f.down.Last(), f.up.Last()
	r.SlowDown, r.SlowUp = f.slowDown.Rate(now), f.slowUp.Rate(now)
	if s.wants() {
		r.Down, r.Mean = f.down.Rate(now), f.down.Mean(now)
	}
	if !s.inactive() {
		r.Up = f.up.Rate(now)
	}
	return r
}

// lateUp returns the upload rate over twenty seconds.
func (s *Swarm) lateUp() float64 {
	if s.traffic.flows == nil {
		return 0
	}
	return s.traffic.flows.slowUp.Rate(s.now)
}
