package choker

import (
	"slices"
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// An unchoked peer that takes nothing uses no slot, so its slot is open to a peer that waits.
// The idle peer keeps its unchoke until the next round, which costs nothing: BEP 3 wants no
// chokes in quick succession. In the round it ranks behind all others (decision 0160).
//
// When hardly any unchoked peer takes data, the next peer is likely to be as idle as the last
// ones. So each idle peer opens two slots, and each trial tests twice as many peers. When all
// slots are idle, or half of them are idle or were given back unused, and no peer has taken
// data for the time of a trial, there is nothing to lose: then we unchoke all waiting peers
// at once, and a newcomer is served after one trial, however many are before it. That holds
// for a seed only: in a young swarm peers may have nothing to request from a leecher at the
// moment.

// trial is how long a peer must be unchoked, without being idle at the end, to count as one
// that takes data.
const trial = 3 * time.Second

// mostAtOnce bounds the peers that one trial unchokes when none takes data: more than a
// torrent usually has.
const mostAtOnce = 128

// someRate is the rate of a peer that took one block in the twenty seconds over which rates
// are measured.
const someRate = block.Size / 20

// trials counts the slots that we added because idle peers hold slots.
type trials struct {
	extra int // peers that we may unchoke above the number of slots, because idle ones do not count
}

// slotsChanged adapts the extra slots: fewer slots end the trials, more slots replace extra
// ones.
func (t *trials) slotsChanged(from, to int) {
	t.extra = max(t.extra-(to-from), 0)
	if to < from {
		t.extra = 0
	}
}

// tally counts peers by kind.
type tally struct {
	busy    int // unchoked and interested
	idle    int // of these, those that take nothing
	proven  int // of these, those that have taken data for the time of a trial
	content int // unchoked, not interested
	waiting int // choked and interested
	untried int // of these, those that did not leave their last slot unused
	vain    int // choked, and left their last slot unused
	takes   int // unchoked, not idle, and got data recently
}

func count(now mono.Time, peers []Peer) (t tally) {
	for i := range peers {
		p := &peers[i]
		t.vain += one(!p.Unchoked && p.vain())
		switch {
		case p.Unchoked && p.Interested:
			t.busy++
			t.takes += one(!p.Idle && p.Up >= someRate)
			if p.Idle {
				t.idle++
			} else if now.Sub(p.UnchokedAt) >= trial {
				t.proven++
			}
		case p.Unchoked:
			t.content++
		case p.Interested:
			t.waiting++
			if !p.vain() {
				t.untried++
			}
		}
	}
	return t
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// vain reports whether a choked peer ranks behind those that use their slots. What it sends us
// counts for more.
func (p *Peer) vain() bool { return p.Vain && !p.earns() }

// unused reports whether a peer does not use its slot, or did not use its last one.
func (p *Peer) unused() bool { return p.Idle || !p.Unchoked && p.vain() }

// slotsFor adds slots for waiting peers that were not tried, and returns how many peers we may
// unchoke now.
func (c *Choker) slotsFor(t tally, seeding bool) int {
	if c.slots == 0 {
		c.trials.extra = 0
		return 0
	}
	most := c.slots + t.idle
	if t.proven <= c.slots/4 {
		most += t.idle
	}
	unused := seeding && t.proven == 0 && (t.idle >= c.slots || t.takes == 0 && 2*(t.idle+t.vain) >= c.slots)
	if unused {
		most = max(most, c.slots+mostAtOnce)
	}
	had := min(c.trials.extra, t.busy-c.slots)
	c.trials.extra = max(had, min(most, t.busy+t.untried)-c.slots, 0)
	if t.idle == 0 && !unused {
		c.trials.extra = max(had, 0)
	}
	return c.slots + c.trials.extra
}

// roomOfRound returns how many peers may be unchoked after a round: the number of slots. But
// we choke no peer that was unchoked just now, and trials must not push out peers that take
// data: these have at least half of the slots.
func (c *Choker) roomOfRound(r *round) int {
	if c.trials.extra == 0 {
		return c.slots
	}
	started := 0
	for i := range r.peers {
		if p := &r.peers[i]; p.Unchoked && p.Interested && r.held(p) < minHold {
			started++
		}
	}
	return max(c.slots, min(started+(c.slots+1)/2, c.slots+c.trials.extra))
}

// closeRound keeps what is left of the trials after a round.
func (c *Choker) closeRound(r *round) {
	n := 0
	for _, x := range r.chosen {
		if r.peers[x.peer].Interested {
			n++
		}
	}
	c.trials.extra = max(n-c.slots, 0)
}

// untried selects peers for slots above the usual number: a peer that left its last slot
// unused gets none of them.
func (r *round) untried(p *Peer) bool { return !p.Unchoked && !p.vain() }

// othersUntried reports whether a peer waits that did not leave its last slot unused.
func (r *round) othersUntried() bool {
	return slices.ContainsFunc(r.peers, func(p Peer) bool { return p.Interested && r.untried(&p) })
}

// Room returns how many peers may be unchoked: the slots, and those above them while idle
// peers hold slots.
func (c *Choker) Room() int { return c.slots + c.trials.extra }

// fillRest assigns free slots between rounds.
func (r *round) fillRest() {
	r.assign(r.room, why.FreeSlot, r.untried, byTurn)
	r.assign(r.slots-len(r.chosen), why.FreeSlot, anyPeer, byTurn)
}
