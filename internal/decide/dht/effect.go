package dht

import (
	"net/netip"
	"time"

	"shoal/internal/format/krpc"
	"shoal/internal/value/why"
)

// Kind is what an Effect is.
type Kind uint8

// The kinds of effects.
const (
	// Send: send a datagram; To, Bytes, Why.
	Send Kind = 1 + iota
	// Peers: a lookup found peers; Lookup, Addrs. A lookup reports each address once.
	Peers
	// LookupDone: a lookup ended; Lookup, Nodes (the closest that answered), Result.
	LookupDone
	// QueryDone: a single query ended; Query, To, Nodes, Addrs, Result.
	QueryDone
	// Announced: a peer announced itself to us; Hash, Addrs (one). Our own torrent of that
	// hash learns of it at once; if we are the only other node, in no other way.
	Announced
	// SeenAs: a node reported our address in its reply (BEP 42's `ip`); To is the node, Addrs
	// (one) the address.
	SeenAs
)

// LookupID and QueryID name a lookup or query of the caller; they are never 0.
type (
	LookupID uint64
	QueryID  uint64
)

// Effect is one thing to do or to know.
type Effect struct {
	Kind   Kind
	To     netip.AddrPort
	Bytes  []byte
	Why    why.Why
	Lookup LookupID
	Query  QueryID
	Hash   krpc.ID
	Addrs  []netip.AddrPort
	Nodes  []krpc.Node
	Result Result
}

// Result is the outcome of a lookup or query.
type Result struct {
	Outcome   Outcome
	Took      time.Duration
	Asked     int     // nodes that a lookup asked
	Answered  int     // of those, nodes that answered
	Peers     int     // peers found
	Announced int     // nodes that took the announce
	ID        krpc.ID // of a query: id of the node that answered
	Code      int     // of Refused: error code
	Text      string  // of Refused: error text
}

// Add merges the result of a lookup in one DHT with that of the same lookup in the other,
// which ran at the same time: the better outcome, and the longer time.
func (r *Result) Add(o Result) {
	if r.Outcome == 0 || o.Outcome == Answered {
		r.Outcome = o.Outcome
	}
	r.Took = max(r.Took, o.Took)
	r.Asked += o.Asked
	r.Answered += o.Answered
	r.Peers += o.Peers
	r.Announced += o.Announced
}

// Outcome is how a lookup or query ended.
type Outcome uint8

// Values of Outcome.
const (
	Answered Outcome = 1 + iota // a node answered
	Silence                     // no node answered in time
	Refused                     // a node answered a query with an error
	Busy                        // not tried: too many of its kind wait already
)

// String returns the outcome as a word.
func (o Outcome) String() string {
	return [...]string{"", "answered", "silence", "refused", "busy"}[o]
}

// Effects returns what came out since the last call, in order. The slice and all that it
// points to are valid until the next call of any method.
func (m *Machine) Effects() []Effect {
	if m.taken {
		m.begin()
	}
	m.taken = true
	return m.effects
}

// send appends m.out as a datagram and returns its size in bytes.
func (m *Machine) send(to netip.AddrPort, w why.Why) int {
	start := len(m.bytes)
	m.bytes = krpc.Append(m.bytes, &m.out)
	m.effects = append(m.effects, Effect{Kind: Send, To: to, Bytes: m.bytes[start:len(m.bytes):len(m.bytes)], Why: w})
	return len(m.bytes) - start
}
