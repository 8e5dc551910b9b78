package dht

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
)

// network is many machines on virtual links, in one goroutine: what happens next is the
// earliest event, ties in the order they were made. Everything follows from the seed.
type network struct {
	t      testing.TB
	rng    *rand.Rand
	now    mono.Time
	events events
	seq    int
	loss   float64
	delay  time.Duration // up to this, each way

	fitting bool // honest machines have ids that fit their addresses

	machines []*machine
	others   map[netip.AddrPort]liar
	byAddr   map[netip.AddrPort]*machine
	claimed  map[krpc.Node]bool // which ids answered from which address
	hash     uint64
	sent     int
}

type machine struct {
	*Machine
	addr  netip.AddrPort
	other *machine // its side in the other family
	found map[LookupID]map[netip.AddrPort]bool
	done  map[LookupID]Result
	due   mono.Time // of the tick that is planned
}

// liar answers a query in a way of its own, or not at all.
type liar func(q *krpc.Message) []byte

type event struct {
	at   mono.Time
	seq  int
	what func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newNetwork(t testing.TB, seed uint64, loss float64) *network {
	return &network{
		t: t, rng: rand.New(rand.NewPCG(seed, 0)), now: mono.Start, loss: loss, delay: 150 * time.Millisecond,
		others: map[netip.AddrPort]liar{}, byAddr: map[netip.AddrPort]*machine{}, claimed: map[krpc.Node]bool{},
	}
}

// address gives every participant an address in a network of its own.
func (n *network) address(v6 bool) netip.AddrPort {
	i := len(n.machines) + len(n.others)
	if v6 {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, byte(i >> 8), byte(i), 15: 1}), 6881)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{81, byte(i >> 8), byte(i), 1}), uint16(6881+i%100))
}

func (n *network) join(cfg Config) *machine {
	cfg.Trace = n.record
	addr := n.address(cfg.IPv6)
	if n.fitting {
		cfg.ID = idFor(addr.Addr(), n.rng)
	}
	m := &machine{
		Machine: New(cfg, n.now, rand.New(rand.NewPCG(n.rng.Uint64(), 1))), addr: addr,
		found: map[LookupID]map[netip.AddrPort]bool{}, done: map[LookupID]Result{}, due: mono.Never,
	}
	n.machines = append(n.machines, m)
	n.byAddr[m.addr] = m
	return m
}

// joinBoth makes a node that is in both DHTs; it gives its IPv4 side.
func (n *network) joinBoth() *machine {
	four, six := n.join(Config{}), n.join(Config{IPv6: true})
	four.other, six.other = six, four
	Pair(four.Machine, six.Machine)
	return four
}

func (n *network) at(when mono.Time, what func()) {
	n.seq++
	heap.Push(&n.events, event{max(when, n.now), n.seq, what})
}

func (n *network) run(d time.Duration) {
	for until := n.now.Add(d); ; {
		if len(n.events) == 0 || n.events[0].at > until {
			n.now = until
			return
		}
		e := heap.Pop(&n.events).(event)
		n.now = e.at
		e.what()
	}
}

// after takes what came out of a machine, looks at its invariants and plans its tick.
func (n *network) after(m *machine) {
	n.take(m)
	if m.other != nil {
		n.take(m.other)
	}
}

func (n *network) take(m *machine) {
	for _, e := range m.Effects() {
		switch e.Kind {
		case Send:
			n.send(m, e)
		case Peers:
			if m.found[e.Lookup] == nil {
				m.found[e.Lookup] = map[netip.AddrPort]bool{}
			}
			for _, p := range e.Addrs {
				m.found[e.Lookup][p] = true
			}
		case LookupDone:
			m.done[e.Lookup] = e.Result
		}
		n.mix(uint64(e.Kind), uint64(e.Lookup), uint64(e.Why), uint64(len(e.Addrs)))
	}
	n.check(m)
	if at := m.Deadline(); at < m.due {
		m.due = at
		n.at(at, func() { n.tick(m, at) })
	}
}

