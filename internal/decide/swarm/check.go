package swarm

import (
	"errors"
	"fmt"
	"slices"

	"shoal/internal/decide/swarm/picker"
	"shoal/internal/decide/swarm/superseed"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// CheckInvariants recomputes from scratch what the swarm maintains step by step and returns
// the first difference. Tests and the simulator call it after a Flush; it visits every peer
// and piece.
//
//   - Slots, keys and counts name the same peers, no more than allowed. No peer is useless,
//     ourselves, or there twice.
//   - We have requests only with peers that have unchoked us, or that still owe an answer
//     (BEP 6); only for blocks of pieces that they have and we lack; never twice for a block.
//     The picker knows each request.
//   - We request nothing while writes fail, and nothing of pieces that are skipped and that no
//     reader wants. A suspended swarm has no peers and no deadline.
//   - We are interested exactly in the peers that have what we lack.
//   - Only unchoked peers have requests waiting, or requests for granted pieces, and only for
//     pieces that we have. We unchoke no more peers than there are slots.
//   - The invariants of the peer book and the picker hold: availability is the sum of the
//     peers' sets.
func (s *Swarm) CheckInvariants() error {
	if len(s.peers.dirty) > 0 {
		return errors.New("not flushed")
	}
	count, unchoked := 0, 0
	requests, err := s.checkWeb()
	if err != nil {
		return fmt.Errorf("web seeds: %w", err)
	}
	for i, p := range s.peers.bySlot {
		if p == nil {
			continue
		}
		count++
		if !p.ours.choked {
			unchoked++
		}
		requests += p.download.requests.len()
		if p.slot != picker.Peer(i) || s.peers.byKey[p.key] != p || p.out.gone {
			return fmt.Errorf("peer %d in slot %d is not the one by its key", p.key, i)
		}
		if err := s.checkPeer(p); err != nil {
			return fmt.Errorf("peer %d at %v: %w", p.key, p.addr, err)
		}
		for _, q := range s.peers.bySlot[:i] {
			if q != nil && q.id == p.id {
				return fmt.Errorf("peers %d and %d are the same", q.key, p.key)
			}
		}
	}
	switch {
	case count != s.peers.count || count != len(s.peers.byKey):
		return fmt.Errorf("%d peers, counted %d, by key %d", count, s.peers.count, len(s.peers.byKey))
	case count > s.cfg.MaxPeers:
		return fmt.Errorf("%d peers, at most %d", count, s.cfg.MaxPeers)
	case len(s.dials) > s.cfg.HalfOpen:
		return fmt.Errorf("%d dials at once, at most %d", len(s.dials), s.cfg.HalfOpen)
	case unchoked > s.slots.choker.Room():
		return fmt.Errorf("%d unchoked, room for %d", unchoked, s.slots.choker.Room())
	case s.inactive() && (count > 0 || s.Deadline() != mono.Never):
		return fmt.Errorf("suspended or stopped, with %d peers and a deadline at %v", count, s.Deadline())
	case s.goal.completed != s.Complete() || s.goal.seeking != s.needs():
		return fmt.Errorf("complete is %v, reported %v; wanting is %v, reported %v",
			s.Complete(), s.goal.completed, s.needs(), s.goal.seeking)
	case requests != s.picker.Stats().Requests:
		return fmt.Errorf("%d requests in flight, the picker knows %d", requests, s.picker.Stats().Requests)
	case count > 0 && s.Deadline() > s.now.Add(keepAliveAfter):
		return errors.New("peers, and no deadline before a keep-alive is due")
	}
	if err := s.checkBook(); err != nil {
		return err
	}
	if err := s.checkDealing(); err != nil {
		return err
	}
	return s.picker.CheckInvariants(func(yield func(picker.Peer, *bitfield.Bitfield) bool) {
		for i, p := range s.peers.bySlot {
			if p != nil && !yield(picker.Peer(i), p.theirs.have) {
				return
			}
		}
	})
}

// checkDealing compares what a super-seed keeps of its peers with what they have.
func (s *Swarm) checkDealing() error {
	for p := range s.peers.all() {
		if p.mask == nil {
			continue
		}
		if !s.dealing.masks || p.mask.off && s.dealing.dealer != nil {
			return fmt.Errorf("peer %d is masked, and nobody should be", p.key)
		}
		lacks := p.mask.lacks
		if p.mask.count(p.theirs.have); p.mask.lacks != lacks {
			return fmt.Errorf("peer %d lacks %d revealed pieces, counted %d", p.key, p.mask.lacks, lacks)
		}
	}
	if s.dealing.dealer == nil {
		return nil
	}
	if s.picker.Missing() > 0 {
		return errors.New("a leecher deals")
	}
	return s.dealing.dealer.CheckInvariants(func(yield func(superseed.Peer, *bitfield.Bitfield) bool) {
		for i, p := range s.peers.bySlot {
			if p != nil && !yield(superseed.Peer(i), p.theirs.have) {
				return
			}
		}
	})
}

// checkBook looks for addresses that the book wrongly believes to be in use: we would never
// dial them again.
func (s *Swarm) checkBook() error {
	_, dialling, connected := s.book.States()
	if dialling > len(s.dials) {
		return fmt.Errorf("the book has %d addresses being dialled, there are %d dials", dialling, len(s.dials))
	}
	most := 0
	for p := range s.peers.all() {
		most++
		if p.listens.IsValid() && p.listens != p.addr {
			most++
		}
	}
	if connected > most {
		return fmt.Errorf("the book has %d addresses in use, peers have %d", connected, most)
	}
	return s.book.CheckInvariants()
}

func (s *Swarm) checkPeer(p *peer) error {
	if p.id == s.cfg.PeerID {
		return errors.New("it has our own peer id")
	}
	if s.useless(p) {
		return errors.New("it is useless, and still connected")
	}
	if p.theirs.choking && p.fast == nil && p.download.requests.len() > 0 {
		return fmt.Errorf("it chokes us, and is asked for %d blocks", p.download.requests.len())
	}
	if n, m := p.download.requests.len(), p.download.window.Outstanding(); n != m {
		return fmt.Errorf("%d requests in flight, in the window %d", n, m)
	}
	seen := make(map[block.Ref]bool)
	for _, r := range p.download.requests.live() {
		if s.files.held || !s.picker.Lacks(r.ref.Piece) {
			return fmt.Errorf("requested %v: held is %v, we lack the piece is %v", r.ref, s.files.held, s.picker.Lacks(r.ref.Piece))
		}
		if !p.theirs.have.Has(r.ref.Piece) || s.picker.Have(r.ref.Piece) || seen[r.ref] {
			return fmt.Errorf("asked for %v: it has the piece is %v, we have it is %v, asked twice is %v",
				r.ref, p.theirs.have.Has(r.ref.Piece), s.picker.Have(r.ref.Piece), seen[r.ref])
		}
		seen[r.ref] = true
	}
	var wanted uint32
	for i := range p.theirs.have.Pieces() {
		if s.picker.Lacks(i) {
			wanted++
		}
	}
	if wanted != p.download.wanted {
		return fmt.Errorf("it has %d pieces that we lack, counted %d", wanted, p.download.wanted)
	}
	if want := wanted > 0 && s.wants() && !s.files.heldLong; want != p.ours.interesting {
		return fmt.Errorf("it has %d pieces that we lack, and interesting is %v", wanted, p.ours.interesting)
	}
	if err := p.fast.check(p.theirs.have); err != nil {
		return err
	}
	for _, r := range p.upload.queue.items[p.upload.queue.head:] {
		if p.ours.choked && (p.fast == nil || !slices.Contains(p.fast.granted, r.Piece)) {
			return fmt.Errorf("choked, and %v waits", r)
		}
		if !s.picker.Have(r.Piece) {
			return fmt.Errorf("it waits for %v, which we do not have", r)
		}
	}
	if p.upload.flight < 0 || p.upload.flight > uploadWindow {
		return fmt.Errorf("%d blocks are with the writer", p.upload.flight)
	}
	return nil
}

// check compares what we may request from a peer with what it has.
func (f *fast) check(have *bitfield.Bitfield) error {
	if f == nil {
		return nil
	}
	if (f.allowed == nil) != (f.reach == nil) || (f.refused == nil) != (f.willing == nil) {
		return errors.New("one of two sets that belong together is missing")
	}
	for i := range have.Len() {
		if f.allowed != nil && f.reach.Has(i) != (have.Has(i) && f.allowed.Has(i)) {
			return fmt.Errorf("piece %d: it has it is %v, allowed is %v, in reach is %v", i, have.Has(i), f.allowed.Has(i), f.reach.Has(i))
		}
		if f.refused != nil && f.willing.Has(i) != (have.Has(i) && !f.refused.Has(i)) {
			return fmt.Errorf("piece %d: it has it is %v, refused is %v, in willing is %v", i, have.Has(i), f.refused.Has(i), f.willing.Has(i))
		}
	}
	return nil
}
