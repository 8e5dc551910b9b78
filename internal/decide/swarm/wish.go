package swarm

import (
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/value/mono"
)

// What the user changes of where peers and data come from, while the torrent runs.

// AddTracker adds a tracker to a tier. It reports false where the torrent has it already, or has
// as many as it can.
func (s *Swarm) AddTracker(now mono.Time, url string, tier int) bool {
	s.now = now
	added := s.trackers.Add(now, url, tier)
	s.seek()
	return added
}

// RemoveTracker removes a tracker and takes leave of it. It reports false where there is none.
func (s *Swarm) RemoveTracker(now mono.Time, url string) bool {
	s.now = now
	farewell, ok := s.trackers.Remove(now, url)
	for _, r := range farewell {
		s.announce(r)
	}
	s.seek()
	return ok
}

// searchAgain is how long the user's wish waits after the last search of the DHT began: a
// search sends a hundred packets.
const searchAgain = announce.MinInterval

// AnnouncedNow is what becomes of the user's wish. DHT is zero where the torrent is not in it.
type AnnouncedNow struct {
	Trackers []announce.Urged
	DHT      announce.Urged
	InDHT    bool
}

// AnnounceNow announces to all trackers and in the DHT as soon as their rules allow. It reports
// false while the torrent does not run.
func (s *Swarm) AnnounceNow(now mono.Time) (a AnnouncedNow, ok bool) {
	s.now = now
	if s.idle() || !s.started {
		return a, false
	}
	a.Trackers = s.trackers.Urge(now)
	if a.InDHT = s.searches(); a.InDHT {
		switch again := s.search.began.Add(searchAgain); {
		case s.search.running:
			a.DHT.Sent = true
		case s.search.done > 0 && again > now:
			a.DHT.Next = again
		default:
			a.DHT.Sent, s.search.urged, s.search.at = true, true, now
		}
	}
	s.seek()
	return a, true
}

// HasWeb reports whether the machine of web seeds runs already, so that AddWebSeed adds to it.
func (s *Swarm) HasWeb() bool { return s.web != nil }

// SetWeb says where data comes from besides peers, for when something is to be fetched next.
func (s *Swarm) SetWeb(web func() webplan.Config) { s.cfg.Web = web }

// AddWebSeed adds a web seed to those that are asked.
func (s *Swarm) AddWebSeed(now mono.Time, seed webplan.Seed) {
	s.now = now
	s.web.seeds = append(s.web.seeds, webSeed{Seed: seed})
	s.web.plan.Add(seed)
	s.due(now)
}