// tick wakes a machine, unless that was overtaken by an earlier plan.
func (n *network) tick(m *machine, planned mono.Time) {
	if m.due != planned {
		return
	}
	m.due = mono.Never
	m.Tick(n.now)
	n.after(m)
}

func (n *network) send(from *machine, e Effect) {
	if len(e.Bytes) > maxReply {
		n.t.Fatalf("%s sends %d bytes", from.addr, len(e.Bytes))
	}
	n.sent++
	b, to := slices.Clone(e.Bytes), e.To
	n.mix(uint64(len(b)), uint64(to.Port()), uint64(n.now))
	n.deliver(b, from.addr, to)
}

func (n *network) deliver(b []byte, from, to netip.AddrPort) {
	if n.rng.Float64() < n.loss {
		return
	}
	n.at(n.now.Add(time.Duration(n.rng.Int64N(int64(n.delay)))), func() {
		var msg krpc.Message
		if err := krpc.Parse(slices.Clone(b), &msg); err != nil {
			msg.Kind = 0
		}
		if msg.Kind == krpc.Reply {
			n.claimed[krpc.Node{ID: msg.ID, Addr: from}] = true
		}
		if m := n.byAddr[to]; m != nil {
			m.Packet(n.now, from, b)
			n.after(m)
		} else if l := n.others[to]; l != nil && msg.Kind == krpc.Query {
			if answer := l(&msg); answer != nil {
				n.deliver(answer, to, from)
			}
		}
	})
}

// check looks at what must hold after every event.
func (n *network) check(m *machine) {
	fail := func(format string, args ...any) {
		n.t.Fatalf("at %.3f, %s: %s", n.now.Seconds(), m.addr, fmt.Sprintf(format, args...))
	}
	hosts := map[netip.Addr]bool{}
	for i, b := range m.table.buckets {
		if len(b.nodes) > K || len(b.spare) > K {
			fail("bucket %d holds %d nodes, %d spares", i, len(b.nodes), len(b.spare))
		}
		for _, x := range b.nodes {
			if p := m.id.Prefix(x.id); p != i && (i != len(m.table.buckets)-1 || p < i) {
				fail("%s with prefix %d is in bucket %d", x.id, p, i)
			}
			if x.answered.IsZero() || !n.claimed[krpc.Node{ID: x.id, Addr: x.addr}] {
				fail("%s at %s never answered with that id", x.id, x.addr)
			}
			if hosts[x.addr.Addr()] || x.addr == m.addr || x.id == m.id {
				fail("%s is in the table twice, or is ourselves", x.addr)
			}
			hosts[x.addr.Addr()] = true
		}
	}
	if len(m.pending) > 400 || len(m.checks) > maxChecks || m.pinging < 0 || m.pinging > maxPinging+160 {
		fail("%d queries, %d checks, %d pings", len(m.pending), len(m.checks), m.pinging)
	}
	for _, l := range m.lookups {
		flying, slow := 0, 0
		for _, q := range m.pending {
			if q.lookup == l && q.purpose == forLookup {
				if q.slow {
					slow++
				} else {
					flying++
				}
			}
		}
		if l.flying != flying || l.slow != slow || flying > alpha || len(l.cands) > maxCandidates || l.result.Asked > maxAsked {
			fail("lookup: %d flying, really %d; %d slow, really %d; %d candidates; %d asked",
				l.flying, flying, l.slow, slow, len(l.cands), l.result.Asked)
		}
		if !slices.IsSortedFunc(l.cands, func(a, b candidate) int { return l.target.Compare(a.ID, b.ID) }) {
			fail("candidates out of order")
		}
	}
}

// record makes the trace part of the hash.
func (n *network) record(r trace.Record) {
	h := fnv.New64a()
	h.Write(r.AppendJSON(nil))
	n.mix(h.Sum64())
}

func (n *network) mix(values ...uint64) {
	h := fnv.New64a()
	var b [8]byte
	for _, v := range append(values, n.hash) {
		binary.BigEndian.PutUint64(b[:], v)
		h.Write(b[:])
	}
	n.hash = h.Sum64()
}

