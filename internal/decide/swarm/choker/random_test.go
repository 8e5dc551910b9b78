package choker

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// swarm is peers that come, go, want and give as chance has it.
type swarm struct {
	rng     *rand.Rand
	now     mono.Time
	seeding bool
	slots   int
	c       *Choker
	peers   []Peer
	next    uint64
	idlers  bool // peers leave their slots unused
}

func newSwarm(seed uint64) *swarm {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := &swarm{rng: rng, now: mono.Start, seeding: seed%2 == 1, slots: 1 + rng.IntN(9)}
	s.c = New(Config{Slots: s.slots}, rng)
	return s
}

func (s *swarm) step() {
	s.now = s.now.Add(time.Duration(s.rng.IntN(4000)) * time.Millisecond)
	if len(s.peers) == 0 || s.rng.IntN(4) == 0 && len(s.peers) < 30 {
		s.next++
		s.peers = append(s.peers, Peer{Key: s.next, Joined: s.now, Fresh: s.rng.IntN(2) == 0})
		return
	}
	i := s.rng.IntN(len(s.peers))
	switch p := &s.peers[i]; s.rng.IntN(10) {
	case 0:
		s.peers = append(s.peers[:i], s.peers[i+1:]...)
	case 1, 2, 3:
		p.Interested = !p.Interested
	case 4:
		p.Snubbed = !p.Snubbed
	case 5, 6:
		p.Down = s.rng.Int64N(1000) * s.rng.Int64N(2)
	case 7:
		p.Up = s.rng.Int64N(1000)
	case 8:
		p.Idle = p.Unchoked && p.Down == 0 && s.idlers
	case 9:
		p.Idle, p.Vain = false, false
	}
}

// apply checks the changes against what the package comment promises.
func (s *swarm) apply(changes []Change, round bool) error {
	chokes := true
	for _, c := range changes {
		i := 0
		for i < len(s.peers) && s.peers[i].Key != c.Key {
			i++
		}
		if i == len(s.peers) {
			return fmt.Errorf("a change for %d, which is not there", c.Key)
		}
		p := &s.peers[i]
		switch {
		case p.Unchoked == c.Unchoke:
			return fmt.Errorf("peer %d: unchoke %v changes nothing", c.Key, c.Unchoke)
		case c.Why == why.None:
			return fmt.Errorf("peer %d: a change without a reason", c.Key)
		case c.Unchoke && !p.Interested:
			return fmt.Errorf("peer %d is unchoked without interest", c.Key)
		case !c.Unchoke && !chokes:
			return fmt.Errorf("peer %d is choked after others were unchoked", c.Key)
		case !c.Unchoke && p.Interested && s.now.Sub(p.UnchokedAt) < minHold:
			return fmt.Errorf("peer %d is choked after %v", c.Key, s.now.Sub(p.UnchokedAt))
		case !c.Unchoke && p.Interested && !round:
			return fmt.Errorf("peer %d is choked between rounds", c.Key)
		}
		p.Unchoked = c.Unchoke
		if c.Unchoke {
			chokes = false
			p.UnchokedAt = s.now
		} else {
			p.ChokedAt = s.now
			p.Idle, p.Vain = false, c.Why == why.SlotUnused
		}
	}
	unchoked, waiting, untried, idle := 0, 0, 0, 0
	for _, p := range s.peers {
		if !p.Unchoked && p.Interested && !p.vain() {
			untried++
		}
		if p.Unchoked {
			unchoked++
			if p.Idle && p.Interested {
				idle++
			}
		} else if p.Interested {
			waiting++
		}
	}
	switch {
	case unchoked > s.c.Room(), !s.idlers && unchoked > s.slots, waiting > 0 && unchoked < s.slots:
		return fmt.Errorf("%d unchoked, %d waiting, %d slots, room for %d", unchoked, waiting, s.slots, s.c.Room())
	case !round && untried > 0 && unchoked-idle < s.slots:
		return fmt.Errorf("%d of %d unchoked are idle, %d wait who are not known to be, %d slots", idle, unchoked, untried, s.slots)
	}
	return nil
}

