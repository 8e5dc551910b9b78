package dht

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
)

// store holds the peers that others announced to us (BEP 5), each for peerLife since its last
// announce. It is bounded in info-hashes, in peers of one, and in peers of one address.
type store struct {
	maxHashes, maxPeers int

	byHash map[krpc.ID]*kept
	order  []*kept // the same in order of arrival, for iteration
	perIP  map[netip.Addr]int
	total  int
	next   mono.Time // time of the next sweep
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

// takes reports whether the store has room for a peer of an info-hash; otherwise we do not
// return a token either.
func (s *store) takes(hash krpc.ID) bool {
	return s.byHash[hash] != nil || len(s.order) < s.maxHashes
}

// announce stores a peer. It reports false when a bound forbids it.
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
	if len(k.peers) >= s.maxPeers { // the oldest announce makes room
		s.forget(k, 1)
	}
	k.peers = append(k.peers, stored{p, now})
	s.total++
	if !p.Addr().IsLoopback() {
		s.perIP[p.Addr()]++
	}
	return true
}

// room reports whether an address may store one more peer.
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

// sample appends up to n random peers of an info-hash, without expired ones and those for
// which fit is false.
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
		// Each peer seen so far stays with the same probability (reservoir sampling).
		if seen++; len(dst)-start < n {
			dst = append(dst, p.addr)
		} else if i := rng.IntN(seen); i < n {
			dst[start+i] = p.addr
		}
	}
	return dst
}

// deadline returns when the next sweep is due.
func (s *store) deadline() mono.Time { return s.next }

// sweep removes expired peers, and info-hashes without peers.
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
