package swarm

import (
	"net/netip"

	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/value/block"
	"shoal/internal/value/why"
)

// Kind says what an Effect asks for.
type Kind uint8

// The kinds of effects.
const (
	Store         Kind = iota // Block holds Ref: hash and write it; Sums asks for digests
	Discard                   // Block is not wanted: its buffer is free
	Forget                    // drop what is held of the unfinished Piece
	Dial                      // connect to Addr
	Drop                      // end the connection of Peer, once what was flushed is sent; Text says why
	Announce                  // ask a tracker: Request and the counters
	FindPeers                 // look Addr-less peers up in the DHT, and announce there
	Told                      // Addr is a DHT node that a peer named
	SeenAs                    // Addr, without its port, is where Peer says that we are
	PieceVerified             // Piece is had
	PieceFailed               // Piece did not match its hash
	Ban                       // Addr was proven to have sent bad data
	Web                       // what web seeds are asked for: Web
	Metadata                  // the metadata came: Swarm.Metadata has it
	Complete                  // every piece is verified that is not skipped; again after it was not so
)

var kindNames = [...]string{
	"store", "discard", "forget", "dial", "drop", "announce", "find peers", "told", "seen as",
	"piece verified", "piece failed", "ban", "web", "metadata", "complete",
}

// String gives the kind's name as golden scripts print it.
func (k Kind) String() string { return kindNames[k] }

// Effect is one thing to do. It is a flat value: which fields count depends on
// Kind (decision 0002).
type Effect struct {
	Kind  Kind
	Why   why.Why
	Sums  bool
	Cold  bool // with PieceVerified: nobody who is connected lacks the piece
	Peer  PeerKey
	Piece uint32
	Ref   block.Ref
	Block *block.Block
	Addr  netip.AddrPort
	Text  string
	Web   *webplan.Act

	Request                    announce.Request
	Uploaded, Downloaded, Left int64
}

// Effects gives what is to be done since the last call, in order. The slice is
// valid until the next call of any method.
func (s *Swarm) Effects() []Effect {
	e := s.effects
	s.effects = s.effects[:0]
	if s.Idle() {
		s.effects = nil // as remove says
	}
	return e
}

func (s *Swarm) effect(e Effect) { s.effects = append(s.effects, e) }

// Out is what goes to one peer: control bytes first, then parts of the metadata, then blocks.
// Decision 0121 says why.
type Out struct {
	Bytes   []byte      // whole messages; valid during the call
	Parts   [][]byte    // whole messages that wait for their turn under a limit; given away
	Uploads []block.Ref // blocks to send; valid during the call

	// TakeBack says that blocks which were handed over before and are not written must not
	// follow Bytes: they are dropped first, and Unsent says how many these were.
	TakeBack bool
}

// Flush asks for the blocks that are wanted now and hands over what each peer
// is to be sent. It is called once for a batch of inputs, so that one write
// carries what the whole batch brought about.
func (s *Swarm) Flush(f func(PeerKey, Out)) {
	s.settle()
	for _, p := range s.peers.dirty {
		if out, ok := p.out.flush(s.now); ok {
			f(p.key, out)
		}
		p.out.flushed()
	}
	s.peers.flushed()
	// What was said last, our last HAVE among it, is on its way.
	for _, p := range s.peers.parting {
		text := "neither side wants anything"
		if p.complete() && s.picker.Missing() == 0 {
			text = "both have every piece"
		}
		s.drop(p, why.Useless, text)
	}
	s.peers.nobodyParts()
	if s.peers.count == 0 {
		s.peers.releaseLists()
	}
}

// settle does what is done once for a batch of inputs.
func (s *Swarm) settle() {
	if s.idle() {
		return
	}
	s.readyDeal()
	if s.slots.rechoke || s.now >= s.slots.watch.at {
		s.fillSlots()
	}
	s.watchSlots()
	s.watchUplink()
	s.deal()
	s.measure()
	if s.freed {
		s.freed = false
		for p := range s.peers.all() {
			if p.download.hungry {
				s.touch(p)
			}
		}
	}
	// A snubbed peer comes last: if it could take back at once what was just
	// taken from it, two silent peers would keep the last block from all others.
	s.askDirty(false)
	if s.askDirty(true) {
		s.askDirty(false)
	}
	s.settleWeb()
	if (s.pacing.on || s.wants() && s.picker.Endgame()) && !s.files.held && s.idlers() {
		s.due(s.now.Add(lookEvery)) // what others were asked for may be late by then
	}
	s.seek()
}

// idlers reports whether a peer has room for requests, and nothing to be asked for
// at the moment.
func (s *Swarm) idlers() bool {
	for p := range s.peers.all() {
		if p.download.hungry && !p.theirs.choking && p.ours.interesting {
			return true
		}
	}
	return false
}

// askDirty asks and serves those peers to flush that are snubbed, or those that
// are not. It reports whether the endgame began with it.
func (s *Swarm) askDirty(snubbed bool) (endgame bool) {
	before := s.picker.Endgame()
	for i := 0; i < len(s.peers.dirty); i++ {
		p := s.peers.dirty[i]
		if p.out.gone || p.download.snubbed != snubbed {
			continue
		}
		s.ask(p)
		s.offer(p)
		if !before && !endgame && s.picker.Endgame() {
			// The last free block was just asked for: whoever has room may ask
			// for a copy.
			endgame = true
			for q := range s.peers.all() {
				if q.download.hungry {
					s.touch(q)
				}
			}
		}
	}
	return endgame
}
