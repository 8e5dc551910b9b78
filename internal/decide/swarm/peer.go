package swarm

import (
	"net/netip"
	"time"

	"shoal/internal/decide/swarm/picker"
	"shoal/internal/decide/swarm/window"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// peer is one remote client with which a connection is open.
type peer struct {
	identity

	theirs   theirs
	ours     ours
	download download
	upload   upload
	out      outgoing
	trust    trust
	fast     *fast   // nil: one side does not speak the fast extension
	mask     *masked // nil: it knows what we have
}

// identity is which client it is and how the connection was made.
//
//shoal:part
type identity struct {
	key      PeerKey
	slot     picker.Peer
	addr     netip.AddrPort // the other end of the connection
	listens  netip.AddrPort // where it listens if it dialled us; invalid: unknown
	id       [20]byte       // peer id
	dialled  bool           // by us
	reserved wire.Reserved
	fresh    bool // its address was not connected lately
	joined   mono.Time
}

func (i *identity) sit(slot picker.Peer) { i.slot = slot }

func (i *identity) listensAt(addr netip.AddrPort) { i.listens = addr }

// complete reports whether the peer has every piece.
func (p *peer) complete() bool { return p.theirs.have.All() }

// request is one block asked of a peer.
type request struct {
	ref     block.Ref
	at      mono.Time
	excused time.Duration // by then
	passed  int           // later requests that were answered before it

	// owed says that it was not sent: an earlier one for the block is still to be answered,
	// which was taken back. at is when that was sent.
	owed   bool
	giveUp mono.Time // when an answer to what was taken back is not waited for any more
}

// requests holds requests, oldest first. Peers answer nearly
// always in order, so a look-up mostly ends at the first entry.
type requests struct {
	items []request
	head  int
}

func (q *requests) len() int { return len(q.items) - q.head }

func (q *requests) push(r request) {
	if q.head > 64 && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, r)
}

// take removes the request for ref and gives it.
func (q *requests) take(ref block.Ref) (request, bool) {
	live := q.items[q.head:]
	for i, r := range live {
		if r.ref == ref {
			for j := range live[:i] {
				live[j].passed++
			}
			copy(live[1:i+1], live[:i])
			q.head++
			if q.head == len(q.items) {
				q.items, q.head = q.items[:0], 0
			}
			return r, true
		}
	}
	return request{}, false
}

func (q *requests) oldest() (request, bool) {
	if q.len() == 0 {
		return request{}, false
	}
	return q.items[q.head], true
}

// pop removes the oldest.
func (q *requests) pop() {
	if q.head++; q.head == len(q.items) {
		q.clear()
	}
}

func (q *requests) live() []request { return q.items[q.head:] }

func (q *requests) clear() { q.items, q.head = q.items[:0], 0 }

// uploads holds the blocks that a peer asked for, oldest first.
type uploads struct {
	items []block.Ref
	head  int
}

func (q *uploads) len() int { return len(q.items) - q.head }

func (q *uploads) push(r block.Ref) {
	if q.head > 64 && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, r)
}

// pop gives up to n of the oldest, valid until the next push.
func (q *uploads) pop(n int) []block.Ref {
	n = min(n, q.len())
	out := q.items[q.head : q.head+n]
	q.head += n
	return out
}

// filter keeps those of which keep says so.
func (q *uploads) filter(keep func(block.Ref) bool) {
	kept := q.items[:q.head]
	for _, r := range q.items[q.head:] {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	q.items = kept
}

func (q *uploads) clear() { q.items, q.head = q.items[:0], 0 }

// newPeer returns a peer of which we know what its handshake says: each side chokes the other
// and has no interest (BEP 3).
func newPeer(now mono.Time, key PeerKey, a Arrival, fresh bool, pieces uint32) *peer {
	return &peer{
		identity: identity{
			key: key, addr: a.Addr, id: a.Handshake.PeerID, dialled: a.Dialled,
			reserved: a.Handshake.Reserved, fresh: fresh, joined: now,
		},
		theirs:   theirs{have: bitfield.New(pieces), choking: true, lastHeard: now},
		ours:     ours{choked: true},
		download: download{window: window.New(0)},
		upload:   upload{writer: uploadWindow},
		out:      outgoing{lastSent: now},
	}
}
