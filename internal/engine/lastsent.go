package engine

import (
	"net/netip"

	"shoal/internal/decide/lineup"
	"shoal/internal/decide/upkeep"
	"shoal/internal/value/why"
)

// lastSent is what the swarm, the queue and the local network know of a torrent: they hear of
// changes only.
//
//shoal:part
type lastSent struct {
	outside *[]netip.Addr // to the swarm: our addresses as the world sees them
	mode    upkeep.Mode   // to the swarm
	resting bool          // to the swarm
	restWhy why.Why       // and the reason
	want    lineup.Want   // to the queue
	nearby  bool          // the local network is asked for peers
}

// began notes with what a new swarm begins.
func (s *lastSent) began() { s.mode = upkeep.Run }

func (s *lastSent) run(mode upkeep.Mode, resting bool, reason why.Why) {
	s.mode, s.resting, s.restWhy = mode, resting, reason
}

// wants reports whether the queue does not know yet what the torrent wants.
func (s *lastSent) wants(w lineup.Want) bool {
	news := w != s.want
	s.want = w
	return news
}

// outsideIs reports whether the swarm does not know our addresses yet.
func (s *lastSent) outsideIs(addrs *[]netip.Addr) bool {
	news := addrs != s.outside
	s.outside = addrs
	return news
}

// nearbyIs reports whether the search on the local network begins or ends.
func (s *lastSent) nearbyIs(on bool) bool {
	news := on != s.nearby
	s.nearby = on
	return news
}
