package swarm

import (
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
)

// outgoing is what the next flush sends to a peer.
//
//shoal:part
type outgoing struct {
	bytes    []byte      // whole messages
	blocks   []block.Ref // for the writer, after bytes
	parts    [][]byte    // messages with parts of the metadata, sent between the two
	takeBack bool        // the writer drops what it has before it sends bytes
	dirty    bool        // the peer is on the list of peers to flush
	gone     bool        // the connection has ended
	patience int         // beats that the reader may wait, as we said last
	lastSent mono.Time
}

// say sends a message to p and records why. bytes is p.out.bytes with the message appended.
func (s *Swarm) say(p *peer, bytes []byte, what string, r trace.Record) {
	p.out.bytes = bytes
	s.touch(p)
	if s.tracing() {
		s.note(trace.Sent, trace.Peer, p, what, r)
	}
}

// touch puts p on the list of peers to flush.
func (s *Swarm) touch(p *peer) {
	if !p.out.dirty && !p.out.gone {
		p.out.dirty = true
		s.peers.toFlush(p)
	}
}

// flush returns what to send now, and whether there is anything to say. It is valid until flushed.
func (o *outgoing) flush(now mono.Time, patience int) (out Out, any bool) {
	o.dirty = false
	if o.gone {
		return Out{}, false
	}
	if len(o.bytes) == 0 && len(o.parts) == 0 && len(o.blocks) == 0 {
		changed := patience != o.patience
		o.patience = patience
		return Out{Patience: patience}, changed
	}
	o.lastSent, o.patience = now, patience
	return Out{Bytes: o.bytes, Parts: o.parts, Uploads: o.blocks, TakeBack: o.takeBack, Patience: patience}, true
}

// flushed empties the buffers and keeps their memory.
func (o *outgoing) flushed() {
	o.parts, o.takeBack = nil, false
	o.bytes = o.bytes[:0]
	o.blocks = o.blocks[:0]
}

func (o *outgoing) upload(refs []block.Ref) { o.blocks = append(o.blocks, refs...) }

func (o *outgoing) part(message []byte) { o.parts = append(o.parts, message) }

// takeBackBlocks drops the blocks that the writer has not written yet.
func (o *outgoing) takeBackBlocks() { o.takeBack = true }

func (o *outgoing) keptAlive(now mono.Time) { o.lastSent = now }

func (o *outgoing) close() { o.gone = true }
