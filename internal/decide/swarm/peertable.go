package swarm

import (
	"iter"

	"shoal/internal/decide/swarm/picker"
)

// peerTable holds the connected peers, and the lists of peers that need attention.
//
//shoal:part
type peerTable struct {
	bySlot  []*peer // by the peer's number in the picker; nil where a slot is free
	byKey   map[PeerKey]*peer
	count   int
	dirty   []*peer // peers with something to flush
	parting []*peer // peers to drop after the flush: neither side gains anything more
}

// all yields the connected peers in the order of their slots. The caller may drop peers
// meanwhile.
func (t *peerTable) all() iter.Seq[*peer] {
	return func(yield func(*peer) bool) {
		for _, p := range t.bySlot {
			if p != nil && !yield(p) {
				return
			}
		}
	}
}

// seat assigns a slot to p.
func (t *peerTable) seat(p *peer) {
	p.sit(t.freeSlot())
	t.bySlot[p.slot] = p
	if t.byKey == nil {
		t.byKey = make(map[PeerKey]*peer)
	}
	t.byKey[p.key] = p
	t.count++
}

func (t *peerTable) freeSlot() picker.Peer {
	for i, p := range t.bySlot {
		if p == nil {
			return picker.Peer(i)
		}
	}
	t.bySlot = append(t.bySlot, nil)
	return picker.Peer(len(t.bySlot) - 1)
}

// remove takes p out of the table, but not off the lists: their users skip a peer that is
// gone.
func (t *peerTable) remove(p *peer) {
	t.bySlot[p.slot] = nil
	delete(t.byKey, p.key)
	t.count--
}

// release frees the memory of an empty table: most torrents of an engine are idle.
func (t *peerTable) release() { t.bySlot, t.byKey = nil, nil }

func (t *peerTable) toFlush(p *peer) { t.dirty = append(t.dirty, p) }

func (t *peerTable) toPart(p *peer) { t.parting = append(t.parting, p) }

func (t *peerTable) nobodyParts() { t.parting = t.parting[:0] }

func (t *peerTable) flushed() { t.dirty = t.dirty[:0] }

// releaseLists frees the memory of the lists once no peer is connected.
func (t *peerTable) releaseLists() { t.dirty, t.parting = nil, nil }
