package picker

import (
	"slices"

	"shoal/internal/value/mono"
)

// begunPieces are the pieces in progress.
//
//shoal:part
type begunPieces struct {
	slots     []started
	freeSlots []int32
	open      []int32 // slots with a free block
	count     int
	sequence  uint64 // sequence number of the next started piece

	busy      int // blocks of the pieces with outstanding requests
	busyCount int // number of those pieces
	owned     int // suspect pieces that belong to one peer
	onTrial   int // pieces that are left to peers on trial

	failures map[uint32][]uint32 // peers that sent part of the failed copy, by piece
	senders  []uint32            // result of Senders
}

// engaged counts a piece that got its first request.
func (g *begunPieces) engaged(st *started) {
	g.busy += len(st.blocks)
	g.busyCount++
}

// disengaged counts a piece that lost its last request.
func (g *begunPieces) disengaged(st *started) {
	g.busy -= len(st.blocks)
	g.busyCount--
}

// failed records which peers sent part of a copy that failed.
func (g *begunPieces) failed(piece uint32, senders []uint32) {
	if g.failures == nil {
		g.failures = make(map[uint32][]uint32)
	}
	g.failures[piece] = senders
}

// cleared forgets the failures of a piece that was verified.
func (g *begunPieces) cleared(piece uint32) { delete(g.failures, piece) }

// trialBegan counts a piece that is left to a peer on trial; trialEnded stops counting it.
func (g *begunPieces) trialBegan() { g.onTrial++ }
func (g *begunPieces) trialEnded() { g.onTrial-- }

// started is the state of a piece in progress. Its slot is reused for another piece, with its
// blocks, so that starting one allocates nothing.
type started struct {
	piece    uint32
	sequence uint64 // smaller for a piece started earlier
	blocks   []blockState

	free     uint32 // blocks neither received nor requested
	received uint32
	requests uint32 // outstanding requests, copies included
	cursor   uint32 // no free block lies below this index
	openAt   int32  // position in begunPieces.open, or none

	// A suspect piece is fetched from one peer at a time.
	hasOwner bool
	owner    Peer
	since    mono.Time // time when the owner got it

	// A piece that a peer on trial started is left to it.
	tried bool
	trier Peer
}

type blockState struct {
	copies   [maxCopies]int32 // outstanding requests for the block
	n        uint8            // number of copies in use
	received bool
	sender   uint32 // identity of the sender; 0: not received
}

func (b *blockState) isFree() bool { return b.n == 0 && !b.received }

// start makes a free piece a started one.
func (p *Picker) start(i uint32) int32 {
	var slot int32
	if n := len(p.begun.freeSlots); n > 0 {
		slot = p.begun.freeSlots[n-1]
		p.begun.freeSlots = p.begun.freeSlots[:n-1]
	} else {
		slot = int32(len(p.begun.slots))
		p.begun.slots = append(p.begun.slots, started{})
	}
	n := p.cfg.Blocks(i)
	st := &p.begun.slots[slot]
	blocks := slices.Grow(st.blocks[:0], int(n))[:n]
	clear(blocks)
	*st = started{piece: i, sequence: p.begun.sequence, blocks: blocks, free: n, openAt: none}
	p.begun.sequence++
	p.begun.count++
	p.avail.orders[p.pieces[i].level].take(p.pieces, i)
	p.pieces[i].slot = slot
	p.openSlot(slot)
	return slot
}

// releaseSlot ends a started piece without requests. The piece is now ours, free, or left
// out.
func (p *Picker) releaseSlot(slot int32) {
	st := &p.begun.slots[slot]
	if st.hasOwner {
		st.hasOwner = false
		p.begun.owned--
	}
	p.endTrial(slot)
	p.closeSlot(slot)
	p.pieces[st.piece].slot = none
	p.begun.count--
	p.begun.freeSlots = append(p.begun.freeSlots, slot)
	if p.isFree(st.piece) {
		p.avail.orders[p.pieces[st.piece].level].put(p.pieces, st.piece)
	}
}

// settle makes a started piece free when it has neither blocks nor requests.
func (p *Picker) settle(slot int32) {
	if st := &p.begun.slots[slot]; st.received == 0 && st.requests == 0 {
		p.disown(slot)
		p.releaseSlot(slot)
	}
}

func (p *Picker) openSlot(slot int32) {
	p.begun.slots[slot].openAt = int32(len(p.begun.open))
	p.begun.open = append(p.begun.open, slot)
}

func (p *Picker) closeSlot(slot int32) {
	at := p.begun.slots[slot].openAt
	if at == none {
		return
	}
	last := p.begun.open[len(p.begun.open)-1]
	p.begun.open[at] = last
	p.begun.slots[last].openAt = at
	p.begun.open = p.begun.open[:len(p.begun.open)-1]
	p.begun.slots[slot].openAt = none
}

// useBlock counts a free block as requested or received from now on.
func (p *Picker) useBlock(slot int32) {
	st := &p.begun.slots[slot]
	st.free--
	if !st.hasOwner {
		p.offer(st.piece, -1)
	}
	if st.free == 0 {
		p.closeSlot(slot)
	}
}

// freeBlock counts a block as free again, unless it still has a request.
func (p *Picker) freeBlock(slot int32, index uint32) {
	st := &p.begun.slots[slot]
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

// nextFree returns the first free block of an open slot.
func (st *started) nextFree() uint32 {
	for !st.blocks[st.cursor].isFree() {
		st.cursor++
	}
	return st.cursor
}

// own reserves a suspect piece's blocks for one peer.
func (p *Picker) own(slot int32, peer Peer, now mono.Time) {
	p.disown(slot)
	st := &p.begun.slots[slot]
	p.offer(st.piece, -int64(st.free))
	st.hasOwner, st.owner, st.since = true, peer, now
	p.begun.owned++
}

// disown ends a reservation.
func (p *Picker) disown(slot int32) {
	st := &p.begun.slots[slot]
	if !st.hasOwner {
		return
	}
	st.hasOwner = false
	p.begun.owned--
	p.offer(st.piece, int64(st.free))
}

// Senders returns the sender of each block of a started piece, by the identities passed to
// Received; 0 for a block that has not arrived. It is nil when the piece is not started, and
// valid until the next call.
func (p *Picker) Senders(piece uint32) []uint32 {
	slot := p.slotOf(piece)
	if slot == none {
		return nil
	}
	p.begun.senders = p.begun.senders[:0]
	for _, b := range p.begun.slots[slot].blocks {
		p.begun.senders = append(p.begun.senders, b.sender)
	}
	return p.begun.senders
}

// contributors returns each sender once, in ascending order, without 0.
func contributors(senders []uint32) []uint32 {
	set := slices.Clone(senders)
	slices.Sort(set)
	set = slices.Compact(set)
	if len(set) > 0 && set[0] == 0 {
		set = set[1:]
	}
	return slices.Clip(set)
}
