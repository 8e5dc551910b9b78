package swarm

import (
	"net/netip"

	"shoal/internal/decide/lobby"
	"shoal/internal/value/mono"
)

// A full torrent would turn away the only seed for the sake of peers that shook hands, have
// nothing and ask for nothing. So such a peer holds its place only until another comes:
// its place counts as free for dials, a few at a time, and for a peer that comes by itself.
// Of several the one goes whose network, or IPv6 site, holds most places; a newcomer whose
// own holds more than theirs gets none of them, so one party cannot push the others out.

// turnover is when places change hands.
type turnover struct {
	at    mono.Time // when idle peers may lose their places next
	dials int       // dials that may still be made for the places of vacant peers, until the next round
}

// roomToDial reports whether one more dial may be made: there is a free place for it, or
// that of a vacant peer.
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

// vacant reports whether a peer only holds a place: by now it would have said what it has,
// or that it wants something. One that says so and then leaves its slot unused is no better.
func (s *Swarm) vacant(p *peer) bool {
	if s.now < p.joined.Add(speaksAfter) || s.book.FromUser(p.addr) || p.ours.interesting || p.mask != nil || p.download.down.Total() > 0 {
		return false
	}
	if p.theirs.interested {
		return s.bare == nil && (s.unused(p) || s.swallowed(p))
	}
	if p.upload.up.Total() > 0 {
		return false
	}
	if s.bare != nil {
		return p.theirs.early.none() && p.theirs.ext.MetaBytes == 0
	}
	return p.theirs.have.None()
}

// none reports whether nothing was said of any piece.
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

// vacantFor returns the vacant peer that gives its place up for a newcomer, nil for none. An
// invalid address stands for a newcomer of another torrent.
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
