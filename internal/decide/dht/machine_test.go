package dht

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
)

// ask has a machine answer a query and gives the datagrams that came out.
func ask(m *Machine, now mono.Time, from netip.AddrPort, q krpc.Message) (sent []Effect) {
	q.Kind, q.Transaction = krpc.Query, []byte("aaaa")
	m.Packet(now, from, krpc.Append(nil, &q))
	return slices.DeleteFunc(slices.Clone(m.Effects()), func(e Effect) bool { return e.Kind != Send })
}

// know puts nodes into the table as if they had answered.
func know(m *Machine, now mono.Time, count int) {
	rng := rand.New(rand.NewPCG(9, 9))
	for i := range count {
		a := netip.AddrFrom4([4]byte{30, byte(i >> 8), byte(i), 1})
		if m.cfg.IPv6 {
			a = netip.AddrFrom16([16]byte{0x20, 1, 4: byte(i >> 8), 5: byte(i)})
		}
		m.table.answered(now, randomID(rng), netip.AddrPortFrom(a, 6881))
	}
}

// The largest reply there is fits a datagram that is not fragmented; it holds nodes and
// peers both, and a token.
func TestLargestReply(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		now := mono.Start
		m := New(Config{IPv6: v6, Version: "SH01"}, now, rand.New(rand.NewPCG(1, 1)))
		know(m, now, 200)
		from := netip.MustParseAddrPort("40.0.0.1:6881")
		if v6 {
			from = netip.MustParseAddrPort("[2001:db9::1]:6881")
		}
		hash := krpc.ID{5}
		for i := range 600 {
			p := peer(i)
			if v6 {
				p = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 2, 14: byte(i >> 8), 15: byte(i)}), 7000)
			}
			m.store.announce(now, hash, p)
		}
		sent := ask(m, now, from, krpc.Message{Method: krpc.GetPeers, Target: hash, ReadOnly: true})
		var r krpc.Message
		if len(sent) != 1 || krpc.Parse(sent[0].Bytes, &r) != nil {
			t.Fatalf("%d datagrams", len(sent))
		}
		most, family := maxValues4, krpc.IPv4
		if v6 {
			most, family = maxValues6, krpc.IPv6
		}
		if n := len(sent[0].Bytes); n > maxReply || n < maxReply/2 {
			t.Errorf("%d bytes", n)
		}
		if len(r.Values) != most || len(r.Nodes) != K || r.Lists != family || len(r.Token) == 0 || r.IP != from {
			t.Errorf("%d peers, %d nodes, lists %d, token %x, ip %s", len(r.Values), len(r.Nodes), r.Lists, r.Token, r.IP)
		}
	}
}

// Nodes of both families fit into a reply with peers, and only half as many of those.
func TestLargestReplyOfBoth(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		now := mono.Start
		m := New(Config{IPv6: v6, Version: "SH01"}, now, rand.New(rand.NewPCG(1, 1)))
		o := New(Config{IPv6: !v6}, now, rand.New(rand.NewPCG(2, 1)))
		Pair(m, o)
		know(m, now, 200)
		know(o, now, 200)
		from, most := netip.MustParseAddrPort("40.0.0.1:6881"), maxValues4/2
		if v6 {
			from, most = netip.MustParseAddrPort("[2001:db9::1]:6881"), maxValues6/2
		}
		hash := krpc.ID{5}
		for i := range 200 {
			p := peer(i)
			if v6 {
				p = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 2, 14: byte(i >> 8), 15: byte(i)}), 7000)
			}
			m.store.announce(now, hash, p)
		}
		sent := ask(m, now, from, krpc.Message{Method: krpc.GetPeers, Target: hash, ReadOnly: true, Want: krpc.IPv4 | krpc.IPv6})
		var r krpc.Message
		if len(sent) != 1 || krpc.Parse(sent[0].Bytes, &r) != nil {
			t.Fatalf("%d datagrams", len(sent))
		}
		if n := len(sent[0].Bytes); n > maxReply || len(r.Values) != most || len(r.Nodes) != 2*K || r.Lists != krpc.IPv4|krpc.IPv6 {
			t.Errorf("%d bytes, %d peers, %d nodes, lists %d", n, len(r.Values), len(r.Nodes), r.Lists)
		}
	}
}