func TestRandomSwarms(t *testing.T) {
	for seed := range uint64(200) {
		s := newSwarm(seed)
		s.idlers = seed >= 100
		round := s.now.Add(Interval)
		for i := range 1000 {
			s.step()
			if err := s.apply(s.c.Fill(s.now, s.seeding, s.peers, nil), false); err != nil {
				t.Fatalf("seed %d, step %d, fill: %v", seed, i, err)
			}
			if s.now.Before(round) {
				continue
			}
			round = s.now.Add(Interval)
			if err := s.apply(s.c.Round(s.now, s.seeding, s.peers, nil), true); err != nil {
				t.Fatalf("seed %d, step %d, round: %v", seed, i, err)
			}
		}
	}
}

// crowd is a swarm of n interested peers.
func crowd(n, slots int, seeding bool) *swarm {
	s := &swarm{rng: rand.New(rand.NewPCG(7, 7)), now: mono.Start, seeding: seeding, slots: slots}
	s.c = New(Config{Slots: slots}, s.rng)
	for i := range n {
		s.peers = append(s.peers, Peer{Key: uint64(i + 1), Interested: true, Joined: s.now})
	}
	return s
}

// Whoever waits for a seed gets a turn, and three greedy peers of a hundred do
// not change when: with eight slots, four go round every thirty seconds.
func TestSeedServesEverybody(t *testing.T) {
	s := crowd(100, 8, true)
	for i := range 3 {
		s.peers[i].Up = 1 << 30
	}
	if err := s.apply(s.c.Fill(s.now, true, s.peers, nil), false); err != nil {
		t.Fatal(err)
	}
	for range 100 / 4 * 3 {
		s.now = s.now.Add(Interval)
		if err := s.apply(s.c.Round(s.now, true, s.peers, nil), true); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range s.peers {
		if p.UnchokedAt.IsZero() {
			t.Errorf("peer %d waits since %v", p.Key, s.now.Sub(p.Joined))
		}
	}
}

// New peers are three times as likely to be the optimistic unchoke.
func TestFreshPeersAreFavoured(t *testing.T) {
	fresh, old := 0, 0
	for seed := range uint64(4000) {
		s := crowd(12, 2, false)
		s.c.rng = rand.New(rand.NewPCG(seed, 3))
		for i := range s.peers {
			s.peers[i].Fresh = i%2 == 0
		}
		s.peers[0].Unchoked, s.peers[0].Down = true, 100
		for _, c := range s.c.Round(s.now.Add(time.Minute), false, s.peers, nil) {
			switch {
			case c.Why != why.Optimistic:
				t.Fatalf("%+v, want one optimistic unchoke", c)
			case s.peers[c.Key-1].Fresh:
				fresh++
			default:
				old++
			}
		}
	}
	// Five of weight 3 and six of weight 1: 15 of 21.
	if share := float64(fresh) / float64(fresh+old); share < 0.69 || share > 0.74 {
		t.Errorf("%.3f of the optimistic unchokes went to new peers, want 0.714", share)
	}
}

func TestRoundAllocatesNothing(t *testing.T) {
	s := crowd(200, 8, false)
	var dst []Change
	for range 3 {
		dst = s.c.Round(s.now, false, s.peers, dst[:0])
	}
	if n := testing.AllocsPerRun(100, func() { dst = s.c.Round(s.now, false, s.peers, dst[:0]) }); n != 0 {
		t.Errorf("%v allocations for each round", n)
	}
	if n := testing.AllocsPerRun(100, func() { dst = s.c.Fill(s.now, true, s.peers, dst[:0]) }); n != 0 {
		t.Errorf("%v allocations for each fill", n)
	}
}

func TestSlots(t *testing.T) {
	for _, c := range []struct{ slots, want int }{{0, DefaultSlots}, {-1, 0}, {1, 1}, {3, 3}, {100, 20}} {
		s := crowd(20, 0, false)
		s.c = New(Config{Slots: c.slots}, s.rng)
		if got := len(s.c.Fill(s.now, false, s.peers, nil)); got != c.want {
			t.Errorf("%d slots: %d of 20 peers unchoked, want %d", c.slots, got, c.want)
		}
	}
}

func BenchmarkRound(b *testing.B) {
	s := crowd(1000, 8, false)
	for i := range s.peers {
		s.peers[i].Down = s.rng.Int64N(1 << 20)
	}
	var dst []Change
	for range b.N {
		dst = s.c.Round(s.now, false, s.peers, dst[:0])
	}
}
