package swarm

import (
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// files is whether the torrent's files can be used.
//
//shoal:part
type files struct {
	held         bool // they take nothing
	heldAt       mono.Time
	heldLong     bool // for so long that peers know
	suspended    bool // they can't be used, or the torrent is not to run
	suspendedFor why.Why
}

func (f *files) hold(now mono.Time, on bool) { f.held, f.heldAt, f.heldLong = on, now, false }

func (f *files) peersKnow() { f.heldLong = true }

func (f *files) suspend(on bool, reason why.Why) { f.suspended, f.suspendedFor = on, reason }
