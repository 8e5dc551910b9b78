package picker

import (
	"math/rand/v2"
	"testing"
	"time"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// Runs among peers, whatever comes in whatever order: the picker's own account stays
// exact, and a claim takes what was free and nothing else.
func TestRunsAmongPeers(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		g := uniform{pieces: 12, blocks: 5}
		p := New(Config{Geometry: g}, bitfield.New(g.pieces), rng)
		has := make([]*bitfield.Bitfield, 4)
		for i := range has {
			has[i] = bitfield.New(g.pieces)
			for j := range g.pieces {
				if rng.IntN(3) > 0 {
					has[i].Set(j)
				}
			}
			p.PeerBits(nil, has[i])
		}
		const web = Peer(9)
		peers := func(yield func(Peer, *bitfield.Bitfield) bool) {
			for i, h := range has {
				if !yield(Peer(i), h) {
					return
				}
			}
		}
		now := mono.Start
		for step := range 600 {
			now = now.Add(50 * time.Millisecond)
			peer := Peer(rng.IntN(len(has)))
			piece, index := rng.Uint32N(g.pieces), rng.Uint32N(g.blocks)
			switch rng.IntN(8) {
			case 0, 1:
				p.Pick(now, peer, has[peer], rng.IntN(6), Pace{}, nil)
			case 2:
				from := web + Peer(rng.IntN(2))
				standing, _ := p.Standing(piece, uint32(from)+1)
				at, n := p.FreeRow(piece, standing == Working)
				before := p.RequestsOf(from)
				claimed := p.Claim(now, from, piece, at, n, time.Second, 0)
				if standing != Barred && claimed != n || p.RequestsOf(from) != before+int(claimed) {
					t.Fatalf("seed %d, step %d: %d of %d blocks claimed of piece %d, which was %d", seed, step, claimed, n, piece, standing)
				}
			case 3, 4, 5:
				if rng.IntN(3) == 0 {
					peer = web
				}
				if q := p.peer(peer); q.n > 0 {
					r := p.requests.slab[q.first]
					p.Received(peer, uint32(peer)+1, p.ref(p.begun.slots[r.slot].piece, r.index), nil)
				}
			case 6:
				if rng.IntN(4) > 0 {
					peer = web
				}
				p.AbandonAll(peer)
			case 7:
				if whole(p, piece) {
					if rng.IntN(3) > 0 {
						p.Verified(piece)
					} else {
						p.Failed(piece)
					}
				}
				p.Abandon(web, block.Ref{Piece: piece, Begin: index * block.Size, Length: g.BlockSize(piece, index)})
			}
			if err := p.CheckInvariants(peers); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
		}
	}
}

func whole(p *Picker, piece uint32) bool {
	slot := p.slotOf(piece)
	return slot != none && p.begun.slots[slot].whole()
}
