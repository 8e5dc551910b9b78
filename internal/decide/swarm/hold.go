package swarm

import (
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// Hold says that the torrent's files take nothing at the moment, or take it again.
// While it lasts nothing is asked for, what is on its way is taken back, and what
// comes all the same is dropped: peers are kept, and served what is had. When it lasts,
// peers are told that we want nothing, so that their slots are not idle (decision 0073).
func (s *Swarm) Hold(now mono.Time, on bool) {
	s.now = now
	if s.files.held == on || s.stopped {
		return
	}
	s.files.hold(now, on)
	if s.tracing() {
		s.note(trace.Did, trace.Torrent, nil, onOff(on, "hold", "go on"), bare(outOrBack(on)))
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
		s.due(now.Add(kindAfter))
	}
}

// tickHeld tells peers when the files have taken nothing for long.
func (s *Swarm) tickHeld() {
	switch at := s.files.heldAt.Add(kindAfter); {
	case !s.files.held || s.files.heldLong:
	case s.now < at:
		s.due(at)
	default:
		s.files.peersKnow()
		for p := range s.peers.all() {
			s.interest(p)
		}
	}
}

// Suspend says that the torrent's files are not to be used at all, or again. While
// it lasts the swarm is empty: every peer is dropped, none is taken, dialled or
// looked for, and trackers are told that we are gone. What is had is remembered.
// What was begun is not: its blocks are lost.
func (s *Swarm) Suspend(now mono.Time, on bool) { s.SuspendFor(now, on, outOrBack(on)) }

// SuspendFor is Suspend for another reason than the files.
func (s *Swarm) SuspendFor(now mono.Time, on bool, reason why.Why) {
	s.now = now
	if s.files.suspended == on || s.stopped {
		return
	}
	s.files.suspend(on, reason)
	if s.tracing() {
		s.note(trace.Did, trace.Torrent, nil, onOff(on, "suspend", "resume"), bare(reason))
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

// Regained says that a piece is had after all, without having been fetched: it was
// on disk, and could not be read before. Peers are told of it like of any other; what
// was begun of it is given up, and nobody is blamed for what it was.
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
	s.had(piece)
}

// takeBackPiece gives up every request in flight to p for blocks of one piece.
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

// idle reports whether nothing is to be done at all.
func (s *Swarm) idle() bool { return s.stopped || s.files.suspended }

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
