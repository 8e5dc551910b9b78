package picker

import (
	"errors"
	"fmt"
	"iter"

	"shoal/internal/value/bitfield"
)

// CheckInvariants recomputes from scratch what the picker maintains step by step and returns
// the first difference. peers yields every connected peer and the pieces that it has; nil
// skips the check of availability. It is for tests and the simulator, because it visits every
// piece and request.
//
//   - A piece is in exactly one state: ours, started, free or left out; the last only when it
//     is skipped and no reader wants it, and then it has no request.
//   - Availability is the sum of the peers' sets, and the order is sorted by it.
//   - A request belongs to one connected peer, which has the piece, and is for a missing
//     block. No peer has two requests for one block, and no block has more requests than
//     endgame allows.
//   - The counts of free blocks match the blocks.
func (p *Picker) CheckInvariants(peers iter.Seq2[Peer, *bitfield.Bitfield]) error {
	checks := []func() error{p.checkOrder, p.checkSlots, p.checkRequests, p.checkOffered}
	if peers != nil {
		checks = append(checks, func() error { return p.checkPeers(peers) })
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return fmt.Errorf("picker: %w", err)
		}
	}
	return nil
}

func (p *Picker) checkOrder() error {
	if (p.pieces == nil) != p.have.All() {
		return fmt.Errorf("we have %v, and keep the state of %d pieces", p.have, len(p.pieces))
	}
	var free, lacking, seeking uint32
	for n := range p.pieces {
		i, pc := uint32(n), &p.pieces[n]
		if err := p.checkPiece(i, pc); err != nil {
			return fmt.Errorf("piece %d: %w", i, err)
		}
		if p.isFree(i) {
			free++
		}
		if !p.have.Has(i) && p.Priority(i) != Skip {
			lacking++
		}
		if !p.have.Has(i) && pc.level != Skip {
			seeking++
		}
	}
	var ordered uint32
	for level := range p.avail.orders {
		ordered += uint32(len(p.avail.orders[level].pieces))
	}
	if free != ordered || lacking != p.wanted.lacking || seeking != p.wanted.seeking {
		return fmt.Errorf("%d free, %d ordered; %d wanted, %d with what readers want; kept as %d, %d",
			free, ordered, lacking, seeking, p.wanted.lacking, p.wanted.seeking)
	}
	if len(p.reading.readers) > MaxReaders {
		return fmt.Errorf("%d readers", len(p.reading.readers))
	}
	return nil
}

func (p *Picker) checkPiece(i uint32, pc *piece) error {
	if p.have.Has(i) && pc.slot != none {
		return errors.New("ours and started")
	}
	if want := p.levelOf(i); pc.level != want {
		return fmt.Errorf("at level %d, should be at %d", pc.level, want)
	}
	if pc.level == Skip && pc.slot != none && !p.begun.slots[pc.slot].whole() {
		return errors.New("left out and started")
	}
	if _, failed := p.begun.failures[i]; pc.suspect != failed {
		return fmt.Errorf("suspect is %v, a failure kept is %v", pc.suspect, failed)
	}
	if pc.suspect && p.have.Has(i) {
		return errors.New("ours and suspect")
	}
	if !p.isFree(i) {
		return nil
	}
	o := &p.avail.orders[pc.level]
	if int(pc.pos) >= len(o.pieces) || o.pieces[pc.pos] != i {
		return fmt.Errorf("not at its position %d in the order", pc.pos)
	}
	if int(pc.avail) >= o.buckets() || pc.pos < o.begin[pc.avail] || pc.avail > 0 && pc.pos >= o.begin[pc.avail-1] {
		return fmt.Errorf("of availability %d, and in another bucket", pc.avail)
	}
	return nil
}

func (p *Picker) checkSlots() error {
	open := make(map[int32]bool)
	for at, slot := range p.begun.open {
		if p.begun.slots[slot].openAt != int32(at) || open[slot] {
			return fmt.Errorf("slot %d is open at two places", slot)
		}
		open[slot] = true
	}
	var nstarted, busy, busyCount, owned, ntried int
	tried := make(map[Peer]int32)
	for i := range p.pieces {
		slot := p.pieces[i].slot
		if slot == none {
			continue
		}
		st := &p.begun.slots[slot]
		if st.piece != uint32(i) {
			return fmt.Errorf("piece %d has the slot of piece %d", i, st.piece)
		}
		if err := st.check(); err != nil {
			return fmt.Errorf("piece %d: %w", i, err)
		}
		if open[slot] != (st.free > 0) || (st.openAt == none) != (st.free == 0) {
			return fmt.Errorf("piece %d has %d free blocks and open is %v", i, st.free, open[slot])
		}
		nstarted++
		if st.requests > 0 {
			busy += len(st.blocks)
			busyCount++
		}
		if st.hasOwner {
			owned++
		}
		if st.tried {
			ntried++
			tried[st.trier]++
		}
	}
	if nstarted != p.begun.count || busy != p.begun.busy || busyCount != p.begun.busyCount || owned != p.begun.owned {
		return fmt.Errorf("counts of started pieces are %d %d %d %d, kept as %d %d %d %d",
			nstarted, busy, busyCount, owned, p.begun.count, p.begun.busy, p.begun.busyCount, p.begun.owned)
	}
	if ntried != p.begun.onTrial {
		return fmt.Errorf("%d pieces are left to peers on trial, counted %d", ntried, p.begun.onTrial)
	}
	for peer := range p.requests.peers {
		if n := tried[Peer(peer)]; n != p.requests.peers[peer].tried {
			return fmt.Errorf("%d pieces are left to peer %d, counted %d", n, peer, p.requests.peers[peer].tried)
		}
	}
	if len(p.begun.freeSlots)+nstarted != len(p.begun.slots) {
		return fmt.Errorf("%d slots, %d started and %d unused", len(p.begun.slots), nstarted, len(p.begun.freeSlots))
	}
	return nil
}