// populate joins honest machines through the first of them, with liars among them that
// honest ones hear of because they ask, too.
func (n *network) populate(honest, liars int) {
	entry := n.join(Config{})
	for i := 1; i < honest; i++ {
		m := n.join(Config{})
		n.at(n.now.Add(time.Duration(i)*50*time.Millisecond), func() {
			m.AddBootstrap(n.now, entry.addr)
			n.after(m)
		})
	}
	for i := range liars {
		addr := n.address(false)
		self := randomID(n.rng)
		n.others[addr] = n.lie(i%5, addr, self)
		var ask func()
		ask = func() { // it keeps itself known
			q := krpc.Message{Kind: krpc.Query, Method: krpc.FindNode, Transaction: []byte("ly"), ID: self, Target: randomID(n.rng)}
			n.deliver(krpc.Append(nil, &q), addr, n.machines[n.rng.IntN(honest)].addr)
			n.at(n.now.Add(2*time.Second), ask)
		}
		n.at(n.now.Add(time.Duration(n.rng.Int64N(int64(5*time.Second)))), ask)
	}
}

func (n *network) lie(kind int, addr netip.AddrPort, self krpc.ID) liar {
	reply := func(q *krpc.Message, r krpc.Message) []byte {
		r.Kind, r.Transaction = krpc.Reply, q.Transaction
		return krpc.Append(nil, &r)
	}
	switch kind {
	case 0: // never answers
		return func(*krpc.Message) []byte { return nil }
	case 1: // knows crowds of nodes close to anything, none of which exists, and peers
		return func(q *krpc.Message) []byte {
			r := krpc.Message{ID: self, Lists: krpc.IPv4, Token: []byte("x")}
			for i := range byte(krpc.MaxNodes) {
				id := q.Target
				id[19] ^= i + 1
				ghost := netip.AddrPortFrom(netip.AddrFrom4([4]byte{90, byte(n.rng.Uint32()), byte(n.rng.Uint32()), i}), 6881)
				r.Nodes = append(r.Nodes, krpc.Node{ID: id, Addr: ghost})
			}
			return reply(q, r)
		}
	case 2: // is whoever it is asked about
		return func(q *krpc.Message) []byte {
			r := krpc.Message{ID: q.Target, Lists: krpc.IPv4}
			r.Nodes = append(r.Nodes, krpc.Node{ID: q.Target, Addr: addr})
			return reply(q, r)
		}
	case 3: // pretends to be who asks
		return func(q *krpc.Message) []byte { return reply(q, krpc.Message{ID: q.ID}) }
	}
	return func(q *krpc.Message) []byte { // refuses everything
		return krpc.Append(nil, &krpc.Message{Kind: krpc.Error, Transaction: q.Transaction, Code: krpc.ServerError})
	}
}

// announceAndFind lets some honest machines announce, then every honest machine look for
// what they announced. It gives how many of the lookups found their peer.
func (n *network) announceAndFind(announcers int) (found, all int) {
	var hashes []krpc.ID
	var peers []netip.AddrPort
	for i := range announcers {
		m := n.machines[(i*7+3)%len(n.machines)]
		hash := randomID(n.rng)
		id := m.Lookup(n.now, hash, Announce{Enabled: true, Port: uint16(50000 + i)})
		n.after(m)
		hashes, peers = append(hashes, hash), append(peers, netip.AddrPortFrom(m.addr.Addr(), uint16(50000+i)))
		n.run(20 * time.Second)
		if r, ok := m.done[id]; !ok || r.Announced == 0 {
			n.t.Errorf("%s: announce %d: %+v, done %v", m.addr, i, r, ok)
		}
	}
	type search struct {
		m    *machine
		id   LookupID
		peer netip.AddrPort
	}
	var searches []search
	for j, m := range n.machines {
		for i := range hashes {
			if i != j%len(hashes) {
				continue
			}
			s := search{m: m, peer: peers[i]}
			if s.peer.Addr() == m.addr.Addr() {
				continue
			}
			s.id = m.Lookup(n.now, hashes[i], Announce{})
			n.after(m)
			searches = append(searches, s)
		}
	}
	n.run(30 * time.Second)
	for _, s := range searches {
		if _, ok := s.m.done[s.id]; !ok {
			n.t.Errorf("%s: a lookup did not end in 30 s", s.m.addr)
		}
		if s.m.found[s.id][s.peer] {
			found++
		}
	}
	return found, len(searches)
}

