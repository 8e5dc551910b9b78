package sim

import (
	"encoding/binary"
	"slices"
	"time"

	"shoal/internal/decide/swarm/blame"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// disk is a node's virtual disk: it keeps the tags of unfinished pieces, and reports after a while
// whether all blocks of a whole piece are right.
type disk struct {
	n        *Node
	verified *bitfield.Bitfield // what a restart would find
	parts    map[uint32]*part
	session  int // results of an earlier session are dropped
	failing  int // number of upcoming pieces that can't be written
}

// part is an unfinished piece.
type part struct {
	tags   []uint64
	got    []bool
	count  int
	sums   bool
	closed bool // being checked, or forgotten
}

// open forgets unfinished pieces and pending checks.
func (d *disk) open() { clear(d.parts) }

func (d *disk) close() { d.session++ }

// store adds a block, and checks the piece after its last one.
func (d *disk) store(ref block.Ref, tag uint64, sums bool) {
	w := d.n.w
	p := d.parts[ref.Piece]
	if p == nil {
		blocks := w.Geometry.Blocks(ref.Piece)
		p = &part{tags: make([]uint64, blocks), got: make([]bool, blocks)}
		d.parts[ref.Piece] = p
	}
	i := ref.Index()
	switch {
	case d.verified.Has(ref.Piece):
		w.failf("%s: block %v stored, of a piece that is verified", d.n.spec.Name, ref)
		return
	case p.closed || p.got[i]:
		w.failf("%s: block %v stored twice", d.n.spec.Name, ref)
		return
	}
	p.tags[i], p.got[i] = tag, true
	p.count++
	p.sums = p.sums || sums
	if p.count < len(p.got) {
		return
	}
	p.closed = true
	delay := d.n.spec.DiskDelay
	if delay > 0 {
		delay += time.Duration(d.n.rng.Int64N(int64(delay)))
	}
	session := d.session
	w.after(delay, func() {
		if d.session == session && d.parts[ref.Piece] == p {
			d.check(ref.Piece, p)
		}
	})
}

func (d *disk) check(piece uint32, p *part) {
	delete(d.parts, piece)
	if d.failing > 0 {
		d.failing--
		d.n.input(func(now mono.Time) { d.n.swarm.WriteFailed(now, piece) })
		return
	}
	ok := true
	var liars []int
	for _, t := range p.tags {
		ok = ok && t == 0
		if liar := int(t>>32) - 1; t != 0 && !slices.Contains(liars, liar) {
			liars = append(liars, liar)
			d.n.corrupted(liar)
		}
	}
	var sums []blame.Sum
	if !ok || p.sums {
		sums = make([]blame.Sum, len(p.tags))
		for i, t := range p.tags {
			binary.BigEndian.PutUint32(sums[i][0:], piece)
			binary.BigEndian.PutUint32(sums[i][4:], uint32(i))
			binary.BigEndian.PutUint64(sums[i][8:], t)
		}
	}
	if ok {
		d.verified.Set(piece)
	}
	d.n.input(func(now mono.Time) { d.n.swarm.Checked(now, piece, ok, sums) })
}

// forget drops the blocks of a piece.
func (d *disk) forget(piece uint32) { delete(d.parts, piece) }

// Lose makes a verified piece go bad, as a check of the disk would find.
func (n *Node) Lose(piece uint32) {
	if n.disk.verified.Clear(piece) {
		n.input(func(now mono.Time) { n.swarm.Lost(now, piece) })
	}
}

// FailWrites makes the writes of the next pieces fail.
func (n *Node) FailWrites(pieces int) { n.disk.failing = pieces }