func (st *started) check() error {
	var free, received, requests uint32
	for i := range st.blocks {
		b := &st.blocks[i]
		requests += uint32(b.n)
		switch {
		case b.received && b.n > 0:
			return fmt.Errorf("block %d is received and requested", i)
		case b.received:
			received++
		case b.n == 0:
			free++
			if uint32(i) < st.cursor {
				return fmt.Errorf("block %d is free and lies below the cursor at %d", i, st.cursor)
			}
		}
		if b.received != (b.sender != 0) {
			return fmt.Errorf("block %d: received is %v, sender %d", i, b.received, b.sender)
		}
	}
	if free != st.free || received != st.received || requests != st.requests {
		return fmt.Errorf("%d free, %d received, %d requests; kept as %d, %d, %d",
			free, received, requests, st.free, st.received, st.requests)
	}
	if received == 0 && requests == 0 {
		return errors.New("started, with nothing received or requested")
	}
	return nil
}

// checkRequests walks both lists. Each request must be in its block, in the list of its peer,
// and in the list of all.
func (p *Picker) checkRequests() error {
	all := make(map[int32]bool)
	for id, before := p.requests.oldest, int32(none); id != none; id, before = p.requests.slab[id].newer, id {
		r := &p.requests.slab[id]
		if all[id] || r.older != before {
			return errors.New("the list of all requests is broken")
		}
		all[id] = true
		st := &p.begun.slots[r.slot]
		if p.pieces[st.piece].slot != r.slot {
			return fmt.Errorf("a request for piece %d, which is not started", st.piece)
		}
		b := &st.blocks[r.index]
		if p.find(b, r.peer) != id {
			return fmt.Errorf("block %d:%d is requested from peer %d twice, or lacks the request", st.piece, r.index, r.peer)
		}
		if int(b.n) > p.cfg.EndgameCopies {
			return fmt.Errorf("block %d:%d is requested from %d peers", st.piece, r.index, b.n)
		}
	}
	listed := 0
	for peer := range p.requests.peers {
		q, n := &p.requests.peers[peer], int32(0)
		for id, before := q.first, int32(none); id != none; id, before = p.requests.slab[id].next, id {
			if !all[id] || p.requests.slab[id].peer != Peer(peer) || p.requests.slab[id].prev != before {
				return fmt.Errorf("the list of requests of peer %d is broken", peer)
			}
			n++
		}
		if n != q.n {
			return fmt.Errorf("peer %d has %d requests, kept as %d", peer, n, q.n)
		}
		listed += int(n)
	}
	if listed != len(all) || listed != p.requests.count {
		return fmt.Errorf("%d requests, %d of peers, kept as %d", len(all), listed, p.requests.count)
	}
	return nil
}

func (p *Picker) checkOffered() error {
	var offered, orphaned int64
	for i := range p.pieces {
		n := p.offeredOf(uint32(i))
		offered += n
		if p.pieces[i].avail == 0 {
			orphaned += n
		}
	}
	if offered != p.avail.offered || orphaned != p.avail.orphaned {
		return fmt.Errorf("%d blocks on offer, %d of them orphaned; kept as %d, %d",
			offered, orphaned, p.avail.offered, p.avail.orphaned)
	}
	return nil
}

func (p *Picker) checkPeers(peers iter.Seq2[Peer, *bitfield.Bitfield]) error {
	avail := make([]int, p.have.Len())
	connected := make(map[Peer]bool)
	complete := uint32(0)
	for peer, has := range peers {
		connected[peer] = true
		if has.All() {
			complete++
		}
		for i := range has.Pieces() {
			avail[i]++
		}
		if int(peer) >= len(p.requests.peers) {
			continue
		}
		for id := p.requests.peers[peer].first; id != none; id = p.requests.slab[id].next {
			if i := p.begun.slots[p.requests.slab[id].slot].piece; !has.Has(i) {
				return fmt.Errorf("piece %d is requested from peer %d, which lacks it", i, peer)
			}
		}
	}
	for i, n := range avail {
		if p.pieces == nil {
			break
		}
		if got := p.Availability(uint32(i)); got != n {
			return fmt.Errorf("%[2]d peers have piece %[1]d, counted %[3]d", i, n, got)
		}
	}
	if p.avail.seeds > complete {
		return fmt.Errorf("%d peers are counted as seeds, %d are complete", p.avail.seeds, complete)
	}
	for peer := range p.requests.peers {
		if n := p.requests.peers[peer].n; n > 0 && !connected[Peer(peer)] && !p.requests.peers[peer].apart {
			return fmt.Errorf("peer %d is not connected and has %d requests", peer, n)
		}
	}
	return nil
}
