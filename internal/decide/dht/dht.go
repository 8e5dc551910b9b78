// Package dht decides what one node of the mainline DHT does (BEP 5; ids bound to addresses
// by BEP 42, read-only nodes by BEP 43). A Machine holds the routing table, the running
// lookups, the secrets of its tokens, and the peers that it stores for others. Datagrams and
// times go in; datagrams and results come out as effects. A Machine is in the DHT of one
// address family; two of them make a node that is in both (BEP 32, Pair).
//
// A Machine is a pure function of its inputs: it has no socket, reads no clock, and takes all
// randomness from the generator that it gets. It has one owner and is not safe for concurrent
// use. Everything that a stranger can make grow has a bound, with its reason, in limits.go.
//
// The parts, each in its file: table (nodes that we know), query (our queries), lookup (the
// search for a target), join (joining the DHT and staying in it), check (is this really a
// node?), answer (queries of others), token, store, gate (rate of our replies), address
// (which addresses make sense), nodeid (which ids fit them), beside (the other family).
// Decision 0009 says why the DHT is our own.
package dht

import (
	"math/rand/v2"
	"net/netip"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// Config configures a Machine. The zero value of a field means its default.
type Config struct {
	// ID is the node's id; random when zero. An id stays the same over restarts, so that
	// others find the node where they knew it.
	ID krpc.ID
	// IPv6 makes this a node of the IPv6 DHT, which is separate from that of IPv4.
	IPv6 bool
	// Local is the bound address, if it is a specific one; we never treat it as another node.
	Local netip.AddrPort
	// Version goes out as `v`: two letters for the program and two bytes for its version.
	Version string
	// ReadOnly makes a node that asks but does not answer, because others can't reach it (BEP
	// 43).
	ReadOnly bool
	// Trace receives each message both ways and each change of the table; may be nil.
	Trace trace.Func

	// MaxLookups bounds the caller's lookups that run at once; others wait. 0: 16.
	MaxLookups int
	// ReplyRate bounds the replies to all strangers together, in bytes a second. 0: 64 KiB.
	ReplyRate int
	// MaxHashes and MaxPeers bound the store: info-hashes (0: 2000), and peers of each (0:
	// 500).
	MaxHashes, MaxPeers int
}

// Machine is one DHT node.
type Machine struct {
	cfg Config
	id  krpc.ID
	rng *rand.Rand

	beside *Machine // our node in the DHT of the other family; nil: none

	// What we know of others, and store for them.
	table  table
	store  store
	tokens tokens
	seenAs seenAs

	// What is in progress.
	pending []query   // queries without an answer, oldest first
	lookups []*lookup // running, oldest first
	queue   []*lookup // waiting, in order
	checks  []check   // addresses to ping
	pinging int       // checks in flight and not slow
	join    join
	last    uint64 // latest id of a lookup or query of the caller

	// Rates of strangers' queries.
	sources [sourceGates]gate
	total   gate
	salt    uint64

	// Output.
	effects []Effect
	bytes   []byte           // datagrams in effects
	addrs   []netip.AddrPort // lists in effects
	nodes   []krpc.Node      // lists in effects
	taken   bool             // Effects has returned effects, so they may be overwritten

	// Buffers that are used again.
	in, out krpc.Message
	near    []*node
	version []byte
	token   [tokenSize]byte

	stats Stats
}

// New returns a node that knows no other. rng yields its id, tokens and transaction ids, so
// outside of tests it must be seeded cryptographically.
func New(cfg Config, now mono.Time, rng *rand.Rand) *Machine {
	cfg = cfg.withDefaults()
	m := &Machine{cfg: cfg, id: cfg.ID, rng: rng, salt: rng.Uint64(), version: []byte(cfg.Version)}
	if m.id == (krpc.ID{}) {
		m.id = randomID(rng)
	}
	m.table = newTable(m.id, now)
	m.store = newStore(cfg.MaxHashes, cfg.MaxPeers)
	m.tokens = newTokens(now, rng)
	m.join.next = mono.Never
	return m
}

// ID returns the node's own id. External may change it.
func (m *Machine) ID() krpc.ID { return m.id }

// Packet takes a datagram from an address.
func (m *Machine) Packet(now mono.Time, from netip.AddrPort, b []byte) {
	m.begin()
	from = unmap(from)
	if !m.reachable(from) {
		m.stats.Dropped++
		return
	}
	err := krpc.Parse(b, &m.in)
	switch {
	case m.in.Kind == krpc.Query:
		m.asked(now, from, err)
	case err != nil:
		m.stats.Dropped++
	default:
		m.replied(now, from)
	}
	m.run(now)
}

// Tick does what is due. The caller calls it at Deadline or later.
func (m *Machine) Tick(now mono.Time) {
	m.begin()
	m.expire(now)
	m.store.sweep(now)
	m.maintain(now)
	m.run(now)
}

// Deadline returns the time of the next Tick, which may be in the past; mono.Never when only
// a datagram or the caller can bring news.
func (m *Machine) Deadline() mono.Time {
	at := mono.Earliest(m.queryDeadline(), m.maintainDeadline(), m.store.deadline())
	for _, l := range m.lookups {
		if l.hopeless() {
			at = min(at, l.until)
		}
	}
	return at
}

// begin starts an input: it drops the effects that Effects has returned.
func (m *Machine) begin() {
	if m.taken {
		m.taken = false
		clear(m.effects)
		m.effects, m.bytes, m.addrs, m.nodes = m.effects[:0], m.bytes[:0], m.addrs[:0], m.nodes[:0]
	}
}

// run ends an input: it advances what can advance now.
func (m *Machine) run(now mono.Time) {
	m.dequeue(now)
	for i := 0; i < len(m.lookups); {
		l := m.lookups[i]
		if m.advance(now, l); l.over {
			m.lookups = append(m.lookups[:i], m.lookups[i+1:]...)
			m.ended(now, l)
			m.dequeue(now)
			continue
		}
		i++
	}
	m.check(now)
}

// Nodes appends the good nodes of the table, for a torrent's `nodes` or the next run.
func (m *Machine) Nodes(dst []krpc.Node, now mono.Time) []krpc.Node {
	for _, b := range m.table.buckets {
		for _, n := range b.nodes {
			if n.status(now) == good {
				dst = append(dst, krpc.Node{ID: n.id, Addr: n.addr})
			}
		}
	}
	return dst
}

// Stats counts what the node has, and its traffic since New.
type Stats struct {
	ID                      krpc.ID
	Nodes, Good, Buckets    int // of the table, without bad ones
	Lookups, Queued         int // running, waiting
	Pending                 int // our queries without an answer yet
	Hashes, Peers           int // stored for others
	Queries, Answers        int // queries to us; our replies
	Limited                 int // not answered: a rate limit was reached
	Asked, Replies, Timeout int // our queries; replies to us; queries without an answer in time
	Dropped                 int // datagrams that made no sense
	// External is our address as most nodes see it; invalid until enough nodes agree.
	External netip.AddrPort
}

// Stats returns the counts at now.
func (m *Machine) Stats(now mono.Time) Stats {
	s := m.stats
	s.ID = m.id
	s.Buckets = len(m.table.buckets)
	s.Nodes, s.Good = m.table.count(now)
	s.Lookups, s.Queued, s.Pending = len(m.lookups), len(m.queue), len(m.pending)
	s.Hashes, s.Peers = len(m.store.order), m.store.total
	s.External = m.seenAs.addr
	return s
}

// Add adds the counts of the node of the other family.
func (s *Stats) Add(o Stats) {
	for _, c := range [...]struct {
		sum *int
		n   int
	}{
		{&s.Nodes, o.Nodes},
		{&s.Good, o.Good},
		{&s.Buckets, o.Buckets},
		{&s.Lookups, o.Lookups},
		{&s.Queued, o.Queued},
		{&s.Pending, o.Pending},
		{&s.Hashes, o.Hashes},
		{&s.Peers, o.Peers},
		{&s.Queries, o.Queries},
		{&s.Answers, o.Answers},
		{&s.Limited, o.Limited},
		{&s.Asked, o.Asked},
		{&s.Replies, o.Replies},
		{&s.Timeout, o.Timeout},
		{&s.Dropped, o.Dropped},
	} {
		*c.sum += c.n
	}
}

func randomID(rng *rand.Rand) (id krpc.ID) {
	fill(id[:], rng)
	return id
}

// fill fills b with random bytes.
func fill(b []byte, rng *rand.Rand) {
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
}

// did traces something other than a message.
func (m *Machine) did(now mono.Time, what string, peer netip.AddrPort, w why.Why, text string) {
	if m.cfg.Trace != nil {
		m.cfg.Trace(trace.Record{
			At: now, Proto: trace.DHT, Way: trace.Did, Peer: peer, What: what,
			Piece: trace.No, Block: trace.No, Why: w, Text: text,
		})
	}
}
