package choker

import (
	"cmp"

	"shoal/internal/value/why"
)

// Algorithm is how a seed, to which nobody gives, chooses whom to serve.
type Algorithm uint8

// The algorithms.
const (
	// Fastest leaves half of the slots with those that take fastest, and has the other
	// half go round: the default, see decision 0030.
	Fastest Algorithm = iota
	// RoundRobin has all slots go round, thirty seconds each, however fast they take.
	RoundRobin
	// AntiLeech has them go round among those that have hardly begun or are nearly done,
	// and the others after them: who has just begun will pass on what it gets, who is
	// nearly done becomes a seed, and who is in between has enough to trade with.
	AntiLeech
)

const (
	// leechSteps is how finely peers are told apart by how far they are.
	leechSteps = 10
	// leechMost is for how long a peer in between may be passed over.
	leechMost = 10 * turn
)

// seedSlots gives the slots of a seed by its algorithm.
func (r *round) seedSlots() {
	switch r.algorithm {
	case RoundRobin:
		r.shareRest(why.SeedTurn)
	case AntiLeech:
		r.give(r.room, why.AntiLeech, anyPeer, byLeech)
	default:
		r.keepFast()
		r.shareRest(why.SeedTurn)
	}
}

// byLeech: as byTurn, but among those that wait who is farthest from the middle first.
func byLeech(r *round, a, b *Peer) int {
	ca, cb := r.class(a), r.class(b)
	if ca == cb && !a.Unchoked && !b.Unchoked {
		if c := cmp.Compare(r.farFromHalf(b), r.farFromHalf(a)); c != 0 {
			return c
		}
	}
	return byTurn(r, a, b)
}

// farFromHalf is how far a peer is from having half, in steps; who has waited for long
// counts as farthest.
func (r *round) farFromHalf(p *Peer) int {
	if r.now.Sub(p.waitsSince()) >= leechMost {
		return leechSteps
	}
	d := p.Progress - 500
	return max(d, -d) * leechSteps / 501
}
