package shoal

import (
	"testing"
	"time"
)

// How long the rest takes, and when that cannot be said.
func TestETA(t *testing.T) {
	half := Stats{State: StateDownloading, Size: 2000, Verified: 1000, DownRate: 50, DownMean: 100, Peers: 1}
	with := func(change func(s *Stats)) Stats {
		s := half
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		s    Stats
		want time.Duration
		ok   bool
	}{
		"by the mean, not by the moment":  {half, 10 * time.Second, true},
		"some is left out":                {with(func(s *Stats) { s.Unwanted, s.UnwantedVerified = 600, 100 }), 5 * time.Second, true},
		"nothing comes":                   {with(func(s *Stats) { s.DownRate = 0 }), 0, false},
		"nothing came for long":           {with(func(s *Stats) { s.DownMean = 0 }), 0, false},
		"held up":                         {with(func(s *Stats) { s.State = StateStalled }), 0, false},
		"complete":                        {with(func(s *Stats) { s.State = StateSeeding }), 0, false},
		"a peer has what nobody else has": {with(func(s *Stats) { s.Unavailable = 3 }), 10 * time.Second, true},
		"the web seed lacks a file":       {with(func(s *Stats) { s.Peers, s.Unavailable = 0, 3 }), 0, false},
		"a check":                         {Stats{State: StateChecking, Pieces: 10, Checked: 4, PieceLength: 100, CheckRate: 200}, 3 * time.Second, true},
		"a check that has just begun":     {Stats{State: StateChecking, Pieces: 10, PieceLength: 100}, 0, false},
	} {
		if got, ok := c.s.ETA(); got != c.want || ok != c.ok {
			t.Errorf("%s: %v, %v; want %v, %v", name, got, ok, c.want, c.ok)
		}
	}
}
