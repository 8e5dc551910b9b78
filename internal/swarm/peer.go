package swarm

import (
	"net/netip"
	"time"

	"shoal/internal/bitfield"
	"shoal/internal/blame"
	"shoal/internal/block"
	"shoal/internal/choker"
	"shoal/internal/metadata"
	"shoal/internal/meter"
	"shoal/internal/mono"
	"shoal/internal/pex"
	"shoal/internal/picker"
	"shoal/internal/window"
	"shoal/internal/wire"
)

// peer is one remote client with which a connection is open.
type peer struct {
	key      PeerKey
	slot     picker.Peer
	addr     netip.AddrPort // the other end
	listens  netip.AddrPort // where it says it listens, when it dialled us; else invalid
	id       [20]byte
	dialled  bool // by us
	reserved wire.Reserved
	sender   blame.Sender   // 0 until its first block
	proven   bool           // what it sent has been found good, and nothing bad since
	fresh    bool           // its address was not seen lately
	fast     *fast          // nil: the fast extension is not spoken
	before   choker.Account // of earlier connections of its address
	hoards   bool           // it kept to itself what we dealt to it, until everything was out
	mask     *masked        // nil: it knows what we have

	// What the remote told us.
	have       *bitfield.Bitfield
	pex        *pex.Talk // nil: peer exchange is not spoken
	early      *early    // in place of have, while there is no metadata; nil: nothing
	choking    bool      // it chokes us
	interested bool      // it wants something from us
	ext        wire.Extensions
	voted      bool // it said where it sees us
	unknown    int  // messages of unknown ids

	// What we told it.
	choked      bool // we choke it
	interesting bool // we said that we are interested
	unchokedAt  mono.Time
	chokedAt    mono.Time // again, after an unchoke

	// What we ask of it.
	wanted   uint32   // pieces it has and we lack
	requests requests // in flight
	window   window.Window
	hungry   bool // it has room, and nothing was left to ask
	snubbed  bool
	late     requests // taken back; their blocks may still come
	unasked  int      // blocks that were never asked for

	// What it asks of us.
	queue   uploads
	parts   *metadata.Server // of the metadata; nil: none was asked for
	metaOut [][]byte         // parts for the writer
	flight  int              // blocks handed to the writer and not yet sent
	writer  int              // how many those may be
	sentAt  mono.Time        // when the writer began with the oldest of them
	refused int              // requests that could not be served
	use     slotUse

	// Time and rate.
	joined    mono.Time
	lastHeard mono.Time
	lastSent  mono.Time
	lastBlock mono.Time     // or when requests began to be due
	excused   time.Duration // what was excused by then, see ration
	down, up  meter.Meter

	// What goes out with the next flush.
	out      []byte
	sending  []block.Ref
	takeBack bool // what the writer has
	dirty    bool
	gone     bool
}

// complete reports whether the peer has every piece.
func (p *peer) complete() bool { return p.have.All() }

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
