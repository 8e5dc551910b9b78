package picker

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// Whatever is skipped, wanted, urged, asked, sent, lost and found in whatever order:
// the picker's own books are right, nothing is asked for that is not wanted, and in the
// end everything wanted can be had.
func TestRandomPriorities(t *testing.T) {
	for seed := range uint64(150) {
		if err := priorities(rand.New(rand.NewPCG(seed, 9))); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func priorities(rng *rand.Rand) error {
	g := uniform{1 + rng.Uint32N(24), 1 + rng.Uint32N(5)}
	p := New(Config{Geometry: g}, bitfield.New(g.pieces), rng)
	const peers = 4
	var has [peers]*bitfield.Bitfield
	asked := [peers]map[block.Ref]bool{}
	for i := range has {
		has[i], asked[i] = bitfield.New(g.pieces), map[block.Ref]bool{}
		for k := range g.pieces {
			if i == 0 || rng.IntN(2) == 0 {
				has[i].Set(k)
			}
		}
		p.PeerBits(nil, has[i])
	}
	prio := make([]uint8, g.pieces)
	for i := range prio {
		prio[i] = Normal
	}
	now := mono.Start
	all := func(yield func(Peer, *bitfield.Bitfield) bool) {
		for i := range has {
			if !yield(Peer(i), has[i]) {
				return
			}
		}
	}
	take := func(c Change) error {
		for _, x := range c.Taken {
			if !asked[x.Peer][x.Ref] {
				return fmt.Errorf("%v is taken back from peer %d, which was not asked", x.Ref, x.Peer)
			}
			delete(asked[x.Peer], x.Ref)
		}
		for _, i := range c.Given {
			if p.Started(i) || p.Lacks(i) {
				return fmt.Errorf("piece %d is given up, and started or lacking", i)
			}
		}
		return nil
	}
	pace := func() Pace {
		ms := func(n int) time.Duration { return time.Duration(rng.IntN(n)) * time.Millisecond }
		best := ms(100)
		return Pace{Wait: best + ms(2000), Block: ms(500), Best: best, All: ms(100)}
	}
	ask := func(peer int) error {
		begun := map[uint32]bool{}
		for i := range g.pieces {
			begun[i] = p.Started(i)
		}
		for _, c := range p.Pick(now, Peer(peer), has[peer], 1+rng.IntN(6), pace(), nil) {
			if !p.Lacks(c.Ref.Piece) && !begun[c.Ref.Piece] {
				return fmt.Errorf("piece %d is asked for, of priority %d", c.Ref.Piece, p.Priority(c.Ref.Piece))
			}
			if asked[peer][c.Ref] {
				return fmt.Errorf("%v is asked for twice", c.Ref)
			}
			asked[peer][c.Ref] = true
		}
		return nil
	}
	send := func(peer int) {
		for i := range g.pieces {
			for k := range g.blocks {
				ref := p.ref(i, k)
				if !asked[peer][ref] {
					continue
				}
				delete(asked[peer], ref)
				_, _, others := p.Received(Peer(peer), uint32(peer)+1, ref, nil)
				for _, o := range others {
					delete(asked[o], ref)
				}
				full := p.Started(i)
				for _, s := range p.Senders(i) {
					full = full && s != 0
				}
				if full {
					p.Verified(i)
				}
				return
			}
		}
	}
	for range 300 {
		now = now.Add(time.Duration(rng.IntN(700)) * time.Millisecond)
		peer := rng.IntN(peers)
		var err error
		switch rng.IntN(10) {
		case 0:
			for i := range prio {
				if rng.IntN(3) == 0 {
					prio[i] = uint8(rng.IntN(4))
				}
			}
			c := p.SetPriorities(prio)
			err = take(c)
		case 1:
			from := rng.Uint32N(g.pieces)
			c, _ := p.Urge(rng.Uint32N(3), from, from+rng.Uint32N(5))
			err = take(c)
		case 2:
			all := p.Missing() == 0
			p.Lost(rng.Uint32N(g.pieces))
			if all {
				for i := range has {
					p.PeerBits(nil, has[i])
				}
			}
		case 3:
			p.AbandonAll(Peer(peer))
			clear(asked[peer])
		case 4, 5, 6:
			err = ask(peer)
		default:
			send(peer)
		}
		if err == nil {
			err = p.CheckInvariants(all)
		}
		if err != nil {
			return err
		}
	}
	for round := 0; p.Seeking(); round++ {
		if round > 5000 {
			return fmt.Errorf("not complete: %v of priorities %v", p.Bitfield(), prio)
		}
		now = now.Add(time.Second)
		for peer := range peers {
			if err := ask(peer); err != nil {
				return err
			}
			send(peer)
		}
	}
	return p.CheckInvariants(all)
}
