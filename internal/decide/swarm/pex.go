package swarm

import (
	"net/netip"

	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/wire"
	"shoal/internal/value/ipscope"
	"shoal/internal/value/why"
)

// Peer exchange (BEP 11): we name other peers to each peer that speaks it, and it names peers
// to us. Private torrents do not take part (BEP 27).

// pexSpoken starts peer exchange with a peer that speaks it. The state outlives a peer's
// switching it off: off and on again does not let it send more often.
func (s *Swarm) pexSpoken(p *peer) {
	if !s.speaksPex(p) {
		return
	}
	p.theirs.startPex(s.now)
	s.wakeBy(p.theirs.pex.Deadline())
}

func (s *Swarm) speaksPex(p *peer) bool { return p.theirs.ext.IDs.Speaks(wire.UTPex) && !s.cfg.Private }

// tickPex sends a peer the names of others when it is time.
func (s *Swarm) tickPex(p *peer) {
	if p.theirs.pex == nil || !s.speaksPex(p) {
		return
	}
	if s.now >= p.theirs.pex.Deadline() {
		if m, ok := p.theirs.pex.Tell(s.now, s.mayKnow(p), s.rng); ok {
			r := record(why.Periodic)
			r.N = int64(len(m.Added) + len(m.Dropped))
			s.say(p, wire.AppendPex(p.out.bytes, p.theirs.ext.IDs[wire.UTPex], m), "peer exchange", r)
		}
	}
	s.wakeBy(p.theirs.pex.Deadline())
}

// mayKnow returns the peers that we may name to p: those that others can connect to, at
// addresses that are reachable from p. To a peer that wants nothing we name only peers that
// want something.
func (s *Swarm) mayKnow(p *peer) []wire.PexPeer {
	var all []wire.PexPeer
	for q := range s.peers.all() {
		if q == p || q.out.gone {
			continue
		}
		addr := q.reachedAt()
		if !addr.IsValid() || addr == p.reachedAt() || !ipscope.Credible(p.addr.Addr(), addr.Addr()) {
			continue
		}
		if addr.Addr().IsLinkLocalUnicast() {
			continue // it is valid on one link only, and the message has no room to say which
		}
		flags := uint8(0)
		if q.dialled {
			flags |= wire.PexConnectable
		}
		if q.theirs.ext.IDs.Speaks(wire.Holepunch) {
			flags |= wire.PexHolepunch
		}
		if s.wantsNothing(q) {
			if s.wantsNothing(p) {
				continue
			}
			flags |= wire.PexSeed
		}
		all = append(all, wire.PexPeer{Addr: addr, Flags: flags})
	}
	return all
}

// reachedAt returns where others can connect to the peer; invalid when unknown.
func (p *peer) reachedAt() netip.AddrPort {
	if p.dialled {
		return p.addr
	}
	return p.listens
}

// wantsNothing reports whether a peer has everything, or announces that it wants nothing.
func (s *Swarm) wantsNothing(p *peer) bool {
	if s.magnet != nil {
		return p.theirs.ext.UploadOnly || p.theirs.early != nil && p.theirs.early.all
	}
	return p.complete() || p.theirs.ext.UploadOnly
}

// theirPex takes the peers that a peer names. It ignores addresses that the peer can't know;
// seeds are useless to us when we need nothing.
func (s *Swarm) theirPex(p *peer, body []byte) error {
	if p.theirs.pex == nil || !s.speaksPex(p) {
		return nil // the torrent is private, or the peer announces no ut_pex
	}
	m, err := wire.ParsePex(body)
	if err != nil {
		return err
	}
	added, err := p.theirs.pex.Hear(s.now, m)
	if err != nil {
		s.drop(p, why.Protocol, err.Error())
		return nil
	}
	for _, a := range added {
		switch {
		case !ipscope.Credible(p.addr.Addr(), a.Addr.Addr()):
		case a.Flags&wire.PexSeed != 0 && !s.needs():
		default:
			s.book.Add(s.now, peerbook.PEX, a.Addr, nil)
		}
	}
	return nil
}