// Only what BEP 32 asked for is given.
func TestWant(t *testing.T) {
	now := mono.Start
	m := New(Config{}, now, rand.New(rand.NewPCG(1, 1)))
	know(m, now, 20)
	for want, lists := range map[krpc.Families]krpc.Families{0: krpc.IPv4, krpc.IPv4: krpc.IPv4, krpc.IPv6: 0, krpc.IPv4 | krpc.IPv6: krpc.IPv4} {
		var r krpc.Message
		sent := ask(m, now, netip.MustParseAddrPort("40.0.0.1:1"), krpc.Message{Method: krpc.FindNode, ReadOnly: true, Want: want})
		if krpc.Parse(sent[0].Bytes, &r) != nil || r.Lists != lists {
			t.Errorf("want %d: lists %d", want, r.Lists)
		}
	}
}

// The other family is another DHT.
func TestFamilies(t *testing.T) {
	m := New(Config{IPv6: true}, mono.Start, rand.New(rand.NewPCG(1, 1)))
	if sent := ask(m, mono.Start, netip.MustParseAddrPort("40.0.0.1:1"), krpc.Message{Method: krpc.Ping}); len(sent) != 0 {
		t.Error("an IPv4 query was answered by an IPv6 node")
	}
	if sent := ask(m, mono.Start, netip.MustParseAddrPort("[2001:db9::1]:1"), krpc.Message{Method: krpc.Ping}); len(sent) != 2 {
		t.Errorf("an IPv6 query: %d datagrams, want the answer and a ping", len(sent))
	}
	m.AddBootstrap(mono.Start, netip.MustParseAddrPort("40.0.0.1:1"))
	m.AddBootstrap(mono.Start, netip.MustParseAddrPort("[2001:db9::2]:0"))
	m.AddBootstrap(mono.Start, netip.MustParseAddrPort("[ff02::1]:1"))
	if n := len(m.Effects()); n != 0 {
		t.Errorf("%d effects", n)
	}
}

// Buckets split to the last bit and no further, and a random id of each falls into it.
func TestDeepTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	self := randomID(rng)
	tb := newTable(self, mono.Start)
	for i := range 2000 { // ever closer to us
		id := randomID(rng)
		for b := range min(i/12, 160) {
			mask := byte(0x80) >> (b % 8)
			id[b/8] = id[b/8]&^mask | self[b/8]&mask
		}
		tb.answered(mono.Start, id, netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(i >> 8), byte(i), 1}), 1))
	}
	if n := len(tb.buckets); n < 150 || n > 160 {
		t.Errorf("%d buckets", n)
	}
	for i := range tb.buckets {
		if p := self.Prefix(tb.inside(i, randomID(rng))); p != i && i != len(tb.buckets)-1 || p < i {
			t.Errorf("an id for bucket %d has prefix %d", i, p)
		}
	}
	// nearest is what sorting all would give.
	target := randomID(rng)
	var all []*node
	for _, b := range tb.buckets {
		all = append(all, b.nodes...)
	}
	slices.SortFunc(all, func(a, b *node) int { return target.Compare(a.id, b.id) })
	if got := tb.nearest(nil, target, 20, func(*node) bool { return true }); !slices.Equal(got, all[:20]) {
		t.Error("nearest gives others than the nearest")
	}
}

// Lookups beyond the limit wait their turn; beyond the queue they are refused at once.
func TestLookupsAreBounded(t *testing.T) {
	now := mono.Start
	m := New(Config{MaxLookups: 2}, now, rand.New(rand.NewPCG(1, 1)))
	know(m, now, 8)
	sends := func() (n int) {
		for _, e := range m.Effects() {
			if e.Kind == Send {
				n++
			}
		}
		return n
	}
	var last LookupID
	for range 5 {
		last = m.Lookup(now, krpc.ID{1}, Announce{})
	}
	if s := m.Stats(now); s.Lookups != 2 || s.Queued != 3 || sends() != 2*alpha {
		t.Errorf("%d run, %d wait", s.Lookups, s.Queued)
	}
	m.Cancel(now, last)
	if s := m.Stats(now); s.Queued != 2 {
		t.Errorf("%d wait after one was cancelled", s.Queued)
	}
	for range maxQueue {
		m.Lookup(now, krpc.ID{1}, Announce{})
	}
	busy := 0
	for _, e := range m.Effects() {
		if e.Kind == LookupDone && e.Result.Outcome == Busy {
			busy++
		}
	}
	if busy != 2 {
		t.Errorf("%d were refused", busy)
	}
	for i := range maxCalls + 1 {
		m.Ping(now, peer(i))
	}
	if e := m.Effects(); e[len(e)-1].Kind != QueryDone || e[len(e)-1].Result.Outcome != Busy {
		t.Error("one query too many was sent")
	}
}

