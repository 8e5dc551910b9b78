package dht

import (
	"net/netip"
	"time"

	"shoal/internal/format/krpc"
	"shoal/internal/value/why"
)

// Kind says what an Effect is.
type Kind uint8

// The effects.
const (
	// Send a datagram: To, Bytes, Why.
	Send Kind = 1 + iota
	// Peers were found: Lookup, Addrs. Each address comes once in a lookup.
	Peers
	// LookupDone ends a lookup: Lookup, Nodes (the closest that answered), Result.
	LookupDone
	// QueryDone ends a single query: Query, To, Nodes, Addrs, Result.
	QueryDone
	// Announced says that a peer was announced to us: Hash, Addrs (one). Who shares that
	// torrent learns of it at once; where we are the only other node, in no other way.
	Announced
	// SeenAs is a node's word for our address, in its answer to us (BEP 42's `ip`): To is
	// the node, Addrs (one) what it says.
	SeenAs
)

// LookupID and QueryID name what the caller asked for; they are never 0.
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

// Result is how a lookup or query went.
type Result struct {
	Outcome   Outcome
	Took      time.Duration
	Asked     int     // nodes asked, by a lookup
	Answered  int     // of those, how many answered
	Peers     int     // peers found
	Announced int     // nodes that took the announce
	ID        krpc.ID // of a query: the id of who answered
	Code      int     // of Refused: the error
	Text      string  // likewise
}

// Add joins the result of a lookup in one DHT with that of the same lookup in another, which
// ran at the same time: it went as well as the better one, and took as long as the longer.
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

// Outcome is how it ended.
type Outcome uint8

// The outcomes.
const (
	Answered Outcome = 1 + iota // somebody answered
	Silence                     // nobody did in time
	Refused                     // a query was answered with an error
	Busy                        // not tried: too many of its kind wait already
)

// String gives the outcome as a word.
func (o Outcome) String() string {
	return [...]string{"", "answered", "silence", "refused", "busy"}[o]
}

// Effects gives what came out since the last time, in order. It and everything in it is
// valid until the next call.
func (m *Machine) Effects() []Effect {
	if m.taken {
		m.begin()
	}
	m.taken = true
	return m.effects
}

// send appends m.out as a datagram.
func (m *Machine) send(to netip.AddrPort, w why.Why) int {
	start := len(m.bytes)
	m.bytes = krpc.Append(m.bytes, &m.out)
	m.effects = append(m.effects, Effect{Kind: Send, To: to, Bytes: m.bytes[start:len(m.bytes):len(m.bytes)], Why: w})
	return len(m.bytes) - start
}
