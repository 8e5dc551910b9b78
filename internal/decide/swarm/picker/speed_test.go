package picker

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
)

// download is a steady state: every peer keeps a window of requests, blocks
// arrive in the order of asking, pieces are verified, and when the torrent is
// complete it begins anew.
type download struct {
	p      *Picker
	g      uniform
	has    []*bitfield.Bitfield
	queues [][]Choice
	sent   []int // how many of the queue have arrived
	left   []uint32
	others []Peer
	empty  *bitfield.Bitfield
}

const testWindow = 32

func newDownload(pieces, blocks uint32, peers int, share func(peer int, piece uint32) bool) *download {
	d := &download{g: uniform{pieces, blocks}, empty: bitfield.New(pieces)}
	d.has = make([]*bitfield.Bitfield, peers)
	d.queues = make([][]Choice, peers)
	d.sent = make([]int, peers)
	for i := range d.has {
		d.has[i] = bitfield.New(pieces)
		for j := range pieces {
			if share(i, j) {
				d.has[i].Set(j)
			}
		}
	}
	d.begin()
	return d
}

func (d *download) begin() {
	d.p = New(Config{Geometry: d.g}, d.empty, rand.New(rand.NewPCG(1, 1)))
	d.left = make([]uint32, d.g.pieces)
	for i := range d.left {
		d.left[i] = d.g.blocks
	}
	for i := range d.has {
		d.p.PeerBits(nil, d.has[i])
		d.queues[i] = make([]Choice, 0, 4*testWindow)
		d.sent[i] = 0
	}
}

// block has one block arrive from the peer and asks for another.
func (d *download) block(peer int) {
	q := d.queues[peer]
	if d.sent[peer] == len(q) || len(q) > 3*testWindow {
		q = q[:copy(q, q[d.sent[peer]:])]
		d.sent[peer] = 0
	}
	if len(q) > 0 {
		ref := q[d.sent[peer]].Ref
		d.sent[peer]++
		var got Got
		got, _, d.others = d.p.Received(Peer(peer), uint32(peer)+1, ref, d.others[:0])
		if got == Wanted {
			if d.left[ref.Piece]--; d.left[ref.Piece] == 0 {
				d.p.Verified(ref.Piece)
			}
		}
	}
	d.queues[peer] = d.p.Pick(mono.Start, Peer(peer), d.has[peer], testWindow-d.p.RequestsOf(Peer(peer)), Pace{}, q)
}

func seeds(int, uint32) bool { return true }

// thirds gives every peer a third of the pieces, spread.
func thirds(peer int, piece uint32) bool { return (uint32(peer)*7919+piece*104729)%3 == 0 }

func TestSteadyStateAllocatesNothing(t *testing.T) {
	d := newDownload(2000, 16, 8, seeds)
	for i := range 4000 { // slots and requests reach their numbers
		d.block(i % 8)
	}
	i := 0
	if n := testing.AllocsPerRun(10000, func() { d.block(i % 8); i++ }); n != 0 {
		t.Errorf("%v allocations for each block", n)
	}
	if d.p.HaveCount() < 500 {
		t.Errorf("only %d pieces were had after 14,000 blocks", d.p.HaveCount())
	}
}

func BenchmarkBlock(b *testing.B) {
	for _, pieces := range []uint32{2000, 100000} {
		for _, peers := range []int{1, 200} {
			for name, share := range map[string]func(int, uint32) bool{"seeds": seeds, "thirds": thirds} {
				b.Run(fmt.Sprintf("pieces=%d/peers=%d/%s", pieces, peers, name), func(b *testing.B) {
					d := newDownload(pieces, 16, peers, share)
					b.ReportAllocs()
					b.ResetTimer()
					for i := range b.N {
						if d.p.Missing() < pieces/10 || (peers == 1 && d.p.RequestsOf(0) == 0 && i > 0) {
							b.StopTimer()
							d.begin()
							b.StartTimer()
						}
						d.block(i % peers)
					}
				})
			}
		}
	}
}

// A peer has only pieces that are common, behind many rare ones that it lacks.
func BenchmarkPickBehindRarePieces(b *testing.B) {
	const pieces = 100000
	d := newDownload(pieces, 16, 20, func(peer int, piece uint32) bool { return peer == 0 || piece >= pieces/2 })
	b.ResetTimer()
	for range b.N {
		if d.p.Missing() < pieces*6/10 {
			b.StopTimer()
			d.begin()
			b.StartTimer()
		}
		d.block(1)
	}
}

// A peer that has nothing to give is asked again and again.
func BenchmarkPickNothing(b *testing.B) {
	const pieces = 100000
	d := newDownload(pieces, 1, 2, func(peer int, piece uint32) bool { return peer == 0 || piece < 10 })
	for i := range uint32(10) {
		d.p.Verified(i)
	}
	b.ResetTimer()
	for range b.N {
		d.queues[1] = d.p.Pick(mono.Start, 1, d.has[1], 1, Pace{}, d.queues[1][:0])
	}
}

// What was concluded of a set must not outlive it, also when the swarm keeps the
// bitfield and replaces what is in it.
func TestBitfieldReplacedInPlace(t *testing.T) {
	have := bitfield.New(4)
	p := New(Config{Geometry: uniform{4, 1}}, have, rand.New(rand.NewPCG(1, 1)))
	p.Verified(0)
	has := bitfield.New(4)
	has.Set(0)
	p.PeerBits(nil, has)
	if cs := p.Pick(mono.Start, 0, has, 1, Pace{}, nil); len(cs) != 0 {
		t.Fatalf("%v chosen of a peer that has nothing for us", cs)
	}
	old := has.Clone()
	has.Clear(0)
	has.Set(1)
	p.PeerBits(old, has)
	if cs := p.Pick(mono.Start, 0, has, 1, Pace{}, nil); len(cs) != 1 {
		t.Errorf("nothing chosen of a peer that has piece 1")
	}
}

func BenchmarkPeerHas(b *testing.B) {
	const pieces = 100000
	p := New(Config{Geometry: uniform{pieces, 16}}, bitfield.New(pieces), rand.New(rand.NewPCG(1, 1)))
	i := uint32(0)
	for range b.N {
		p.PeerHas(i)
		i = (i + 7919) % pieces
	}
}

func BenchmarkPeerBits(b *testing.B) {
	const pieces = 100000
	d := newDownload(pieces, 16, 50, thirds)
	b.ResetTimer()
	for range b.N {
		d.p.PeerBits(d.has[0], nil)
		d.p.PeerBits(nil, d.has[0])
	}
}
