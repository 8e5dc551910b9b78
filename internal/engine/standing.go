package engine

import (
	"strings"
	"sync/atomic"

	"shoal/internal/decide/obstacle"
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/value/mono"
)

// callers counts the peers that reach this engine. A user whose torrents get no peers needs
// to know whether there are any.
type callers struct{ arrived atomic.Int64 }

// came counts a peer that dialled us and completed the handshakes.
func (r *callers) came() { r.arrived.Add(1) }

// ever reports whether any peer has reached us.
func (r *callers) ever() bool { return r.arrived.Load() > 0 }

// Reached returns the number of peers that have dialled this engine.
func (e *Engine) Reached() int64 { return e.callers.arrived.Load() }

// causes sets what the torrent of a snapshot waits for, and since when.
func (p *publisher) causes(now mono.Time, s *Stats) {
	f := p.facts(now, s)
	s.Waiting = obstacle.Of(&f)
	if len(s.Waiting) > 0 {
		obstacle.Carry(p.latest.Load().Waiting, s.Waiting, now)
	}
}

// facts collects the facts from which obstacle finds the causes.
func (p *publisher) facts(now mono.Time, s *Stats) obstacle.Facts {
	t, w := p.t, &s.Swarm
	f := obstacle.Facts{State: stateFor(s)}
	switch f.State {
	case obstacle.Stalled, obstacle.Missing:
		if s.Err != nil {
			f.Err = s.Err.Error()
		}
		if f.Retry = t.content.Deadline(); f.Retry == mono.Never {
			f.Retry = 0
		}
		return f
	case obstacle.Fetching, obstacle.NoMetadata:
	default:
		return f
	}
	if f.Moving = w.Rates.Down > 0; f.Moving && f.State == obstacle.Fetching {
		return f
	}
	f.LastData = w.Rates.LastDown
	f.Peers, f.Known, f.Dialling, f.NextDial = w.Peers, w.Known, w.Dialling, w.NextDial
	f.Useful, f.Choking, f.Asked = w.Stand.Useful, w.Stand.Choking, w.Stand.Asked
	f.Missing, f.Nobody = int64(w.Wanted)-int64(w.WantedHave), int64(w.Stand.Nobody)
	c := &w.Contacts
	f.Dials = obstacle.Dials{
		Begun: int64(c.Dialled), Closed: int64(c.Closed), Unanswered: int64(c.Refused + c.TimedOut + c.Unreachable + c.Other),
	}
	f.Private = t.private.Load()
	f.DHT, f.Nodes = t.e.node != nil, s.DHT
	f.Port, f.Reached = t.e.port(false), t.e.callers.ever()
	for i := range w.Trackers {
		f.Trackers = append(f.Trackers, trackerSource(&w.Trackers[i]))
	}
	for i := range w.WebSeeds {
		ws := &w.WebSeeds[i]
		src := obstacle.Source{URL: ws.URL, Err: ws.Err, Alive: ws.State != "given up" && ws.State != "failing", Next: ws.Retry}
		if ws.Lacks > 0 {
			src.Lacks, src.LackErr = int64(ws.Lacks), t.Lacking(ws.Status)
		}
		if ws.State == "given up" {
			src.Next = mono.Never
		}
		f.WebSeeds = append(f.WebSeeds, src)
	}
	if f.State == obstacle.NoMetadata {
		m := &s.Metadata
		f.Meta = obstacle.Meta{
			Got: m.Got, Size: m.Size, Sources: m.Sources, TooLarge: m.TooLarge, TooLargeSize: m.TooLargeSize, Limit: m.Limit,
		}
	}
	return f
}

// Lacking returns what is wrong with the last file that a web seed serves wrongly or not at
// all; empty while the seed serves all that we request.
func (t *Torrent) Lacking(s webplan.Status) string {
	if s.Lacks == 0 || s.Lacked < 0 || s.Lacked >= len(t.Info().Files) || !t.Info().MultiFile {
		return s.LackErr
	}
	return strings.Join(t.Info().Files[s.Lacked].Path, "/") + ": " + s.LackErr
}

func trackerSource(s *announce.TrackerStatus) obstacle.Source {
	src := obstacle.Source{
		URL: s.URL, Err: s.Err, Alive: s.State == announce.Working || s.State == announce.Waiting,
		Asking: s.State == announce.Asking, Next: s.Next,
	}
	switch s.State {
	case announce.GivenUp, announce.Unsupported:
		src.Next = mono.Never
		if src.Err == "" {
			src.Err = s.State.String()
		}
	}
	return src
}

func stateFor(s *Stats) obstacle.State {
	switch s.State {
	case Downloading:
		return obstacle.Fetching
	case Metadata:
		return obstacle.NoMetadata
	case Stalled:
		return obstacle.Stalled
	case Missing:
		return obstacle.Missing
	case Paused:
		return obstacle.Resting
	case Queued:
		return obstacle.InLine
	}
	return obstacle.Other
}
