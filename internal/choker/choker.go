// Package choker decides which peers to unchoke (BEP 3). It is a function of
// what peers have done, given with each call, and a little memory of its own:
// whose optimistic turn it is. The swarm calls Round every ten seconds, and Fill
// whenever a peer becomes interested or a slot falls free in between.
//
// While downloading, slots go to
//
//  1. those that give us most, all slots but one (why.Reciprocation);
//  2. one more at random, for thirty seconds, new peers three times as likely:
//     the optimistic unchoke, which finds better partners and lets those begin
//     that have nothing to give yet (why.Optimistic);
//  3. when givers are fewer than slots, whoever has waited longest, for thirty
//     seconds if others wait (why.FreeSlot). Peers that snubbed us come last.
//
// While seeding nobody gives, and to serve the fastest alone would let a few
// greedy peers keep a seed from all others. So half of the slots stay with those
// that take fastest, for five minutes at most; the other half goes round, thirty
// seconds each, longest wait first (why.SeedTurn). A turn is an audition for the
// first half.
//
// In both modes: a peer is not choked within ten seconds of its unchoke; a slot
// is never empty while an interested peer is choked; an unchoked peer that loses
// interest keeps its unchoke until the slot is needed, since it costs nothing and
// saves a message when interest returns; and no more peers are unchoked than
// there are slots.
package choker

import (
	"math/rand/v2"
	"time"

	"shoal/internal/mono"
	"shoal/internal/why"
)

const (
	// DefaultSlots is what deployed clients use for one torrent.
	DefaultSlots = 8

	// Interval is the time between rounds (BEP 3).
	Interval = 10 * time.Second

	// minHold keeps a peer unchoked long enough for TCP to reach its speed
	// (BEP 3: ten seconds).
	minHold = Interval

	// optimisticRounds is how many rounds an optimistic unchoke lasts: three,
	// thirty seconds, time enough for the other side to reciprocate (BEP 3).
	optimisticRounds = 3

	// turn is how long a peer keeps a slot that others wait for and that it
	// has not earned by its rate.
	turn = optimisticRounds * Interval

	// seedHold is how long a fast taker keeps a seed's slot while others wait.
	seedHold = 5 * time.Minute

	// freshWeight: new peers are three times as likely to be the optimistic
	// unchoke (BEP 3).
	freshWeight = 3
)

// Config of a Choker.
type Config struct {
	Slots int // peers unchoked at once, the optimistic one included; 0 means DefaultSlots, less means none
}

// Peer is what is known of one peer now.
type Peer struct {
	Key        uint64 // stable identity, other than 0
	Interested bool   // it is interested in us
	Unchoked   bool   // we have unchoked it
	Snubbed    bool   // it unchoked us and does not answer our requests
	Fresh      bool   // new, and its address was not seen in the last ten minutes

	Down int64 // bytes a second from it, recently
	Up   int64 // bytes a second to it, recently

	Joined     mono.Time
	UnchokedAt mono.Time // when it was last unchoked; zero if never
	ChokedAt   mono.Time // when it was last choked after that; zero if never
}

// waitsSince is the time since when a choked peer is in line. One that comes
// back under a new connection starts at the end: it gains nothing by that.
func (p *Peer) waitsSince() mono.Time { return max(p.Joined, p.UnchokedAt, p.ChokedAt) }

// Change is one choke or unchoke to send.
type Change struct {
	Key     uint64
	Unchoke bool
	Why     why.Why
}

// Choker decides for one torrent. Its owner is the swarm.
type Choker struct {
	slots int
	rng   *rand.Rand

	favourite uint64 // key of the optimistic unchoke; 0: nobody
	turns     int    // rounds since it became so

	// Scratch for one call, kept to allocate nothing.
	round  round
	order  []int32  // those who compete, best first
	states []state  // one each peer of the input
	chosen []choice // slots given, in the order of giving
}

// New makes a choker.
func New(cfg Config, rng *rand.Rand) *Choker {
	c := &Choker{slots: max(cfg.Slots, 0), rng: rng}
	if cfg.Slots == 0 {
		c.slots = DefaultSlots
	}
	return c
}

// SetSlots changes the number of slots; 0 or less unchokes nobody. It takes
// effect with the next call.
func (c *Choker) SetSlots(n int) { c.slots = max(n, 0) }
