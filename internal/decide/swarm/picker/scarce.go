package picker

import "shoal/internal/value/bitfield"

// scarceLooks bounds how many pieces Scarce looks at.
const scarceLooks = 16

// Scarce reports whether a peer has a free piece that only it, or another seed, can bring: no
// leecher has it. What a seed sends to a crowd should be new to the crowd; otherwise all wait
// for what has not left the seed yet while it sends the same thing again. Leechers can bring
// each other the rest.
//
// Without a seed, Scarce reports whether the peer is the only one with some piece, and looks
// at a few pieces of availability 1.
func (p *Picker) Scarce(has *bitfield.Bitfield) bool {
	if p.avail.seeds > 0 && !has.All() {
		return false
	}
	for level := High; level > Skip; level-- {
		o := &p.avail.orders[level]
		if p.avail.seeds > 0 {
			if o.buckets() > 0 && len(o.bucket(0)) > 0 {
				return true
			}
			continue
		}
		if o.buckets() < 2 {
			continue
		}
		single := o.bucket(1)
		for _, i := range single[:min(len(single), scarceLooks)] {
			if has.Has(i) {
				return true
			}
		}
	}
	return false
}

// common reports whether a leecher has a piece; without a seed, whether two peers have it.
func (p *Picker) common(i uint32) bool {
	if p.avail.seeds > 0 {
		return p.pieces[i].avail > 0
	}
	return p.pieces[i].avail > 1
}

// Seeds returns the number of connected peers that joined with every piece; counted only
// while we lack one.
func (p *Picker) Seeds() int { return int(p.avail.seeds) }
