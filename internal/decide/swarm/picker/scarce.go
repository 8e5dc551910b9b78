package picker

import "shoal/internal/value/bitfield"

// scarceLooks bounds how many pieces Scarce looks at.
const scarceLooks = 16

// Scarce reports whether a peer has a free piece that it takes this peer, or another
// seed, to bring: no leecher has it. What a seed sends in a crowd should be new to the
// crowd, or all wait for what has not left it yet while it sends the same thing again;
// the rest they can bring each other.
//
// Where there is no seed, a peer is looked at that alone has some piece: whether it has,
// of a few that only one has.
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

// common reports whether a leecher has a piece; where there is no seed, whether two
// peers have it.
func (p *Picker) common(i uint32) bool {
	if p.avail.seeds > 0 {
		return p.pieces[i].avail > 0
	}
	return p.pieces[i].avail > 1
}

// Seeds is the number of connected peers that came with every piece, while one is missing.
func (p *Picker) Seeds() int { return int(p.avail.seeds) }
