package swarm

import (
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// files is whether we can use the torrent's files.
//
//shoal:part
type files struct {
	held         bool // writes fail
	heldAt       mono.Time
	heldLong     bool // held for kindAfter: peers know that we want nothing
	suspended    bool // the files can't be used, or the torrent must not run
	suspendedFor why.Why
}

func (f *files) hold(now mono.Time, on bool) { f.held, f.heldAt, f.heldLong = on, now, false }

func (f *files) peersKnow() { f.heldLong = true }

func (f *files) suspend(on bool, reason why.Why) { f.suspended, f.suspendedFor = on, reason }
