package swarm

import (
	"time"

	"shoal/internal/value/mono"
)

// Under a limit of the upload a few peers are unchoked, so that each gets enough to be
// worth it (decision 0087). But who is unchoked may want little of what we have at the
// moment, as in a young swarm where each has got other pieces; then the uplink would idle
// while others wait. So a slot is added for each time that it does, and taken back when it
// does not any more.
const (
	// idleUplink is how long nothing is asked for until another peer is unchoked.
	idleUplink = 400 * time.Millisecond
	// spareSlots bounds the slots that are added, as a multiple of those that there are.
	spareSlots = 2
)

// uplink is what is known of how well the limit of the upload is used.
type uplink struct {
	idleAt mono.Time // since when nothing is asked for; Never while something is
	spare  int       // slots added
	busy   bool      // something was asked for at each look since the last round
}

// allSlots is how many peers may be unchoked now.
func (s *Swarm) allSlots() int {
	if s.cfg.Slots <= 0 {
		return s.cfg.Slots
	}
	return s.cfg.Slots + s.slots.uplink.spare
}

// watchUplink adds a slot where the uplink idles and others wait.
func (s *Swarm) watchUplink() {
	u := &s.slots.uplink
	if s.slots.upLimit <= 0 || s.cfg.Slots <= 0 || s.idle() || s.peers.count == 0 {
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
	s.due(u.idleAt.Add(idleUplink))
}

// roundOfUplink takes a slot back that is not needed: the uplink was never idle since the
// last round.
func (s *Swarm) roundOfUplink() {
	if u := &s.slots.uplink; u.spare > 0 && u.busy {
		u.spare--
		s.slots.choker.SetSlots(s.allSlots())
	}
	s.slots.uplink.busy = true
}
