package swarm

import (
	"net/netip"

	"shoal/internal/decide/lobby"
	"shoal/internal/value/mono"
)

// A full torrent would turn away the only seed for the sake of peers that shook hands, have
// nothing and request nothing. So such a peer is vacant: it holds its place only until
// another peer comes. Its place counts as free for a few dials at a time, and for a peer that
// dials us. Of several vacant peers we drop the one whose network, or IPv6 site, holds most
// places. A newcomer whose own network holds more than theirs gets none of them, so one party
// can't push the others out.

// turnover schedules when places change hands.
type turnover struct {
	at    mono.Time // next time when idle peers may lose their places
	dials int       // dials that vacant peers' places still allow until the next round
}

// roomToDial reports whether we may make one more dial: into a free place, or the place of a
// vacant peer.
func (s *Swarm) roomToDial() bool {
	if !s.full() {
		return true
	}
	if s.slots.turn.dials == 0 || s.peers.count-s.vacancies()+len(s.dials) >= s.cfg.MaxPeers {
		return false
	}
	s.slots.turn.dials--
	return true
}

// vacant reports whether a peer only holds a place: by now it would have announced a piece or
// its interest. A peer that is interested and then leaves its slot unused counts as vacant,
// too.
func (s *Swarm) vacant(p *peer) bool {
	if s.now < p.joined.Add(speaksAfter) || s.book.FromUser(p.addr) || p.ours.interesting || p.mask != nil || p.download.down.Total() > 0 {
		return false
	}
	if p.theirs.interested {
		return s.magnet == nil && (s.unused(p) || s.swallowed(p))
	}
	if p.upload.up.Total() > 0 {
		return false
	}
	if s.magnet != nil {
		return p.theirs.early.none() && p.theirs.ext.MetaBytes == 0
	}
	return p.theirs.have.None()
}

// none reports whether the peer has announced no piece.
func (e *early) none() bool {
	if e == nil {
		return true
	}
	for _, b := range e.bits {
		if b != 0 {
			return false
		}
	}
	return !e.all
}

// vacancies counts the vacant peers.
func (s *Swarm) vacancies() (n int) {
	for p := range s.peers.all() {
		if s.vacant(p) {
			n++
		}
	}
	return n
}

// vacantFor returns the vacant peer that loses its place to a newcomer; nil: none. An invalid
// address stands for a newcomer to another torrent.
func (s *Swarm) vacantFor(newcomer netip.AddrPort) (worst *peer) {
	weights := lobby.NewWeights(s.cfg.MaxPeers)
	for p := range s.peers.all() {
		weights.Add(p.addr.Addr())
	}
	most := 0
	for p := range s.peers.all() {
		if !s.vacant(p) {
			continue
		}
		n := weights.Of(p.addr.Addr())
		if newcomer.IsValid() && !weights.OneParty(p.addr.Addr(), newcomer.Addr()) && n <= weights.Of(newcomer.Addr()) {
			continue
		}
		if worst == nil || n > most || n == most && p.joined < worst.joined {
			worst, most = p, n
		}
	}
	return worst
}