// A DHT on lossless links, joined through one node: everybody finds everything.
func TestEveryoneFindsEveryone(t *testing.T) {
	n := newNetwork(t, 1, 0)
	n.populate(100, 0)
	n.run(time.Minute)
	for _, m := range n.machines {
		if s := m.Stats(n.now); s.Good < K {
			t.Errorf("%s knows %d nodes", m.addr, s.Good)
		}
	}
	if found, all := n.announceAndFind(10); found != all {
		t.Errorf("%d of %d lookups found their peer", found, all)
	}
}

// Somebody has ninety nodes that are all closer to an info-hash than any honest one, know
// each other only, and keep what is announced for themselves: in three networks, where they
// have three places in a lookup; or in ninety, where their ids do not fit their addresses,
// so that a lookup goes on until it has found others whose ids do.
func TestSurrounded(t *testing.T) {
	for _, networks := range []byte{3, 90} {
		n := newNetwork(t, 4, 0)
		n.fitting = networks == 90
		n.surround(networks)
	}
}

func (n *network) surround(networks byte) {
	hash := randomID(n.rng)
	var crowd []krpc.Node
	for i := range byte(90) {
		id := randomID(n.rng)
		copy(id[:4], hash[:4])
		crowd = append(crowd, krpc.Node{ID: id, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{66, 0, i % networks, i}), 6881)})
	}
	n.populate(60, 0)
	for _, c := range crowd {
		n.others[c.Addr] = func(q *krpc.Message) []byte {
			r := krpc.Message{Kind: krpc.Reply, Transaction: q.Transaction, ID: c.ID, Lists: krpc.IPv4, Token: []byte("x")}
			for range krpc.MaxNodes {
				r.Nodes = append(r.Nodes, crowd[n.rng.IntN(len(crowd))])
			}
			return krpc.Append(nil, &r)
		}
		for range 10 { // they make themselves known
			q := krpc.Message{Kind: krpc.Query, Method: krpc.FindNode, Transaction: []byte("ly"), ID: c.ID, Target: c.ID}
			to := n.rng.IntN(60)
			n.at(n.now.Add(time.Duration(10+n.rng.IntN(60))*time.Second), func() {
				n.deliver(krpc.Append(nil, &q), c.Addr, n.machines[to].addr)
			})
		}
	}
	n.run(2 * time.Minute)
	m := n.machines[7]
	id := m.Lookup(n.now, hash, Announce{Enabled: true, Port: 7000})
	n.after(m)
	n.run(30 * time.Second)
	if r := m.done[id]; r.Announced < K {
		n.t.Errorf("%d networks: announced to %d nodes", networks, r.Announced)
	}
	found, all := 0, 0
	for _, s := range n.machines[10:40] {
		id := s.Lookup(n.now, hash, Announce{})
		n.after(s)
		n.run(15 * time.Second)
		if all++; s.found[id][netip.AddrPortFrom(m.addr.Addr(), 7000)] {
			found++
		}
	}
	if found < all {
		n.t.Errorf("%d networks: %d of %d found the peer", networks, found, all)
	}
}

