package swarm

import (
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// Hold pauses or resumes requests while the disk can't accept writes. While held we request
// nothing, withdraw what is in flight and discard what arrives all the same; we keep the
// peers and serve what we have. After kindAfter we send NOT INTERESTED, so that peers use our
// slots for others (decision 0073).
func (s *Swarm) Hold(now mono.Time, on bool) {
	s.now = now
	if s.files.held == on || s.stopped {
		return
	}
	s.files.hold(now, on)
	if s.tracing() {
		s.note(trace.Did, trace.Torrent, nil, onOff(on, "hold", "go on"), record(outOrBack(on)))
	}
	for p := range s.peers.all() {
		if !on {
			p.download.lookAgain()
			s.interest(p)
			continue
		}
		for _, r := range p.download.requests.live() {
			s.sayCancel(p, r, why.FilesOut)
			s.touch(p)
		}
		s.takeBack(p)
	}
	s.freed = true
	if on {
		s.wakeBy(now.Add(kindAfter))
	}
}

// tickHeld tells peers when writes have failed for kindAfter.
func (s *Swarm) tickHeld() {
	switch at := s.files.heldAt.Add(kindAfter); {
	case !s.files.held || s.files.heldLong:
	case s.now < at:
		s.wakeBy(at)
	default:
		s.files.peersKnow()
		for p := range s.peers.all() {
			s.interest(p)
		}
	}
}

// Suspend empties or revives the swarm when the torrent's files can't be used at all. While
// suspended it drops every peer, takes, dials and seeks none, and tells trackers "stopped".
// It remembers verified pieces and loses the blocks of started ones.
func (s *Swarm) Suspend(now mono.Time, on bool) { s.SuspendFor(now, on, outOrBack(on)) }

// SuspendFor is Suspend for another reason than the files.
func (s *Swarm) SuspendFor(now mono.Time, on bool, reason why.Why) {
	s.now = now
	if s.files.suspended == on || s.stopped {
		return
	}
	s.files.suspend(on, reason)
	if s.tracing() {
		s.note(trace.Did, trace.Torrent, nil, onOff(on, "suspend", "resume"), record(reason))
	}
	if !on {
		if s.started {
			s.book.Recall(now)
			s.begin()
		}
		return
	}
	for p := range s.peers.all() {
		s.drop(p, reason, "")
	}
	s.peers.nobodyParts()
	s.endWeb()
	for i := range s.cfg.Geometry.Pieces {
		if s.picker.Started(i) {
			s.picker.Forget(i)
			s.effect(Effect{Kind: Forget, Piece: i})
		}
	}
	for _, r := range s.trackers.Stop(now) {
		s.announce(r)
	}
	s.next = mono.Never
}

// Regained says that we have a piece without fetching it: it was on disk, and could not be
// read before. We announce it like any other, drop what was started of it, and blame no peer
// for that.
func (s *Swarm) Regained(now mono.Time, piece uint32) {
	s.now = now
	if piece >= s.cfg.Geometry.Pieces || s.picker.Have(piece) {
		return
	}
	if s.picker.Started(piece) {
		for p := range s.peers.all() {
			s.takeBackPiece(p, piece)
		}
		s.effect(Effect{Kind: Forget, Piece: piece})
	}
	s.completePiece(piece)
}

// takeBackPiece withdraws every request in flight to p for blocks of one piece.
func (s *Swarm) takeBackPiece(p *peer, piece uint32) {
	for i := 0; i < p.download.requests.len(); {
		ref := p.download.requests.live()[i].ref
		if ref.Piece != piece {
			i++
			continue
		}
		s.picker.Abandon(p.slot, ref)
		s.freed = true
		s.cancel(p, ref, why.Unwanted)
	}
}

// inactive reports whether the swarm is stopped or suspended: it has nothing to do.
func (s *Swarm) inactive() bool { return s.stopped || s.files.suspended }

func outOrBack(out bool) why.Why {
	if out {
		return why.FilesOut
	}
	return why.FilesBack
}

func onOff(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}
