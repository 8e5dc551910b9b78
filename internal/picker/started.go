package picker

import (
	"slices"

	"shoal/internal/mono"
)

// started is the state of a piece in progress. A slot is used again for another
// piece, blocks and all, so that starting one allocates nothing.
type started struct {
	piece    uint32
	sequence uint64 // a piece started earlier has a smaller one
	blocks   []blockState

	free     uint32 // blocks neither received nor requested
	received uint32
	requests uint32 // outstanding, copies counted
	cursor   uint32 // no free block lies below
	openAt   int32  // place in Picker.open, or none

	// A suspect piece is fetched by one peer at a time.
	hasOwner bool
	owner    Peer
	since    mono.Time // when the owner got it

	// A piece that a peer on trial began is left to it.
	tried bool
	trier Peer
}

type blockState struct {
	copies   [maxCopies]int32 // requests outstanding for it
	n        uint8            // how many of those
	received bool
	sender   uint32 // who sent it
}

func (b *blockState) isFree() bool { return b.n == 0 && !b.received }

// start makes a free piece a started one.
func (p *Picker) start(i uint32) int32 {
	var slot int32
	if n := len(p.freeSlots); n > 0 {
		slot = p.freeSlots[n-1]
		p.freeSlots = p.freeSlots[:n-1]
	} else {
		slot = int32(len(p.slots))
		p.slots = append(p.slots, started{})
	}
	n := p.cfg.Blocks(i)
	st := &p.slots[slot]
	blocks := slices.Grow(st.blocks[:0], int(n))[:n]
	clear(blocks)
	*st = started{piece: i, sequence: p.sequence, blocks: blocks, free: n, openAt: none}
	p.sequence++
	p.nstarted++
	p.orders[p.pieces[i].level].take(p.pieces, i)
	p.pieces[i].slot = slot
	p.openSlot(slot)
	return slot
}

// releaseSlot ends a started piece without requests. The piece is had now, or
// becomes free, or is left out.
func (p *Picker) releaseSlot(slot int32) {
	st := &p.slots[slot]
	if st.hasOwner {
		st.hasOwner = false
		p.owned--
	}
	p.endTrial(slot)
	p.closeSlot(slot)
	p.pieces[st.piece].slot = none
	p.nstarted--
	p.freeSlots = append(p.freeSlots, slot)
	if p.isFree(st.piece) {
		p.orders[p.pieces[st.piece].level].put(p.pieces, st.piece)
	}
}

// settle makes a started piece free when nothing is left of it.
func (p *Picker) settle(slot int32) {
	if st := &p.slots[slot]; st.received == 0 && st.requests == 0 {
		p.disown(slot)
		p.releaseSlot(slot)
	}
}

func (p *Picker) openSlot(slot int32) {
	p.slots[slot].openAt = int32(len(p.open))
	p.open = append(p.open, slot)
}

func (p *Picker) closeSlot(slot int32) {
	at := p.slots[slot].openAt
	if at == none {
		return
	}
	last := p.open[len(p.open)-1]
	p.open[at] = last
	p.slots[last].openAt = at
	p.open = p.open[:len(p.open)-1]
	p.slots[slot].openAt = none
}

// useBlock counts a free block as requested or received from now on.
func (p *Picker) useBlock(slot int32) {
	st := &p.slots[slot]
	st.free--
	if !st.hasOwner {
		p.offer(st.piece, -1)
	}
	if st.free == 0 {
		p.closeSlot(slot)
	}
}

// freeBlock counts a block as free again, unless it is requested still.
func (p *Picker) freeBlock(slot int32, index uint32) {
	st := &p.slots[slot]
	if !st.blocks[index].isFree() {
		return
	}
	st.free++
	st.cursor = min(st.cursor, index)
	if !st.hasOwner {
		p.offer(st.piece, 1)
	}
	if st.openAt == none {
		p.openSlot(slot)
	}
}

// nextFree gives the first free block of an open slot.
func (st *started) nextFree() uint32 {
	for !st.blocks[st.cursor].isFree() {
		st.cursor++
	}
	return st.cursor
}

// own reserves a suspect piece's blocks for one peer.
func (p *Picker) own(slot int32, peer Peer, now mono.Time) {
	p.disown(slot)
	st := &p.slots[slot]
	p.offer(st.piece, -int64(st.free))
	st.hasOwner, st.owner, st.since = true, peer, now
	p.owned++
}

// disown ends a reservation.
func (p *Picker) disown(slot int32) {
	st := &p.slots[slot]
	if !st.hasOwner {
		return
	}
	st.hasOwner = false
	p.owned--
	p.offer(st.piece, int64(st.free))
}

// contributors gives each sender once, in ascending order, nobody left out.
func contributors(senders []uint32) []uint32 {
	set := slices.Clone(senders)
	slices.Sort(set)
	set = slices.Compact(set)
	if len(set) > 0 && set[0] == 0 {
		set = set[1:]
	}
	return slices.Clip(set)
}
