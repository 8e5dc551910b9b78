package swarm

import (
	"fmt"
	"net/netip"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// A torrent that is full would keep whoever came first, however little comes of it. So
// where others wait, a few of those of whom nothing came lose their places; and who comes
// by itself may take the place of one (BEP 40: by a rank that nobody can choose).
const (
	// turnoverEvery is how often places are given up. A round of choking takes 10 s and
	// every third has an optimistic unchoke, so each peer has had its chance by then.
	turnoverEvery = 90 * time.Second
	// settledAfter is how long a new peer is left to show what it gives.
	settledAfter = 2 * time.Minute
	// turnoverPart is which part of the peers may lose their places at once.
	turnoverPart = 25
)

// full reports whether there is no room for another connection.
func (s *Swarm) full() bool { return s.peers.count+len(s.dials) >= s.cfg.MaxPeers }

// turnOver gives up the places of those of whom nothing comes, where others wait for
// them.
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

// makePlace gives a place to a peer that has come by itself, when there is one of
// whom nothing comes and whose rank is lower.
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

// idlest gives the peer of whom least comes: nothing for some time, in the direction that
// counts. nil when something comes of all of them, or they have not been here for long.
func (s *Swarm) idlest() (worst *peer) {
	for p := range s.peers.all() {
		if s.now < p.joined.Add(settledAfter) || s.book.FromUser(p.addr) || s.gives(p) {
			continue
		}
		if worst == nil || s.worse(p, worst) {
			worst = p
		}
	}
	return worst
}

// gives reports whether anything comes of a peer: what we want, or, where we want nothing,
// somebody who takes it.
func (s *Swarm) gives(p *peer) bool {
	if s.wants() {
		return p.download.down.Rate(s.now) > 0 || p.download.requests.len() > 0
	}
	return p.upload.up.Rate(s.now) > 0 || p.upload.queue.len() > 0 && s.now < s.idleAt(p, movesAfter)
}

// worse reports whether less is to be expected of p than of q: of those that want
// nothing of each other least, then of those that have taken less, then of who came
// first.
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

// needless returns the first peer, of those that had time to say what they have and want, with
// which neither side can do anything at the moment; nil for none.
func (s *Swarm) needless() (first *peer) {
	if s.bare != nil {
		return nil // metadata comes from peers that nobody is interested in yet
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

// Spare gives up one connection, since another torrent of the engine has more need of it: that
// of a peer that only holds a place, or with which nothing can be done at the moment, or of
// which nothing comes; else of the one of which least comes.
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

// slower reports whether less comes of p than of q at the moment.
func (s *Swarm) slower(p, q *peer) bool {
	if s.wants() {
		return p.download.down.Rate(s.now) < q.download.down.Rate(s.now)
	}
	return p.upload.up.Rate(s.now) < q.upload.up.Rate(s.now)
}

// replace ends the connection with a peer so that another may have its place. It is not
// dialled again for long: the others would never have their turn.
func (s *Swarm) replace(p *peer, text string) {
	s.drop(p, why.OthersWait, fmt.Sprintf("nothing has come of it for %v, and %s", s.now.Sub(p.joined).Round(time.Second), text))
	for _, addr := range [...]netip.AddrPort{p.addr, p.listens} {
		if addr.IsValid() {
			s.book.Parted(s.now, addr)
		}
	}
}
