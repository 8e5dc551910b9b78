package swarm

import (
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/value/mono"
)

// Changes that the user makes to the sources of peers and data while the torrent runs.

// AddTracker adds a tracker to a tier. It reports false when the torrent has it already, or has
// as many as it can.
func (s *Swarm) AddTracker(now mono.Time, url string, tier int) bool {
	s.now = now
	added := s.trackers.Add(now, url, tier)
	s.seek()
	return added
}

// RemoveTracker removes a tracker and sends it "stopped". It reports false when there is none.
func (s *Swarm) RemoveTracker(now mono.Time, url string) bool {
	s.now = now
	farewell, ok := s.trackers.Remove(now, url)
	for _, r := range farewell {
		s.announce(r)
	}
	s.seek()
	return ok
}

// searchAgain is the least time between the start of the last DHT search and one that the user
// wants: a search sends a hundred packets.
const searchAgain = announce.MinInterval

// AnnouncedNow is the result of AnnounceNow. DHT is zero when the torrent does not use it.
type AnnouncedNow struct {
	Trackers []announce.Urged
	DHT      announce.Urged
	InDHT    bool
}

// AnnounceNow announces to all trackers and in the DHT as soon as their rules allow. It reports
// false while the torrent does not run.
func (s *Swarm) AnnounceNow(now mono.Time) (a AnnouncedNow, ok bool) {
	s.now = now
	if s.inactive() || !s.started {
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

// HasWeb reports whether the machine of web seeds exists, so that AddWebSeed can add to it.
func (s *Swarm) HasWeb() bool { return s.web != nil }

// SetWeb sets the web seeds for the next time that something must be fetched.
func (s *Swarm) SetWeb(web func() webplan.Config) { s.cfg.Web = web }

// AddWebSeed adds a web seed to the running machine.
func (s *Swarm) AddWebSeed(now mono.Time, seed webplan.Seed) {
	s.now = now
	s.web.seeds = append(s.web.seeds, webSeed{Seed: seed})
	s.web.plan.Add(seed)
	s.wakeBy(now)
}