// Nobody in the store or the table costs nothing: such a machine has nothing to do.
func TestIdle(t *testing.T) {
	m := New(Config{}, mono.Start, rand.New(rand.NewPCG(1, 1)))
	if at := m.Deadline(); at != mono.Never {
		t.Errorf("due at %v", at.Seconds())
	}
	m.Tick(mono.Start.Add(time.Hour))
	if len(m.Effects()) != 0 || m.Deadline() != mono.Never {
		t.Error("it did something")
	}
}

// Answering takes no memory besides the packet's bencode document.
func TestAnswersDoNotAllocate(t *testing.T) {
	now := mono.Start
	m := New(Config{Version: "SH01"}, now, rand.New(rand.NewPCG(1, 1)))
	know(m, now, 200)
	from := netip.MustParseAddrPort("127.0.0.1:6881") // under no limit
	for i := range 50 {
		m.store.announce(now, krpc.ID{1}, netip.AddrPortFrom(from.Addr(), uint16(i+1)))
	}
	m.Packet(now, from, krpc.Append(nil, &krpc.Message{Kind: krpc.Query, Method: krpc.Ping, Transaction: []byte("aa")}))
	q := krpc.Append(nil, &krpc.Message{Kind: krpc.Query, Method: krpc.GetPeers, Transaction: []byte("aa"), Target: krpc.ID{1}, ReadOnly: true})
	if n := testing.AllocsPerRun(200, func() {
		m.Packet(now, from, q)
		if len(m.Effects()) == 0 {
			t.Fatal("no answer")
		}
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever datagrams come from whomever, the machine keeps its bounds, and every datagram
// it sends can be read.
func FuzzPackets(f *testing.F) {
	f.Fuzz(func(t *testing.T, seed uint64, a, b []byte) {
		rng := rand.New(rand.NewPCG(seed, 0))
		n := newNetwork(t, seed, 0)
		m := &machine{
			Machine: New(Config{}, n.now, rng), addr: n.address(false), due: mono.Never,
			found: map[LookupID]map[netip.AddrPort]bool{}, done: map[LookupID]Result{},
		}
		know(m.Machine, n.now, 20)
		other := New(Config{IPv6: true}, n.now, rng) // what is told of IPv6 nodes goes there
		Pair(m.Machine, other)
		m.AddBootstrap(n.now, peer(1))
		m.Lookup(n.now, krpc.ID{7}, Announce{Enabled: true, Port: 1})
		now := n.now
		for i, packet := range [][]byte{a, b, a, b} {
			// As a reply to each query that is out, with the transaction id it needs.
			for _, q := range slices.Clone(m.pending) {
				var r krpc.Message
				if krpc.Parse(slices.Clone(packet), &r) == nil && r.Kind != krpc.Query {
					r.Transaction = q.tid[:]
					m.Packet(now, q.to, krpc.Append(nil, &r))
				}
			}
			m.Packet(now, peer(i), packet)
			for _, e := range append(slices.Clone(m.Effects()), other.Effects()...) {
				var out krpc.Message
				if e.Kind == Send && (krpc.Parse(slices.Clone(e.Bytes), &out) != nil || len(e.Bytes) > maxReply) {
					t.Fatalf("sent %q", e.Bytes)
				}
			}
			now = now.Add(time.Duration(rng.Int64N(int64(2 * lostAfter))))
			m.Tick(now)
			other.Tick(now)
			if len(other.checks) > maxChecks || other.pinging < 0 || other.pinging > maxPinging {
				t.Fatalf("the other side: %d checks, %d pings", len(other.checks), other.pinging)
			}
			if len(m.pending) > 400 || len(m.checks) > maxChecks || m.pinging < 0 || len(m.effects) > 1000 {
				t.Fatalf("%d queries, %d checks, %d pings, %d effects", len(m.pending), len(m.checks), m.pinging, len(m.effects))
			}
		}
	})
}
