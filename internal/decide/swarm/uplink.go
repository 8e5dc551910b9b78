package swarm

import (
	"time"

	"shoal/internal/value/mono"
)

// Under an upload limit we unchoke few peers, so that each gets a useful rate (decision
// 0087). But an unchoked peer may want little of what we have at the moment, as in a young
// swarm where each peer has other pieces; then the uplink would idle while others wait. So we
// add a slot each time the uplink idles, and take it back when it no longer does.
const (
	// idleUplink is how long no request may wait before we unchoke another peer.
	idleUplink = 400 * time.Millisecond
	// spareSlots bounds the added slots, as a multiple of the configured ones.
	spareSlots = 2
)

// uplink is how well we use the upload limit.
type uplink struct {
	idleAt mono.Time // start of the time without requests; Never while a request waits
	spare  int       // added slots
	busy   bool      // a request waited at each look since the last round
}

// allSlots returns how many peers we may unchoke now.
func (s *Swarm) allSlots() int {
	if s.cfg.Slots <= 0 {
		return s.cfg.Slots
	}
	return s.cfg.Slots + s.slots.uplink.spare
}

// watchUplink adds a slot when the uplink idles and others wait.
func (s *Swarm) watchUplink() {
	u := &s.slots.uplink
	if s.slots.upLimit <= 0 || s.cfg.Slots <= 0 || s.inactive() || s.peers.count == 0 {
		return
	}
	waits := false
	for p := range s.peers.all() {
		if !p.asksNothing() && s.now < s.idleAt(p, movesAfter) {
			u.idleAt = mono.Never
			return
		}
		waits = waits || p.ours.choked && p.theirs.interested && s.now >= p.upload.use.vain
	}
	u.busy = false
	if !waits || u.spare >= spareSlots*s.cfg.Slots {
		u.idleAt = mono.Never
		return
	}
	if u.idleAt == mono.Never {
		u.idleAt = s.now
	}
	if s.now >= u.idleAt.Add(idleUplink) {
		u.spare++
		u.idleAt = s.now
		s.slots.choker.SetSlots(s.allSlots())
		s.fillSlots()
	}
	s.wakeBy(u.idleAt.Add(idleUplink))
}

// roundOfUplink takes back an added slot that we do not need: the uplink was never idle since
// the last round.
func (s *Swarm) roundOfUplink() {
	if u := &s.slots.uplink; u.spare > 0 && u.busy {
		u.spare--
		s.slots.choker.SetSlots(s.allSlots())
	}
	s.slots.uplink.busy = true
}
