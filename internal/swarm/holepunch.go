package swarm

import (
	"shoal/internal/trace"
	"shoal/internal/why"
	"shoal/internal/wire"
)

// theirPunch takes a ut_holepunch message (BEP 55). We announce no id for it, since
// we can't dial at a given moment from the port that we listen at; who sends one all
// the same and wants us for a relay is told so, if it understands the answer.
func (s *Swarm) theirPunch(p *peer, body []byte) error {
	m, err := wire.ParsePunch(body)
	if err != nil || m.Type != wire.PunchRendezvous || !p.ext.IDs.Speaks(wire.Holepunch) {
		return err
	}
	p.out = wire.AppendPunch(p.out, p.ext.IDs[wire.Holepunch], wire.Punch{Type: wire.PunchError, Addr: m.Addr, Err: wire.PunchNoSupport})
	if s.tracing() {
		s.note(trace.Sent, trace.Peer, p, wire.Holepunch.String(), bare(why.TheyAsked))
	}
	s.touch(p)
	return nil
}
