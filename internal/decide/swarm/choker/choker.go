// Package choker decides which peers to unchoke (BEP 3). It is a function of what peers have
// done, passed with each call, and of a little state of its own, such as which peer has the
// optimistic unchoke. The swarm calls Round every ten seconds, and Fill whenever a peer
// becomes interested or a slot becomes free in between.
//
// While downloading, slots go to
//
//  1. the peers that give us most, all slots but one (why.Reciprocation);
//  2. one more peer at random, for thirty seconds. New peers are three times as likely, and
//     peers that have taken and not given back are unlikely. This is the optimistic unchoke,
//     which finds better partners and lets newcomers begin (why.Optimistic);
//  3. when fewer peers give than there are slots: first peers that have unchoked us, then
//     those that owe us least, and of those the one that has waited longest, for thirty
//     seconds if others wait (why.FreeSlot). Peers that snubbed us come last.
//
// While seeding no peer gives, and if we served only the fastest, a few greedy peers would
// keep a seed from all others. So half of the slots stay with the peers that take fastest,
// for at most five minutes; the other half rotates, thirty seconds each, longest wait first
// (why.SeedTurn). A turn is an audition for the first half.
//
// That is the algorithm Fastest; there are two others, see Algorithm. First of all a seed
// serves the peers to which it owes something from the time before it was one
// (why.Gratitude); peers that pass on nothing of what only they got come last (why.Hoards).
//
// In both modes:
//
//   - We do not choke a peer within five seconds of its unchoke.
//   - No slot is empty while an interested peer is choked.
//   - An unchoked peer that loses interest keeps its unchoke until another needs the slot,
//     because it costs nothing and saves a message when interest returns.
//   - We unchoke no more peers than there are slots. But an unchoked peer that takes nothing
//     uses no slot: we unchoke another as well, and at the next round the idle one ranks
//     behind all others (why.SlotUnused).
package choker

import (
	"math/rand/v2"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

const (
	// DefaultSlots is the number that deployed clients use for one torrent.
	DefaultSlots = 8

	// Interval is the time between rounds (BEP 3).
	Interval = 10 * time.Second

	// minHold keeps a peer unchoked long enough for TCP to reach its speed. Rounds are ten
	// seconds apart, against fibrillation (BEP 3); minHold is for peers that were unchoked in
	// between.
	minHold = Interval / 2

	// optimisticRounds is how many rounds an optimistic unchoke lasts: three, thirty seconds,
	// time enough for the other side to reciprocate (BEP 3).
	optimisticRounds = 3
	// vainRounds is how many it lasts for a peer that takes and does not give. That peer
	// keeps accounts, too: if it is fair, it unchokes us for what it got.
	vainRounds = 1

	// turn is how long a peer keeps a slot for which others wait and which it has not earned
	// by its rate.
	turn = optimisticRounds * Interval

	// seedHold is how long a fast taker keeps a seed's slot while others wait.
	seedHold = 5 * time.Minute

	// Weights in the draw of the optimistic unchoke. New peers are three times as likely (BEP
	// 3); a peer that had its chance and gave nothing for it, much less.
	debtorWeight  = 1
	anybodyWeight = 4
	freshWeight   = 3 * anybodyWeight

	// debt is how many bytes a peer may owe before it counts as a debtor, and the step in
	// which debts are compared: what an optimistic unchoke transfers on a slow line.
	debt = 256 << 10
)

// Config configures a Choker.
type Config struct {
	Seed  Algorithm
	Slots int // peers unchoked at once, the optimistic one included; 0: DefaultSlots; negative: none
}

// Peer is what we know of one peer now.
type Peer struct {
	Key        uint64 // stable identity, not 0
	Interested bool   // it is interested in us
	Unchoked   bool   // we have unchoked it
	Open       bool   // it has unchoked us
	Snubbed    bool   // it unchoked us and does not answer our requests
	Hoards     bool   // it does not pass on what a seed gave only to it
	Fresh      bool   // new, and its address was not seen in the last ten minutes
	Idle       bool   // unchoked, and it takes nothing; never set for a peer that gives
	Vain       bool   // choked recently for leaving its slot unused

	Down int64 // bytes a second from it, recently
	Up   int64 // bytes a second to it, recently
	Owes int64 // bytes that it got and did not give back, over all connections of its address

	Progress int // pieces that it has, in thousandths of all

	Joined     mono.Time
	UnchokedAt mono.Time // latest unchoke; zero: never
	ChokedAt   mono.Time // latest choke after that; zero: never
}

// debts returns how much the peer owes us, in steps of debt; 0 for peers that give, and for
// those that we owe.
func (p *Peer) debts() int64 {
	if p.earns() {
		return 0
	}
	return max(p.Owes, 0) / debt
}

// waitsSince returns since when a choked peer waits. A peer that comes back under a new
// connection starts at the end, so it gains nothing by that.
func (p *Peer) waitsSince() mono.Time { return max(p.Joined, p.UnchokedAt, p.ChokedAt) }

// Change is one choke or unchoke to send.
type Change struct {
	Key     uint64
	Unchoke bool
	Why     why.Why
}

// Optimistic returns the key of the peer that has the optimistic unchoke; 0 when none has it.
func (c *Choker) Optimistic() uint64 { return c.favourite }

// Choker decides for one torrent. Its owner is the swarm.
type Choker struct {
	slots     int
	algorithm Algorithm // used while seeding
	rng       *rand.Rand

	favourite uint64 // key of the optimistic unchoke; 0: none
	turns     int    // rounds since it got that
	trials    trials

	// Buffers for one call, kept to avoid allocations.
	round  round
	order  []int32  // peers that compete, best first
	states []state  // one for each peer of the input
	chosen []choice // slots assigned, in order
}

// New returns a choker.
func New(cfg Config, rng *rand.Rand) *Choker {
	c := &Choker{slots: max(cfg.Slots, 0), algorithm: cfg.Seed, rng: rng}
	if cfg.Slots == 0 {
		c.slots = DefaultSlots
	}
	return c
}

// SetSlots sets the number of slots; with 0 or less no peer is unchoked. It takes effect with
// the next call.
func (c *Choker) SetSlots(n int) {
	was := c.slots
	c.slots = max(n, 0)
	c.trials.slotsChanged(was, c.slots)
}
