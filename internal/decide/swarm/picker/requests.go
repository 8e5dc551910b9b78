package picker

import (
	"slices"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// request is one block requested from one peer. Requests lie in one slab and are in two
// lists, both in order of requesting: those of their peer, and all. The links are indices, so
// that the slab may move, and written out for speed (decision 0177).
type request struct {
	peer  Peer
	slot  int32
	index uint32
	at    mono.Time
	due   mono.Time // expected time of the answer, by the rate of its peer

	prev, next   int32 // links of the peer's list; next also links unused entries
	older, newer int32 // links of the list of all
}

// requestList holds the outstanding requests, and the state of each peer.
//
//shoal:part
type requestList struct {
	slab   []request
	free   int32 // first unused entry of the slab
	count  int
	oldest int32
	newest int32
	peers  []peerState
	visit  uint64 // number of the current endgame search; marks the peers it has seen
}

// noRequests is an empty list.
var noRequests = requestList{free: none, oldest: none, newest: none}

// beginVisit begins a search through the peers, and marks peer as seen.
func (l *requestList) beginVisit(peer Peer) {
	l.visit++
	l.peers[peer].visit = l.visit
}

// peerState is the state of one handle.
type peerState struct {
	n           int32    // requests outstanding
	first, last int32    // oldest and newest of them
	piece       uint32   // piece it last worked on
	worked      bool     // piece is set
	apart       bool     // a source that uses Claim; PeerBits does not count it
	sender      uint32   // lasting identity, known once it sent a block
	trial       bool     // on trial: it gets pieces of its own
	tried       int32    // pieces of its own that are not checked yet
	suggested   []uint32 // pieces that it suggests (BEP 6); the swarm owns the slice
	visit       uint64
	barren      mono.Time // no endgame search before this time: the last one found
	barrenAt    uint64    // too little, in generation barrenAt

	// A Pick that found too little need not search again until something changed: the
	// generation, the set it looked through, or endgame.
	dry        uint64
	dryHas     *bitfield.Bitfield
	dryCount   uint32
	dryEndgame bool
}

func (p *Picker) peer(peer Peer) *peerState {
	for len(p.requests.peers) <= int(peer) {
		p.requests.peers = append(p.requests.peers, peerState{first: none, last: none})
	}
	return &p.requests.peers[peer]
}

// ask adds a request to the newest end of both lists.
func (p *Picker) ask(now mono.Time, peer Peer, slot int32, index uint32, due mono.Time) {
	id := p.requests.free
	if id == none {
		id = int32(len(p.requests.slab))
		p.requests.slab = append(p.requests.slab, request{})
	} else {
		p.requests.free = p.requests.slab[id].next
	}
	q := &p.requests.peers[peer]
	p.requests.slab[id] = request{
		peer: peer, slot: slot, index: index, at: now, due: due,
		prev: q.last, next: none, older: p.requests.newest, newer: none,
	}
	if q.last == none {
		q.first = id
	} else {
		p.requests.slab[q.last].next = id
	}
	q.last = id
	q.n++
	if p.requests.newest == none {
		p.requests.oldest = id
	} else {
		p.requests.slab[p.requests.newest].newer = id
	}
	p.requests.newest = id
	p.requests.count++

	st := &p.begun.slots[slot]
	b := &st.blocks[index]
	b.copies[b.n] = id
	b.n++
	if st.requests == 0 {
		p.begun.engaged(st)
	}
	st.requests++
	q.piece, q.worked = st.piece, true
}

// unask removes a request. The caller decides whether its block is free now.
func (p *Picker) unask(id int32) {
	r := p.requests.slab[id]
	q := &p.requests.peers[r.peer]
	if r.prev == none {
		q.first = r.next
	} else {
		p.requests.slab[r.prev].next = r.next
	}
	if r.next == none {
		q.last = r.prev
	} else {
		p.requests.slab[r.next].prev = r.prev
	}
	q.n--
	if r.older == none {
		p.requests.oldest = r.newer
	} else {
		p.requests.slab[r.older].newer = r.newer
	}
	if r.newer == none {
		p.requests.newest = r.older
	} else {
		p.requests.slab[r.newer].older = r.older
	}
	p.requests.count--

	st := &p.begun.slots[r.slot]
	b := &st.blocks[r.index]
	at := slices.Index(b.copies[:b.n], id)
	b.n--
	b.copies[at] = b.copies[b.n]
	st.requests--
	if st.requests == 0 {
		p.begun.disengaged(st)
	}
	p.requests.slab[id].next = p.requests.free
	p.requests.free = id
}

// dropRequests forgets every request for a started piece.
func (p *Picker) dropRequests(slot int32) {
	st := &p.begun.slots[slot]
	for i := range st.blocks {
		for st.blocks[i].n > 0 {
			p.unask(st.blocks[i].copies[0])
		}
	}
}

// find returns the request for that block to that peer, or none.
func (p *Picker) find(b *blockState, peer Peer) int32 {
	for _, id := range b.copies[:b.n] {
		if p.requests.slab[id].peer == peer {
			return id
		}
	}
	return none
}

// Got says what to do with a received block.
type Got uint8

// Values of Got.
const (
	// Wanted: store it.
	Wanted Got = iota
	// Duplicate: one of our blocks, but there is nothing to store. We received it before,
	// have the piece or left it out, or the piece is suspect and belongs to another peer.
	Duplicate
	// Unwanted: no block of this torrent has that offset and length.
	Unwanted
)

// String returns the name in lower case.
func (g Got) String() string { return [...]string{"wanted", "duplicate", "unwanted", "?"}[g&3] }

// Received says that peer delivered a block. sender is a lasting identity of the peer, not 0;
// Senders returns it. asked tells whether we had requested the block from this peer: a block
// that we had not (it came late, after a cancel or a timeout) is still wanted while it is
// missing. Received appends to dst the other peers that have a request for the block, and
// removes their requests: each should get a CANCEL.
func (p *Picker) Received(peer Peer, sender uint32, ref block.Ref, dst []Peer) (got Got, asked bool, others []Peer) {
	index, ok := p.index(ref)
	if !ok {
		return Unwanted, false, dst
	}
	if p.have.Has(ref.Piece) {
		return Duplicate, false, dst
	}
	p.peer(peer).sender = sender
	slot := p.pieces[ref.Piece].slot
	if slot == none {
		if p.pieces[ref.Piece].suspect || p.pieces[ref.Piece].level == Skip {
			return Duplicate, false, dst
		}
		slot = p.start(ref.Piece)
	}
	b := &p.begun.slots[slot].blocks[index]
	if id := p.find(b, peer); id != none {
		p.unask(id)
		asked = true
	} else if b.received || p.begun.slots[slot].hasOwner && p.begun.slots[slot].owner != peer {
		return Duplicate, false, dst
	} else if b.n == 0 {
		p.useBlock(slot)
	}
	for b.n > 0 {
		dst = append(dst, p.requests.slab[b.copies[0]].peer)
		p.unask(b.copies[0])
	}
	b.received, b.sender = true, sender
	p.begun.slots[slot].received++
	return Wanted, asked, dst
}

// Abandon says that a block will not come from this peer: it was rejected, cancelled or timed
// out. It reports whether the block was requested from it.
func (p *Picker) Abandon(peer Peer, ref block.Ref) bool {
	index, ok := p.index(ref)
	slot := p.slotOf(ref.Piece)
	if !ok || slot == none {
		return false
	}
	id := p.find(&p.begun.slots[slot].blocks[index], peer)
	if id == none {
		return false
	}
	p.abandon(id)
	return true
}

// Suggest sets which pieces a peer suggests (BEP 6), until AbandonAll. The picker keeps the
// slice.
func (p *Picker) Suggest(peer Peer, pieces []uint32) { p.peer(peer).suggested = pieces }

// AbandonAll says that nothing more will come from this peer: it choked us without the fast
// extension (BEP 6), or left. It costs as much as the peer has requests. Its sender identity
// stays, since a choked peer may continue; the next peer with this handle counts as the same
// sender until it sends a block, which matters only for the choice of the peer that gets a
// suspect piece first.
func (p *Picker) AbandonAll(peer Peer) {
	if int(peer) >= len(p.requests.peers) {
		return
	}
	q := &p.requests.peers[peer]
	for q.first != none {
		p.abandon(q.first)
	}
	q.dryHas, q.dry, q.worked, q.apart, q.barren, q.suggested = nil, 0, false, false, 0, nil
	if q.tried > 0 {
		for slot := range p.begun.slots {
			if st := &p.begun.slots[slot]; st.tried && st.trier == peer {
				p.endTrial(int32(slot))
			}
		}
	}
	if p.begun.owned == 0 {
		return
	}
	for i := len(p.begun.open) - 1; i >= 0; i-- {
		if st := &p.begun.slots[p.begun.open[i]]; st.hasOwner && st.owner == peer {
			p.disown(p.begun.open[i])
		}
	}
}

func (p *Picker) abandon(id int32) {
	r := p.requests.slab[id]
	p.unask(id)
	p.freeBlock(r.slot, r.index)
	// The owner of the piece does not bring all of it.
	if st := &p.begun.slots[r.slot]; st.hasOwner && st.owner == r.peer {
		p.disown(r.slot)
	}
	if st := &p.begun.slots[r.slot]; st.tried && st.trier == r.peer {
		p.endTrial(r.slot)
	}
	p.settle(r.slot)
	p.generation++
}

// RequestsOf returns the number of blocks requested from the peer.
func (p *Picker) RequestsOf(peer Peer) int {
	if int(peer) >= len(p.requests.peers) {
		return 0
	}
	return int(p.requests.peers[peer].n)
}
