package picker

import (
	"slices"
	"time"

	"shoal/internal/value/mono"
)

// Standing is what a piece is to a source that has everything and takes a few long requests
// instead of many short ones, such as a web seed (BEP 19).
type Standing uint8

// Values of Standing.
const (
	Barred   Standing = iota // ours, left out, or without a free block
	Untaken                  // not started
	Spoilt                   // a copy failed, and this source sent none of it
	Resting                  // started, without outstanding requests
	Poisoned                 // a copy failed, and this source sent part of it
	Working                  // started, with outstanding requests and free blocks
)

// Generation changes whenever a block may have become free.
func (p *Picker) Generation() uint64 { return p.generation }

// Standing returns the standing of a piece, and its priority. sender is the lasting identity
// of the source, as passed to Received.
func (p *Picker) Standing(piece, sender uint32) (s Standing, level uint8) {
	if int(piece) >= len(p.pieces) {
		return Barred, Skip
	}
	pc := &p.pieces[piece]
	if pc.slot == none {
		switch {
		case !p.isFree(piece) || p.full():
			return Barred, Skip
		case pc.suspect:
			return p.failedCopy(piece, sender), pc.level
		}
		return Untaken, pc.level
	}
	switch st := &p.begun.slots[pc.slot]; {
	case st.free == 0 || st.hasOwner || st.tried || pc.level == Skip:
		return Barred, Skip
	case pc.suspect:
		return p.failedCopy(piece, sender), pc.level
	case st.requests == 0:
		return Resting, pc.level
	}
	return Working, pc.level
}

func (p *Picker) failedCopy(piece, sender uint32) Standing {
	if _, found := slices.BinarySearch(p.begun.failures[piece], sender); found {
		return Poisoned
	}
	return Spoilt
}

// FreeRow returns a run of free blocks of a piece: the first run, or with half the second
// half of the last one, which the peers that work on the piece will probably reach last. n is
// 0 when none is free.
func (p *Picker) FreeRow(piece uint32, half bool) (index, n uint32) {
	slot := p.slotOf(piece)
	if slot == none {
		return 0, p.cfg.Blocks(piece)
	}
	blocks := p.begun.slots[slot].blocks
	isFree := func(b blockState) bool { return b.isFree() }
	if !half {
		first := slices.IndexFunc(blocks, isFree)
		if first < 0 {
			return 0, 0
		}
		end := first
		for end < len(blocks) && blocks[end].isFree() {
			end++
		}
		return uint32(first), uint32(end - first)
	}
	end := len(blocks)
	for end > 0 && !blocks[end-1].isFree() {
		end--
	}
	first := end
	for first > 0 && blocks[first-1].isFree() {
		first--
	}
	n = uint32(end-first+1) / 2
	return uint32(end) - n, n
}

// UrgentFree returns the first urgent piece that has free blocks and no owner.
func (p *Picker) UrgentFree(now mono.Time) (piece uint32, ok bool) {
	p.rank(now)
	for _, u := range p.urgent {
		if slot := p.pieces[u.piece].slot; slot == none || p.begun.slots[slot].free > 0 && !p.begun.slots[slot].hasOwner {
			return u.piece, true
		}
	}
	return 0, false
}

// Claim requests n blocks in a row from peer, beginning at index and continuing over the ends
// of pieces, and returns how many it requested: it stops at the first block that is not free.
// The first block should be here after wait, each further one each later. PeerBits need not
// count a peer that claims, because no other peer's choice depends on it. A suspect piece
// becomes its own.
func (p *Picker) Claim(now mono.Time, peer Peer, piece, index, n uint32, wait, each time.Duration) (claimed uint32) {
	if p.pieces == nil {
		return 0
	}
	p.peer(peer).apart = true
	for ; claimed < n && piece < p.have.Len(); piece, index = piece+1, 0 {
		slot := p.pieces[piece].slot
		if slot == none {
			if !p.isFree(piece) {
				return claimed
			}
			slot = p.start(piece)
		}
		st := &p.begun.slots[slot]
		if p.pieces[piece].suspect && !(st.hasOwner && st.owner == peer) {
			if st.hasOwner {
				return claimed
			}
			p.own(slot, peer, now)
		}
		for ; claimed < n && int(index) < len(st.blocks); index++ {
			if !st.blocks[index].isFree() {
				return claimed
			}
			p.useBlock(slot)
			p.ask(now, peer, slot, index, now.Add(wait+time.Duration(claimed)*each))
			claimed++
		}
	}
	return claimed
}
