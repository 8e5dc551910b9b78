package swarm

import (
	"fmt"
	"net/netip"
	"slices"

	"shoal/internal/decide/swarm/blame"
	"shoal/internal/format/wire"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// Checked takes the outcome of hashing a piece. sums are the digests of its blocks as they
// arrived: always with a failure, else when Store asked for them.
func (s *Swarm) Checked(now mono.Time, piece uint32, ok bool, sums []blame.Sum) {
	s.now = now
	if s.picker.Have(piece) {
		return
	}
	if ok {
		s.verified(piece, sums)
	} else {
		s.failed(piece, sums)
	}
}

// WriteFailed says that the disk could not write a piece: we drop all of it and fetch it again.
func (s *Swarm) WriteFailed(now mono.Time, piece uint32) {
	s.now = now
	if !s.picker.Have(piece) {
		s.picker.Forget(piece)
		s.effect(Effect{Kind: Forget, Piece: piece})
		s.freed = true
	}
}

func (s *Swarm) verified(piece uint32, sums []blame.Sum) {
	if s.blame.ledger.Suspect(piece) {
		for _, sender := range s.blame.ledger.Passed(piece, sums) {
			s.convict(sender, piece, why.BlocksDiffer)
		}
	}
	s.completePiece(piece)
}

// completePiece marks a piece as ours and announces it.
func (s *Swarm) completePiece(piece uint32) {
	lacked := s.picker.Lacks(piece)
	s.buffers().senders = s.buffers().senders[:0]
	for _, id := range s.picker.Senders(piece) {
		if sender := blame.Sender(id); sender != 0 && !slices.Contains(s.buffers().senders, sender) {
			s.buffers().senders = append(s.buffers().senders, sender)
		}
	}
	s.picker.Verified(piece)
	s.prove(s.buffers().senders, true)
	if s.tracing() {
		s.note(trace.Did, trace.Torrent, nil, "verified", onPiece(why.None, piece))
	}
	s.effect(Effect{Kind: PieceVerified, Piece: piece, Cold: s.lackedByNobody(piece)})
	for p := range s.peers.all() {
		if p.theirs.have.Has(piece) {
			if lacked {
				p.download.oneLess()
			}
			s.interest(p)
		}
		// BEP 3: HAVE goes to all, also to a peer that has the piece. Otherwise its
		// view of us stays behind, and it never sees us as a seed (decision 0120).
		s.say(p, wire.AppendHave(p.out.bytes, piece), "have", onPiece(why.PieceVerified, piece))
	}
	s.reconsider()
}

// lackedByNobody reports whether every peer has the piece, so that none will request it.
func (s *Swarm) lackedByNobody(piece uint32) bool {
	for p := range s.peers.all() {
		if !p.theirs.have.Has(piece) {
			return false
		}
	}
	return true
}

func (s *Swarm) failed(piece uint32, sums []blame.Sum) {
	s.buffers().senders = s.buffers().senders[:0]
	for _, sender := range s.picker.Senders(piece) {
		s.buffers().senders = append(s.buffers().senders, blame.Sender(sender))
	}
	s.picker.Failed(piece)
	s.freed = true
	s.traffic.waste(int64(s.cfg.Geometry.PieceSize(piece)))
	if s.tracing() {
		s.note(trace.Did, trace.Torrent, nil, "failed", onPiece(why.PieceFailed, piece))
	}
	// Blocks that came while it was hashed belong to no copy.
	s.effect(Effect{Kind: Forget, Piece: piece})
	s.effect(Effect{Kind: PieceFailed, Piece: piece})
	s.prove(s.buffers().senders, false)
	if guilty := s.blame.ledger.Failed(piece, s.buffers().senders, sums); guilty != 0 {
		s.convict(guilty, piece, why.OnlySender)
	}
}

// prove notes that a piece of these senders was good, or that it was not. A peer that took
// part in a bad piece is on trial until it sends a good one.
func (s *Swarm) prove(senders []blame.Sender, good bool) {
	for p := range s.peers.all() {
		if p.trust.sender != 0 && p.trust.proven != good && slices.Contains(senders, p.trust.sender) {
			p.trust.showed(good)
			s.picker.SetTrial(p.slot, !good)
		}
	}
}

// ban shuts out an address for bad data in a piece, and drops its connections.
func (s *Swarm) ban(addr netip.AddrPort, piece uint32, w why.Why) {
	s.shutOut(addr, onPiece(w, piece), fmt.Sprintf("it sent bad data in piece %d", piece))
}

// shutOut bans an address for the reason in r, and drops its connections.
func (s *Swarm) shutOut(addr netip.AddrPort, r trace.Record, text string) {
	if s.book.Banned(addr) {
		return // already banned for another piece, which was under way
	}
	s.book.Ban(s.now, addr)
	if s.tracing() {
		s.note(trace.Did, trace.Torrent, &peer{identity: identity{addr: addr}}, "ban", r)
	}
	s.effect(Effect{Kind: Ban, Addr: addr, Piece: uint32(max(r.Piece, 0)), Why: r.Why})
	for p := range s.peers.all() {
		if s.book.Banned(p.addr) {
			s.drop(p, why.Banned, text)
		}
	}
}

// Lost says that a piece that we had is gone or changed on disk. We fetch it again and do not
// serve it. BEP 3 has no message to take a HAVE back, and peers that believe we have the
// piece do not announce it to us: so we drop every connection.
func (s *Swarm) Lost(now mono.Time, piece uint32) {
	s.now = now
	if !s.picker.Have(piece) {
		return
	}
	for p := range s.peers.all() {
		s.drop(p, why.PieceFailed, fmt.Sprintf("we no longer have piece %d", piece))
	}
	s.picker.Lost(piece)
	s.wake()
	s.reconsider()
}
