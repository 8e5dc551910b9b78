package engine

import (
	"shoal/internal/decide/swarm"
	"shoal/internal/net/netio"
)

// fault returns the class of a failure, for the swarm's counters.
func (f *failure) fault() swarm.Fault {
	switch netio.CauseOf(f.err) {
	case netio.Closed, netio.Reset:
		return swarm.FaultClosed
	case netio.Refused:
		return swarm.FaultRefused
	case netio.TimedOut:
		return swarm.FaultTimedOut
	case netio.Unreachable:
		return swarm.FaultUnreachable
	}
	return swarm.FaultOther
}
