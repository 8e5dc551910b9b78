package engine

import (
	"net/netip"

	"shoal/internal/decide/filestate"
	"shoal/internal/decide/quota"
	"shoal/internal/value/why"
)

// lastSent is what the torrent last sent to the swarm, the queue and the local network, which
// receive changes only.
//
//shoal:part
type lastSent struct {
	outside *[]netip.Addr  // swarm: our external addresses
	mode    filestate.Mode // swarm: mode of the files
	resting bool           // swarm: the torrent rests
	restWhy why.Why        // swarm: reason of the latest change
	want    quota.Want     // queue: what the torrent wants
	nearby  bool           // local network: we announce the torrent
}

// began notes the mode in which a new swarm begins.
func (s *lastSent) began() { s.mode = filestate.Run }

func (s *lastSent) run(mode filestate.Mode, resting bool, reason why.Why) {
	s.mode, s.resting, s.restWhy = mode, resting, reason
}

// wants notes what the torrent wants, and reports whether that is new to the queue.
func (s *lastSent) wants(w quota.Want) bool {
	news := w != s.want
	s.want = w
	return news
}

// outsideIs notes our external addresses, and reports whether they are new to the swarm.
func (s *lastSent) outsideIs(addrs *[]netip.Addr) bool {
	news := addrs != s.outside
	s.outside = addrs
	return news
}

// nearbyIs notes whether we announce on the local network, and reports whether that changed.
func (s *lastSent) nearbyIs(on bool) bool {
	news := on != s.nearby
	s.nearby = on
	return news
}