// Half of a network speaks one family, half the other, and a few speak both (BEP 32). These
// are given a way into one of the two DHTs only, and find into the other by what they are
// told; there they announce, and are found by those who speak nothing else.
func TestBothDHTs(t *testing.T) {
	for seed := range uint64(3) {
		n := newNetwork(t, seed, 0.01)
		entry := [2]*machine{n.join(Config{}), n.join(Config{IPv6: true})}
		for i := range 40 {
			m := n.join(Config{IPv6: i%2 == 1})
			m.AddBootstrap(n.now, entry[i%2].addr)
			n.after(m)
		}
		n.run(30 * time.Second)
		var both []*machine
		for i := range 8 {
			m := n.joinBoth()
			way := m // the side that is given a way in
			if i%2 == 1 {
				way = m.other
			}
			if i < 2 { // the first two join the DHTs to each other, all others through them
				m.AddBootstrap(n.now, entry[0].addr)
				m.other.AddBootstrap(n.now, entry[1].addr)
			} else {
				way.AddBootstrap(n.now, entry[i%2].addr)
			}
			n.after(m)
			both = append(both, m)
			n.run(5 * time.Second)
		}
		n.run(30 * time.Minute)
		in := 0
		for _, m := range both {
			if m.Stats(n.now).Good >= K && m.other.Stats(n.now).Good >= K {
				in++
			}
		}
		if in < len(both) {
			t.Errorf("seed %d: %d of %d nodes are in both DHTs", seed, in, len(both))
			continue
		}
		hash := randomID(n.rng)
		for i, side := range []*machine{both[5], both[5].other} {
			side.Lookup(n.now, hash, Announce{Enabled: true, Port: 7000})
			n.after(side)
			n.run(20 * time.Second)
			seeker := n.machines[2+i+10]
			id := seeker.Lookup(n.now, hash, Announce{})
			n.after(seeker)
			n.run(20 * time.Second)
			if !seeker.found[id][netip.AddrPortFrom(side.addr.Addr(), 7000)] {
				t.Errorf("seed %d: %s did not find %s: %v", seed, seeker.addr, side.addr, seeker.found[id])
			}
		}
	}
}

// With packets lost and a quarter of the nodes lying, nearly every lookup still succeeds,
// and the invariants hold throughout.
func TestLossAndLiars(t *testing.T) {
	for seed := range uint64(3) {
		n := newNetwork(t, seed, 0.03)
		n.populate(60, 20)
		n.run(2 * time.Minute)
		if found, all := n.announceAndFind(6); found < all*95/100 {
			t.Errorf("seed %d: %d of %d lookups found their peer", seed, found, all)
		}
	}
}

// The network lives on for hours: nodes leave and come, tables are refreshed, what was
// announced is forgotten, and nobody is busier than a quiet DHT should be.
func TestHoursOfChurn(t *testing.T) {
	n := newNetwork(t, 5, 0.01)
	n.populate(25, 0)
	n.run(time.Minute)
	for hour := range 3 {
		gone := n.machines[1+n.rng.IntN(len(n.machines)-1)]
		delete(n.byAddr, gone.addr) // it falls silent
		n.machines = slices.DeleteFunc(n.machines, func(m *machine) bool { return m == gone })
		n.others[netip.AddrPortFrom(gone.addr.Addr(), 1)] = nil // its address is not given again
		gone.due = 0                                            // and does nothing any more
		newcomer := n.join(Config{})
		newcomer.AddBootstrap(n.now, n.machines[n.rng.IntN(len(n.machines)-1)].addr)
		n.after(newcomer)
		before := n.sent
		n.run(time.Hour)
		if perNode := (n.sent - before) / len(n.machines); perNode > 1500 {
			t.Errorf("hour %d: %d datagrams a node", hour, perNode)
		}
	}
	if found, all := n.announceAndFind(5); found < all*9/10 {
		t.Errorf("%d of %d lookups found their peer", found, all)
	}
	n.run(time.Hour)
	for _, m := range n.machines {
		if s := m.Stats(n.now); s.Peers != 0 || s.Hashes != 0 {
			t.Errorf("%s still keeps %d peers", m.addr, s.Peers)
		}
		if s := m.Stats(n.now); s.Good < K {
			t.Errorf("%s knows %d good nodes of %d", m.addr, s.Good, s.Nodes)
		}
	}
}

// The same seed is the same history, another seed is another.
func TestSameSeedSameTrace(t *testing.T) {
	play := func(seed uint64) uint64 {
		n := newNetwork(t, seed, 0.05)
		n.populate(25, 10)
		n.run(30 * time.Second)
		n.announceAndFind(2)
		return n.hash
	}
	first, again, other := play(7), play(7), play(8)
	if first != again {
		t.Errorf("seed 7 gave %x, then %x", first, again)
	}
	if first == other {
		t.Error("seeds 7 and 8 gave the same history")
	}
}
