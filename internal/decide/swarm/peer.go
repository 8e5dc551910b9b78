package swarm

import (
	"net/netip"
	"time"

	"shoal/internal/decide/swarm/inflight"
	"shoal/internal/decide/swarm/picker"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// peer is one remote client with an open connection.
type peer struct {
	identity

	theirs   theirs
	ours     ours
	download download
	upload   upload
	out      outgoing
	trust    trust
	fast     *fast   // nil: one side lacks the fast extension
	mask     *masked // what a super-seeded peer knows of us; nil: it knows what we have
}

// identity is the client and how the connection came about.
//
//shoal:part
type identity struct {
	key      PeerKey
	slot     picker.Peer
	addr     netip.AddrPort // the other end of the connection
	listens  netip.AddrPort // where it listens, if it dialled us; invalid: unknown
	id       [20]byte       // peer id
	dialled  bool           // we dialled it
	reserved wire.Reserved
	fresh    bool // its address was not connected recently
	joined   mono.Time
}

func (i *identity) sit(slot picker.Peer) { i.slot = slot }

func (i *identity) listensAt(addr netip.AddrPort) { i.listens = addr }

// complete reports whether the peer has every piece.
func (p *peer) complete() bool { return p.theirs.have.All() }

// request is one block that we requested from a peer.
type request struct {
	ref     block.Ref
	at      mono.Time
	excused time.Duration // total excused delay when it was sent, see Spread
	passed  int           // later requests that the peer answered first

	// owed says that we did not send the request: the peer must still answer an earlier one
	// for the same block, which we withdrew. at is when we sent that one.
	owed   bool
	giveUp mono.Time // when we stop waiting for the answer to the withdrawn request
}

// requests holds requests, oldest first. Peers nearly always answer in order, so a look-up
// mostly ends at the first entry.
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

// take removes the request for ref and returns it.
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

// pop removes the oldest request.
func (q *requests) pop() {
	if q.head++; q.head == len(q.items) {
		q.clear()
	}
}

func (q *requests) live() []request { return q.items[q.head:] }

func (q *requests) clear() { q.items, q.head = q.items[:0], 0 }

// uploads holds the blocks that a peer requested, oldest first.
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

// pop removes and returns up to n of the oldest, valid until the next push.
func (q *uploads) pop(n int) []block.Ref {
	n = min(n, q.len())
	out := q.items[q.head : q.head+n]
	q.head += n
	return out
}

// filter keeps the blocks for which keep returns true.
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

// newPeer returns a peer as its handshake describes it: each side chokes the other and is not
// interested (BEP 3).
func newPeer(now mono.Time, key PeerKey, a Arrival, fresh bool, pieces uint32) *peer {
	return &peer{
		identity: identity{
			key: key, addr: a.Addr, id: a.Handshake.PeerID, dialled: a.Dialled,
			reserved: a.Handshake.Reserved, fresh: fresh, joined: now,
		},
		theirs:   theirs{have: bitfield.New(pieces), choking: true, lastHeard: now},
		ours:     ours{choked: true},
		download: download{window: inflight.NewWindow(0)},
		upload:   upload{writer: uploadWindow},
		out:      outgoing{lastSent: now},
	}
}
