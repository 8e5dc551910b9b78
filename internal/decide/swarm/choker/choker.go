// Package choker decides which peers to unchoke (BEP 3). It is a function of
// what peers have done, given with each call, and a little memory of its own:
// whose optimistic turn it is. The swarm calls Round every ten seconds, and Fill
// whenever a peer becomes interested or a slot falls free in between.
//
// While downloading, slots go to
//
//  1. those that give us most, all slots but one (why.Reciprocation);
//  2. one more at random, for thirty seconds, new peers three times as likely, and
//     seldom those that have taken and not given back: the optimistic unchoke, which
//     finds better partners and lets those begin that have nothing to give yet
//     (why.Optimistic);
//  3. when givers are fewer than slots, first those that have unchoked us, then whoever
//     owes us least, and of those who has waited longest, for thirty seconds if others
//     wait (why.FreeSlot). Peers that snubbed us come last.
//
// While seeding nobody gives, and to serve the fastest alone would let a few
// greedy peers keep a seed from all others. So half of the slots stay with those
// that take fastest, for five minutes at most; the other half goes round, thirty
// seconds each, longest wait first (why.SeedTurn). A turn is an audition for the
// first half.
//
// So it is with the algorithm Fastest; there are two others, see Algorithm. Before all a seed
// serves those to whom it owes something from the time when it was none (why.Gratitude);
// those that pass on nothing of what it gave to them alone come last (why.Hoards).
//
// In both modes: a peer is not choked within five seconds of its unchoke; a slot
// is never empty while an interested peer is choked; an unchoked peer that loses
// interest keeps its unchoke until the slot is needed, since it costs nothing and
// saves a message when interest returns; and no more peers are unchoked than
// there are slots. A peer that is unchoked and takes nothing uses none: another is
// unchoked besides, and at the next round the idle one goes behind all others
// (why.SlotUnused).
package choker

import (
	"math/rand/v2"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

const (
	// DefaultSlots is what deployed clients use for one torrent.
	DefaultSlots = 8

	// Interval is the time between rounds (BEP 3).
	Interval = 10 * time.Second

	// minHold keeps a peer unchoked long enough for TCP to reach its speed. Rounds are
	// ten seconds apart, as BEP 3 has it against fibrillation; this is for those that
	// were unchoked in between.
	minHold = Interval / 2

	// optimisticRounds is how many rounds an optimistic unchoke lasts: three,
	// thirty seconds, time enough for the other side to reciprocate (BEP 3).
	optimisticRounds = 3
	// vainRounds is how many it lasts for a peer that takes and gives nothing. What it
	// got is remembered by that peer, too: if it is a fair one it unchokes us for it.
	vainRounds = 1

	// turn is how long a peer keeps a slot that others wait for and that it
	// has not earned by its rate.
	turn = optimisticRounds * Interval

	// seedHold is how long a fast taker keeps a seed's slot while others wait.
	seedHold = 5 * time.Minute

	// The chances of becoming the optimistic unchoke. New peers are three times as
	// likely (BEP 3); a peer that had its chance and has given nothing for it, much less.
	debtorWeight  = 1
	anybodyWeight = 4
	freshWeight   = 3 * anybodyWeight

	// debt is how much a peer may owe before it counts as a debtor, and the measure by
	// which debtors are told apart: what an optimistic unchoke brings on a slow line.
	debt = 256 << 10
)

// Config of a Choker.
type Config struct {
	Seed  Algorithm
	Slots int // peers unchoked at once, the optimistic one included; 0 means DefaultSlots, less means none
}

// Peer is what is known of one peer now.
type Peer struct {
	Key        uint64 // stable identity, other than 0
	Interested bool   // it is interested in us
	Unchoked   bool   // we have unchoked it
	Open       bool   // it has unchoked us
	Snubbed    bool   // it unchoked us and does not answer our requests
	Hoards     bool   // it does not pass on what a seed gave to it alone
	Fresh      bool   // new, and its address was not seen in the last ten minutes
	Idle       bool   // unchoked, and it takes nothing; never of a peer that gives
	Vain       bool   // choked lately for leaving its slot unused

	Down int64 // bytes a second from it, recently
	Up   int64 // bytes a second to it, recently
	Owes int64 // bytes that it got and did not give back, by all connections of its address

	Progress int // pieces that it has, in thousandths of all

	Joined     mono.Time
	UnchokedAt mono.Time // when it was last unchoked; zero if never
	ChokedAt   mono.Time // when it was last choked after that; zero if never
}

// debts is how much the peer owes us, in steps of debt; 0 for those that give, and for
// those whom we owe.
func (p *Peer) debts() int64 {
	if p.gives() {
		return 0
	}
	return max(p.Owes, 0) / debt
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

// Optimistic returns the key of the peer that has the optimistic unchoke; 0 when none has it.
func (c *Choker) Optimistic() uint64 { return c.favourite }

// Choker decides for one torrent. Its owner is the swarm.
type Choker struct {
	slots     int
	algorithm Algorithm // of a seed
	rng       *rand.Rand

	favourite uint64 // key of the optimistic unchoke; 0: nobody
	turns     int    // rounds since it became so
	trials    trials

	// Scratch for one call, kept to allocate nothing.
	round  round
	order  []int32  // those who compete, best first
	states []state  // one each peer of the input
	chosen []choice // slots given, in the order of giving
}

// New makes a choker.
func New(cfg Config, rng *rand.Rand) *Choker {
	c := &Choker{slots: max(cfg.Slots, 0), algorithm: cfg.Seed, rng: rng}
	if cfg.Slots == 0 {
		c.slots = DefaultSlots
	}
	return c
}

// SetSlots changes the number of slots; 0 or less unchokes nobody. It takes
// effect with the next call.
func (c *Choker) SetSlots(n int) {
	was := c.slots
	c.slots = max(n, 0)
	c.trials.slotsChanged(was, c.slots)
}
