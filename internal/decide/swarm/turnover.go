package swarm

import (
	"fmt"
	"net/netip"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Without turnover a full torrent would keep its first peers, however useless. So while other
// peers wait, a few of those that bring nothing lose their places; and a peer that dials us
// may take the place of one (BEP 40: by a rank that no peer can choose).
const (
	// turnoverEvery is how often peers lose their places. A round of choking takes 10 s and
	// every third has an optimistic unchoke, so each peer has had its chance by then.
	turnoverEvery = 90 * time.Second
	// settledAfter is how long a new peer has to show what it brings.
	settledAfter = 2 * time.Minute
	// turnoverPart bounds how many peers may lose their places at once: one in turnoverPart.
	turnoverPart = 25
)

// full reports whether the torrent is at its limit of connections.
func (s *Swarm) full() bool { return s.peers.count+len(s.dials) >= s.cfg.MaxPeers }

// turnOver drops peers that bring nothing, while known addresses wait for their places.
func (s *Swarm) turnOver() {
	few := max(1, s.cfg.MaxPeers/turnoverPart)
	s.slots.turn.dials = few
	if s.now < s.slots.turn.at || !s.full() {
		return
	}
	for range few {
		if s.book.Available(s.now) == 0 {
			return
		}
		p := s.idlest()
		if p == nil {
			return
		}
		s.replace(p, "known addresses wait for a place")
		s.slots.turn.at = s.now.Add(turnoverEvery)
	}
}

// makePlace makes room for a peer that dialled us, if another peer is vacant, or brings
// nothing and has a lower rank.
func (s *Swarm) makePlace(newcomer *peer) bool {
	if p := s.vacantFor(newcomer.addr); p != nil {
		s.replace(p, "another peer has come")
		return true
	}
	p := s.idlest()
	if p == nil || s.book.Rank(newcomer.addr) <= s.book.Rank(p.addr) {
		return false
	}
	s.replace(p, "another peer has come")
	return true
}

// idlest returns the least useful of the peers that have brought nothing for some time, in
// the direction that counts. nil when every peer brings something or is too new.
func (s *Swarm) idlest() (worst *peer) {
	for p := range s.peers.all() {
		if s.now < p.joined.Add(settledAfter) || s.book.FromUser(p.addr) || s.brings(p) {
			continue
		}
		if worst == nil || s.worse(p, worst) {
			worst = p
		}
	}
	return worst
}

// brings reports whether a peer is of use: it sends what we want or, when we want nothing, it
// takes what we have.
func (s *Swarm) brings(p *peer) bool {
	if s.wants() {
		return p.download.down.Rate(s.now) > 0 || p.download.requests.len() > 0
	}
	return p.upload.up.Rate(s.now) > 0 || p.upload.queue.len() > 0 && s.now < s.idleAt(p, movesAfter)
}

// worse reports whether we expect less of p than of q. First come peers that want nothing of
// each other, then peers that have moved fewer bytes, then those that joined first.
func (s *Swarm) worse(p, q *peer) bool {
	rank := func(p *peer) int {
		switch {
		case !p.ours.interesting && !p.theirs.interested:
			return 0
		case s.wants() && !p.ours.interesting, !s.wants() && !p.theirs.interested:
			return 1
		}
		return 2
	}
	if a, b := rank(p), rank(q); a != b {
		return a < b
	}
	if a, b := p.download.down.Total()+p.upload.up.Total(), q.download.down.Total()+q.upload.up.Total(); a != b {
		return a < b
	}
	return p.joined < q.joined
}

// needless returns the longest connected peer with which neither side can do anything at the
// moment, of those that had time to announce their pieces and interest; nil: none.
func (s *Swarm) needless() (first *peer) {
	if s.magnet != nil {
		return nil // metadata comes from peers in which we have no interest yet
	}
	for p := range s.peers.all() {
		if s.now < p.joined.Add(speaksAfter) || p.ours.interesting || p.theirs.interested || p.mask != nil ||
			p.download.requests.len() > 0 || p.upload.queue.len() > 0 {
			continue
		}
		if first == nil || p.joined < first.joined {
			first = p
		}
	}
	return first
}

// Spare gives up one connection, because another torrent of the engine needs it more: that of
// a vacant peer, else of one with which we can do nothing at the moment, else of one that
// brings nothing, else of the slowest.
func (s *Swarm) Spare(now mono.Time) {
	s.now = now
	worst := s.vacantFor(netip.AddrPort{})
	if worst == nil {
		worst = s.needless()
	}
	if worst == nil {
		worst = s.idlest()
	}
	if worst == nil {
		for p := range s.peers.all() {
			if worst == nil || s.slower(p, worst) {
				worst = p
			}
		}
	}
	if worst != nil {
		s.drop(worst, why.NoRoom, "another torrent has more need of the connection")
		for _, addr := range [...]netip.AddrPort{worst.addr, worst.listens} {
			if addr.IsValid() {
				s.book.Spared(s.now, addr)
			}
		}
	}
}

// slower reports whether p moves less than q at the moment.
func (s *Swarm) slower(p, q *peer) bool {
	if s.wants() {
		return p.download.down.Rate(s.now) < q.download.down.Rate(s.now)
	}
	return p.upload.up.Rate(s.now) < q.upload.up.Rate(s.now)
}

// replace ends the connection with a peer so that another gets its place. We do not dial it
// again for long: otherwise the others would never have their turn.
func (s *Swarm) replace(p *peer, text string) {
	s.drop(p, why.OthersWait, fmt.Sprintf("it brought nothing in %v, and %s", s.now.Sub(p.joined).Round(time.Second), text))
	for _, addr := range [...]netip.AddrPort{p.addr, p.listens} {
		if addr.IsValid() {
			s.book.Parted(s.now, addr)
		}
	}
}
