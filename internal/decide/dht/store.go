package dht

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
)

// store keeps the peers that others announced to us (BEP 5), each for peerLife since its
// last announce. It is bounded in info-hashes, in peers of one, and in what one address
// may leave here.
type store struct {
	maxHashes, maxPeers int

	byHash map[krpc.ID]*kept
	order  []*kept // the same, in the order they came; what is iterated
	perIP  map[netip.Addr]int
	total  int
	next   mono.Time // of the sweep
}

type kept struct {
	hash  krpc.ID
	peers []stored // by last announce, oldest first
}

type stored struct {
	addr netip.AddrPort
	at   mono.Time
}

func newStore(maxHashes, maxPeers int) store {
	return store{
		maxHashes: maxHashes, maxPeers: maxPeers, next: mono.Never,
		byHash: map[krpc.ID]*kept{}, perIP: map[netip.Addr]int{},
	}
}

// takes reports whether a peer could be announced for an info-hash: while it could not,
// no token is given either.
func (s *store) takes(hash krpc.ID) bool {
	return s.byHash[hash] != nil || len(s.order) < s.maxHashes
}

// announce keeps a peer. It is false when a bound forbids it.
func (s *store) announce(now mono.Time, hash krpc.ID, p netip.AddrPort) bool {
	k := s.byHash[hash]
	if k == nil {
		if !s.takes(hash) || !s.room(nil, p) {
			return false
		}
		k = &kept{hash: hash}
		s.byHash[hash] = k
		s.order = append(s.order, k)
	}
	s.next = min(s.next, now.Add(sweepEvery))
	if i := slices.IndexFunc(k.peers, func(x stored) bool { return x.addr == p }); i >= 0 {
		k.peers = append(slices.Delete(k.peers, i, i+1), stored{p, now})
		return true
	}
	if !s.room(k, p) {
		return false
	}
	if len(k.peers) >= s.maxPeers { // who announced longest ago gives way
		s.forget(k, 1)
	}
	k.peers = append(k.peers, stored{p, now})
	s.total++
	if !p.Addr().IsLoopback() {
		s.perIP[p.Addr()]++
	}
	return true
}

// room reports whether an address may leave one more peer.
func (s *store) room(k *kept, p netip.AddrPort) bool {
	if p.Addr().IsLoopback() {
		return true
	}
	ports := 0
	if k != nil {
		for _, x := range k.peers {
			if x.addr.Addr() == p.Addr() {
				ports++
			}
		}
	}
	return ports < portsPerIP && s.perIP[p.Addr()] < peersPerIP
}

// sample appends up to n peers of an info-hash, chosen at random, leaving out those whose
// time is over and those that the asker could not use.
func (s *store) sample(dst []netip.AddrPort, now mono.Time, hash krpc.ID, n int, rng *rand.Rand, fit func(netip.AddrPort) bool) []netip.AddrPort {
	k := s.byHash[hash]
	if k == nil {
		return dst
	}
	start, seen := len(dst), 0
	for _, p := range k.peers {
		if now.Sub(p.at) >= peerLife || !fit(p.addr) {
			continue
		}
		// Each of the seen so far is kept with the same chance (reservoir sampling).
		if seen++; len(dst)-start < n {
			dst = append(dst, p.addr)
		} else if i := rng.IntN(seen); i < n {
			dst[start+i] = p.addr
		}
	}
	return dst
}

// deadline is when the next sweep is due.
func (s *store) deadline() mono.Time { return s.next }

// sweep forgets the peers whose time is over, and the info-hashes that have none left.
func (s *store) sweep(now mono.Time) {
	if now.Before(s.next) {
		return
	}
	s.order = slices.DeleteFunc(s.order, func(k *kept) bool {
		n := 0
		for n < len(k.peers) && now.Sub(k.peers[n].at) >= peerLife {
			n++
		}
		s.forget(k, n)
		if len(k.peers) == 0 {
			delete(s.byHash, k.hash)
		}
		return len(k.peers) == 0
	})
	s.next = now.Add(sweepEvery)
	if len(s.order) == 0 {
		s.next = mono.Never
	}
}

// forget drops the n peers that announced longest ago.
func (s *store) forget(k *kept, n int) {
	for _, p := range k.peers[:n] {
		s.total--
		if c := s.perIP[p.addr.Addr()]; c > 1 {
			s.perIP[p.addr.Addr()] = c - 1
		} else {
			delete(s.perIP, p.addr.Addr())
		}
	}
	k.peers = slices.Delete(k.peers, 0, n)
}
