package engine

import (
	"errors"
	"net/netip"

	"shoal/internal/decide/swarm"
	"shoal/internal/net/netio"
	"shoal/internal/value/mono"
)

// failure reports an address that we could not connect to, and why.
type failure struct {
	toSwarm
	addr netip.AddrPort
	err  error
}

func (f *failure) apply(t *Torrent, now mono.Time) {
	if errors.Is(f.err, errNoRoom) {
		t.swarm.PutOff(now, f.addr)
		t.lineUp()
		return
	}
	t.swarm.DialFailed(now, f.addr, f.fault(), netio.Plain(f.err).Error())
	t.e.roomFor() // for another torrent
}

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
