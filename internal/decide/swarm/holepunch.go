package swarm

import (
	"shoal/internal/format/wire"
	"shoal/internal/value/why"
)

// theirPunch takes a ut_holepunch message (BEP 55). We announce no id for it, since we can't
// dial at a given moment from the port on which we listen. A peer that asks us to relay gets
// an error message if it announces an id for the answer.
func (s *Swarm) theirPunch(p *peer, body []byte) error {
	m, err := wire.ParsePunch(body)
	if err != nil || m.Type != wire.PunchRendezvous || !p.theirs.ext.IDs.Speaks(wire.Holepunch) {
		return err
	}
	s.say(p, wire.AppendPunch(p.out.bytes, p.theirs.ext.IDs[wire.Holepunch], wire.Punch{Type: wire.PunchError, Addr: m.Addr, Err: wire.PunchNoSupport}), wire.Holepunch.String(), record(why.TheyAsked))
	return nil
}
