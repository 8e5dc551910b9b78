// Package dht decides what one node of the mainline DHT does (BEP 5; ids bound to addresses
// by BEP 42, read-only nodes by BEP 43). A Machine holds the routing table, the lookups under
// way, the tokens it gave and the peers it keeps for others; datagrams and instants go in,
// datagrams and findings come out as effects. It is in the DHT of one address family; two of
// them make a node that is in both (BEP 32, Pair).
//
// A Machine is a pure function of its inputs: it has no socket, reads no clock, and draws
// all chance from the generator it was given. Whoever drives it owns it; it is not safe
// for concurrent use. Everything that grows because of a stranger has a bound, named in
// limits.go with its reason.
//
// The parts, each in its file: table (who we know), query (what we asked), lookup (asking
// our way to a target), join (getting into the DHT, and upkeep), check (is this really a
// node?), answer (what others asked), token, store, gate (how much we answer), address
// (which addresses make sense), nodeid (which ids fit them), beside (the other family).
// Decision 0009 says why.
package dht

import (
	"math/rand/v2"
	"net/netip"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// Config is what a Machine is told once. The zero value of a field means its default.
type Config struct {
	// ID is the node's id; random when zero. An id is kept over restarts, so that others
	// find the node where they knew it.
	ID krpc.ID
	// IPv6 makes this a node of the IPv6 DHT, which is another one than that of IPv4.
	IPv6 bool
	// Local is the bound address, when it is a particular one; never taken for another node.
	Local netip.AddrPort
	// Version goes out as `v`: two letters of the program and two bytes of its version.
	Version string
	// ReadOnly asks but does not answer, for who cannot be reached (BEP 43).
	ReadOnly bool
	// Trace receives each message both ways and what becomes of the table; may be nil.
	Trace trace.Func

	// MaxLookups is how many lookups of the caller run at once; others wait their turn.
	MaxLookups int
	// ReplyRate is how many bytes a second are answered to all strangers together.
	ReplyRate int
	// MaxHashes and MaxPeers bound the store: info-hashes, and peers of each.
	MaxHashes, MaxPeers int
}

// Machine is one DHT node.
type Machine struct {
	cfg Config
	id  krpc.ID
	rng *rand.Rand

	beside *Machine // our node in the DHT of the other family; nil when there is none

	// What is known of others, and kept for them.
	table  table
	store  store
	tokens tokens
	seenAs seenAs

	// What is under way.
	pending []query   // asked and not answered, oldest first
	lookups []*lookup // running, oldest first
	queue   []*lookup // waiting for their turn
	checks  []check   // addresses to be pinged
	pinging int       // checks in flight and not slow
	join    join
	last    uint64 // the id given last to a lookup or query of the caller

	// How much strangers may ask.
	sources [sourceGates]gate
	total   gate
	salt    uint64

	// What comes out.
	effects []Effect
	bytes   []byte           // of the datagrams in effects
	addrs   []netip.AddrPort // of the lists in effects
	nodes   []krpc.Node      // likewise
	taken   bool             // effects were handed out and may be overwritten

	// Room used again.
	in, out krpc.Message
	near    []*node
	version []byte
	token   [tokenSize]byte

	stats Stats
}

// New makes a node that knows nobody. rng gives its id, tokens and transaction ids, so in
// earnest it must be seeded from good chance.
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

// ID is the node's own id. It changes when External says so.
func (m *Machine) ID() krpc.ID { return m.id }

// Packet takes a datagram that came from an address.
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

// Tick does what is due. It is to be called at Deadline or later.
func (m *Machine) Tick(now mono.Time) {
	m.begin()
	m.expire(now)
	m.store.sweep(now)
	m.upkeep(now)
	m.run(now)
}

// Deadline is when Tick has something to do, which may be past already; mono.Never when
// only a datagram or the caller can bring news.
func (m *Machine) Deadline() mono.Time {
	at := mono.Earliest(m.queryDeadline(), m.upkeepDeadline(), m.store.deadline())
	for _, l := range m.lookups {
		if l.hopeless() {
			at = min(at, l.until)
		}
	}
	return at
}

// begin starts an input: effects that were handed out are forgotten.
func (m *Machine) begin() {
	if m.taken {
		m.taken = false
		clear(m.effects)
		m.effects, m.bytes, m.addrs, m.nodes = m.effects[:0], m.bytes[:0], m.addrs[:0], m.nodes[:0]
	}
}

// run ends an input: whatever can go on now goes on.
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

// Stats counts what the node has, and what came and went since it was made.
type Stats struct {
	ID                      krpc.ID
	Nodes, Good, Buckets    int // of the table; those that went bad are not counted
	Lookups, Queued         int // running, waiting
	Pending                 int // queries of ours without an answer yet
	Hashes, Peers           int // kept for others
	Queries, Answers        int // asked of us; answered by us
	Limited                 int // not answered: the asker or all together asked too much
	Asked, Replies, Timeout int // asked by us; answered to us; not answered in time
	Dropped                 int // datagrams that made no sense
	// External is our address as most nodes see it; invalid until enough said so.
	External netip.AddrPort
}

// Stats gives the counts at now.
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

// Add counts in the node of the other family.
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

// fill draws random bytes.
func fill(b []byte, rng *rand.Rand) {
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
}

// did leaves a record of something other than a message.
func (m *Machine) did(now mono.Time, what string, peer netip.AddrPort, w why.Why, text string) {
	if m.cfg.Trace != nil {
		m.cfg.Trace(trace.Record{
			At: now, Proto: trace.DHT, Way: trace.Did, Peer: peer, What: what,
			Piece: trace.No, Block: trace.No, Why: w, Text: text,
		})
	}
}
