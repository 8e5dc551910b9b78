package swarm

import (
	"net/netip"

	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/value/block"
	"shoal/internal/value/why"
)

// Kind is what an Effect asks for.
type Kind uint8

// The kinds of effects.
const (
	Store         Kind = iota // hash Block, which holds Ref, and write it; Sums asks for digests
	Discard                   // free the buffer of Block: we do not want it
	Forget                    // drop what we hold of the unfinished Piece
	Dial                      // connect to Addr
	Drop                      // end the connection of Peer, once what was flushed is sent; Text says why
	Announce                  // announce to a tracker, or scrape it: Request and the counters
	FindPeers                 // search the DHT for peers, and announce there
	Told                      // Addr is a DHT node that a peer named (BEP 5: PORT)
	SeenAs                    // Peer sees us at Addr; its port does not count
	PieceVerified             // we have Piece
	PieceFailed               // Piece did not match its hash
	Ban                       // shut out Addr: it sent bad data, and that is proven
	Web                       // do what Web says with a web seed
	Metadata                  // the metadata is here: Swarm.Metadata returns it
	Complete                  // every piece that is not skipped is verified; sent again after it ceased to be so
)

var kindNames = [...]string{
	"store", "discard", "forget", "dial", "drop", "announce", "find peers", "told", "seen as",
	"piece verified", "piece failed", "ban", "web", "metadata", "complete",
}

// String returns the kind's name as golden scripts print it.
func (k Kind) String() string { return kindNames[k] }

// Effect is one thing to do. It is a flat value: Kind decides which fields count (decision
// 0002).
type Effect struct {
	Kind  Kind
	Why   why.Why
	Sums  bool
	Cold  bool // with PieceVerified: every connected peer has the piece
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

// Effects returns what to do since the last call, in order. The slice is valid until the next
// call of any method.
func (s *Swarm) Effects() []Effect {
	e := s.effects
	s.effects = s.effects[:0]
	if s.Idle() {
		s.effects = nil // an idle torrent frees its memory, see remove
	}
	return e
}

func (s *Swarm) effect(e Effect) { s.effects = append(s.effects, e) }

// Out is what goes to one peer: control bytes first, then parts of the metadata, then blocks
// (decision 0121).
type Out struct {
	Bytes   []byte      // whole messages; valid during the call
	Parts   [][]byte    // whole messages that the rate limit may delay; the receiver owns them
	Uploads []block.Ref // blocks to send; valid during the call

	// Patience is for how many beats whatever the peer sends now can wait; 0: read it at once.
	Patience int

	// TakeBack says that earlier blocks which are not yet written must not follow Bytes: the
	// writer drops them first, and Unsent reports how many.
	TakeBack bool
}

// Flush requests the blocks that we want now and hands over what goes to each peer. The loop
// calls it once for a batch of inputs, so that one write carries the result of the whole
// batch.
func (s *Swarm) Flush(f func(PeerKey, Out)) {
	s.settle()
	for _, p := range s.peers.dirty {
		if out, ok := p.out.flush(s.now, s.patience(p)); ok {
			f(p.key, out)
		}
		p.out.flushed()
	}
	s.peers.flushed()
	// The last messages, among them our last HAVE, are on their way.
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

// settle does what is due once for a batch of inputs.
func (s *Swarm) settle() {
	if s.inactive() {
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
	// Snubbed peers come last: if a snubbed peer could request at once what was just taken
	// from it, two silent peers would keep the last block from all others.
	s.askDirty(false)
	if s.askDirty(true) {
		s.askDirty(false)
	}
	s.settleWeb()
	if (s.pacing.on || s.wants() && s.picker.Endgame()) && !s.files.held && s.idlers() {
		s.wakeBy(s.now.Add(lookEvery)) // blocks that others owe us may be late by then
	}
	s.seek()
}

// idlers reports whether a peer has room for requests, and we have nothing to ask it for at
// the moment.
func (s *Swarm) idlers() bool {
	for p := range s.peers.all() {
		if p.download.hungry && !p.theirs.choking && p.ours.interesting {
			return true
		}
	}
	return false
}

// askDirty requests from, and serves, the peers on the flush list that are snubbed, or those
// that are not. It reports whether endgame began in this call.
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
			// We just requested the last free block: any peer with room can now be asked for
			// a copy.
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
