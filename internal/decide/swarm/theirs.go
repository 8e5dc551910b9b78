package swarm

import (
	"shoal/internal/decide/swarm/pex"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
)

// theirs is what a peer has announced to us.
//
//shoal:part
type theirs struct {
	have       *bitfield.Bitfield
	pex        *pex.Talk // nil: it does not speak peer exchange
	early      *early    // replaces have while we lack the metadata; nil: it has announced nothing
	choking    bool      // the peer chokes us
	interested bool      // the peer is interested in us
	ext        wire.Extensions
	voted      bool      // the peer has announced where it sees us
	unknown    int       // messages that we can't parse
	lastHeard  mono.Time // time of its latest message
}

func (t *theirs) spoke(now mono.Time) { t.lastHeard = now }

func (t *theirs) notUnderstood() { t.unknown++ }

func (t *theirs) chokes(yes bool) { t.choking = yes }

func (t *theirs) wants(yes bool) { t.interested = yes }

// firstVote reports whether the peer votes on our address for the first time.
func (t *theirs) firstVote() bool {
	first := !t.voted
	t.voted = true
	return first
}

func (t *theirs) hasExactly(have *bitfield.Bitfield) { t.have = have }

// startPex keeps an existing conversation: a peer that switches peer exchange off and on
// again can't send more often that way.
func (t *theirs) startPex(now mono.Time) {
	if t.pex == nil {
		t.pex = pex.New(now)
	}
}

func (t *theirs) endPex() { t.pex = nil }

// beforeMetadata returns the pieces that the peer announced while their number is unknown.
func (t *theirs) beforeMetadata() *early {
	if t.early == nil {
		t.early = new(early)
	}
	return t.early
}

// metadataKnown returns the set of pieces that the peer had announced, and whether it had
// announced any; from now on have counts.
func (t *theirs) metadataKnown(pieces uint32) (have *bitfield.Bitfield, said bool, err error) {
	said = t.early != nil
	have, err = t.early.pieces(pieces)
	t.have, t.early = bitfield.New(pieces), nil
	return have, said, err
}
