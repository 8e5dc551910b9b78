package choker

import (
	"cmp"

	"shoal/internal/value/why"
)

// Algorithm is how a seed, to which no peer uploads, chooses the peers to serve.
type Algorithm uint8

// Values of Algorithm.
const (
	// Fastest leaves half of the slots to the peers that take fastest, and rotates the other
	// half: the default (decision 0030).
	Fastest Algorithm = iota
	// RoundRobin rotates all slots, thirty seconds each, whatever rates the peers take.
	RoundRobin
	// AntiLeech prefers peers that have hardly begun or are nearly done: a beginner will pass
	// on what it gets, and a peer that is nearly done becomes a seed. Peers in between have
	// enough to trade with.
	AntiLeech
)

const (
	// leechSteps is how finely the progress of peers is compared.
	leechSteps = 10
	// leechMost is how long a peer in between may be passed over.
	leechMost = 10 * turn
)

// seedSlots assigns the slots of a seed by its algorithm.
func (r *round) seedSlots() {
	switch r.algorithm {
	case RoundRobin:
		r.shareRest(why.SeedTurn)
	case AntiLeech:
		r.assign(r.room, why.AntiLeech, anyPeer, byLeech)
	default:
		r.keepFast()
		r.shareRest(why.SeedTurn)
	}
}

// byLeech orders as byTurn, but among waiting peers the one farthest from the middle comes
// first.
func byLeech(r *round, a, b *Peer) int {
	ca, cb := r.class(a), r.class(b)
	if ca == cb && !a.Unchoked && !b.Unchoked {
		if c := cmp.Compare(r.farFromHalf(b), r.farFromHalf(a)); c != 0 {
			return c
		}
	}
	return byTurn(r, a, b)
}

// farFromHalf returns how far a peer is from having half, in steps; a peer that has waited
// leechMost counts as farthest.
func (r *round) farFromHalf(p *Peer) int {
	if r.now.Sub(p.waitsSince()) >= leechMost {
		return leechSteps
	}
	d := p.Progress - 500
	return max(d, -d) * leechSteps / 501
}
