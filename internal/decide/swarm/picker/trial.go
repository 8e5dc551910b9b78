package picker

import (
	"shoal/internal/value/bitfield"
	"shoal/internal/value/why"
)

// trialPieces is how many pieces a peer on trial may have started that are not checked yet:
// the number that it can spoil before we notice.
const trialPieces = 2

// SetTrial puts a peer on trial or ends its trial. A peer is on trial while nothing that it
// sent has proved good, or after it took part in a failed piece. As long as there are pieces
// that nobody has started, it gets pieces of its own, and others leave these to it: when one
// is bad there is no doubt which peer it was. AbandonAll does not end a trial: the caller
// sets it again when a handle goes to another peer (decision 0086).
func (p *Picker) SetTrial(peer Peer, on bool) {
	if p.pieces != nil {
		p.peer(peer).trial = on
		p.generation++
	}
}

// chooseOnTrial returns a piece of its own for a peer on trial; done tells that there is
// nothing else for it now.
func (p *Picker) chooseOnTrial(peer Peer, has *bitfield.Bitfield, spare *uint32) (slot int32, reason why.Why, done bool) {
	q := &p.requests.peers[peer]
	if q.tried > 0 {
		for _, slot := range p.begun.open {
			if st := &p.begun.slots[slot]; st.tried && st.trier == peer && p.mayServe(slot, peer, has) {
				return slot, why.Started, true
			}
		}
	}
	for level := High; level > Skip; level-- {
		if p.full() || len(p.avail.orders[level].pieces) == 0 {
			continue
		}
		i, reason, ok := p.chooseNew(level, peer, has, spare)
		if !ok {
			continue
		}
		if q.tried >= trialPieces {
			return none, reason, true
		}
		slot := p.start(i)
		st := &p.begun.slots[slot]
		st.tried, st.trier = true, peer
		q.tried++
		p.begun.trialBegan()
		return slot, reason, true
	}
	return none, why.Started, false
}

// leftTo reports whether a started piece is left to another peer, which is on trial.
func (p *Picker) leftTo(slot int32, peer Peer) bool {
	st := &p.begun.slots[slot]
	return st.tried && st.trier != peer
}

// endTrial opens a piece to all peers.
func (p *Picker) endTrial(slot int32) {
	st := &p.begun.slots[slot]
	if st.tried {
		st.tried = false
		p.requests.peers[st.trier].tried--
		p.begun.trialEnded()
		p.generation++ // there is more for the peer, and for others
	}
}
