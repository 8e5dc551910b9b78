package peerstore

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/golden"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
)

// The commands of the scripts:
//
//	only x y             torrents are served by their letter alone
//	a x started left=5   peer a announces torrent x; peers with capitals come over IPv6
//	scrape x
//	wait 30m
//	state
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		s := &script{t: t, now: mono.Start}
		s.r = New(Config{}, rand.New(rand.NewPCG(1, 1)))
		return s.command
	})
}

type script struct {
	t   *testing.T
	r   *Store
	now mono.Time
}

func hashOf(name string) infohash.Hash { return infohash.Hash{0: name[0]} }

func addrOf(name string) netip.AddrPort {
	if c := name[0]; c >= 'a' {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, c - 'a'}), 6881)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 7: name[0] - 'A', 15: 1}), 6881)
}

func nameOf(a netip.AddrPort) string {
	b := a.Addr().AsSlice()
	if len(b) == 4 {
		return string('a' + rune(b[3]))
	}
	return string('A' + rune(b[7]))
}

func (s *script) command(line string) string {
	w := strings.Fields(line)
	switch w[0] {
	case "only":
		cfg := Config{Only: []infohash.Hash{}}
		for _, name := range w[1:] {
			cfg.Only = append(cfg.Only, hashOf(name))
		}
		s.r = New(cfg, rand.New(rand.NewPCG(1, 1)))
		return ""
	case "wait":
		d, err := time.ParseDuration(w[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(d)
		return ""
	case "scrape":
		c, ok := s.r.Scrape(s.now, hashOf(w[1]))
		if !ok {
			return "unknown\n"
		}
		return fmt.Sprintf("%d seeders, %d leechers (%d want more), %d downloaded\n", c.Seeders, c.Leechers, c.Downloaders, c.Downloaded)
	case "state":
		st := s.r.Stats(s.now)
		return fmt.Sprintf("%d torrents, %d peers\n", st.Torrents, st.Peers)
	}
	addr := addrOf(w[0])
	p := tracker.Params{InfoHash: hashOf(w[1]), Port: addr.Port(), NumWant: -1}
	for _, arg := range w[2:] {
		key, value, _ := strings.Cut(arg, "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "left":
			p.Left = int64(n)
		case "want":
			p.NumWant = n
		case "port":
			p.Port = uint16(n)
		case "started":
			p.Event = tracker.Started
		case "completed":
			p.Event = tracker.Completed
		case "stopped":
			p.Event = tracker.Stopped
		case "paused":
			p.Event = tracker.Paused
		default:
			s.t.Fatalf("what is %q?", arg)
		}
	}
	a, err := s.r.Announce(s.now, addr.Addr(), p)
	if err != nil {
		return "refused: " + err.Error() + "\n"
	}
	var names []string
	for _, p := range a.Peers {
		names = append(names, nameOf(p))
	}
	slices.Sort(names)
	text := strings.TrimSpace("peers " + strings.Join(names, " "))
	if len(names) == 0 {
		text = "no peers"
	}
	return fmt.Sprintf("%s; %d seeders, %d leechers\n", text, a.Counts.Seeders, a.Counts.Leechers)
}

// check compares everything that is kept twice.
func (r *Store) check(t *testing.T) {
	t.Helper()
	n, byAddr := 0, map[netip.Addr]int{}
	for h, tor := range r.torrents {
		listed, paused, ports := 0, 0, map[netip.Addr]int{}
		for i, f := range tor.families {
			for _, l := range [][]*peer{f.seeds, f.leechers} {
				for at, p := range l {
					listed++
					if p.at != at || tor.byAddr[p.addr] != p || familyOf(p.addr.Addr()) != i || p.torrent != tor {
						t.Fatalf("%v stands at %d", p, at)
					}
					if p.paused {
						paused++
					}
					ports[network(p.addr.Addr())]++
					byAddr[network(p.addr.Addr())]++
				}
			}
		}
		if listed != len(tor.byAddr) || paused != tor.paused || len(ports) > 0 && !maps.Equal(ports, tor.ports) {
			t.Fatalf("%v: %d listed, %d by address, %d and %d paused", h, listed, len(tor.byAddr), paused, tor.paused)
		}
		if listed == 0 && !tor.served {
			t.Fatal("a torrent without peers is kept")
		}
		n += listed
	}
	if n != r.peers || !maps.Equal(byAddr, r.byAddr) {
		t.Fatalf("%d peers, counted %d", n, r.peers)
	}
	linked := 0
	for p := r.oldest; p != nil; p = p.newer {
		if linked++; p.newer != nil && p.newer.seen < p.seen || p.newer == nil && p != r.newest {
			t.Fatal("out of order")
		}
	}
	if linked != n {
		t.Fatalf("%d peers in order, %d in all", linked, n)
	}
}

// Whatever is announced, the bounds hold, and nobody is given itself, a peer of the other
// family, or, as a seed, a seed.
func TestInvariants(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 3))
		r := New(Config{Torrents: 5, Peers: 40, Interval: 10 * time.Minute}, rng)
		now := mono.Start
		refused := 0
		for range 500 {
			now = now.Add(time.Duration(rng.IntN(30)) * time.Second)
			from := addrOf(string("abcdefghABCDEFGH"[rng.IntN(16)])).Addr()
			p := tracker.Params{
				InfoHash: infohash.Hash{byte(rng.IntN(8))}, Port: uint16(rng.IntN(20)),
				Left: int64(rng.IntN(2)), NumWant: rng.IntN(10) - 1, Event: tracker.Event(rng.IntN(5)),
			}
			a, err := r.Announce(now, from, p)
			if err != nil {
				refused++
			}
			want := p.NumWant
			if want < 0 {
				want = DefaultWanted
			}
			if len(a.Peers) > want {
				t.Fatalf("seed %d: %d peers, %d wanted", seed, len(a.Peers), want)
			}
			for _, o := range a.Peers {
				known := r.torrents[p.InfoHash].byAddr[o]
				if known == nil || o.Addr().Is4() != from.Is4() || o == netip.AddrPortFrom(from, p.Port) || p.Left == 0 && known.seed {
					t.Fatalf("seed %d: %v is given to %v", seed, o, from)
				}
			}
			if st := r.Stats(now); st.Torrents > 5 || st.Peers > 40 {
				t.Fatalf("seed %d: %+v", seed, st)
			}
			r.check(t)
		}
		if refused == 0 {
			t.Fatal("nothing was ever refused; the test tries too little")
		}
		if st := r.Stats(now.Add(time.Hour)); st != (Stats{}) {
			t.Fatalf("seed %d: %+v when all are gone", seed, st)
		}
		r.check(t)
	}
}

// One address cannot fill the tracker, nor one torrent; and who has an IPv6 network
// cannot either.
func TestFlood(t *testing.T) {
	for name, from := range map[string]func(i int) netip.Addr{
		"IPv4": func(int) netip.Addr { return netip.MustParseAddr("192.0.2.1") },
		"IPv6": func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 14: byte(i >> 8), 15: byte(i)})
		},
	} {
		r := New(Config{Torrents: 100, Peers: 10_000}, rand.New(rand.NewPCG(1, 1)))
		for i := range 50_000 {
			r.Announce(mono.Start, from(i), tracker.Params{Port: uint16(1 + i), InfoHash: infohash.Hash{byte(i % 50)}, Left: 1})
		}
		if st := r.Stats(mono.Start); st.Peers != 1000 {
			t.Errorf("%s: one address is %d peers of 10,000", name, st.Peers)
		}
		one := New(Config{}, rand.New(rand.NewPCG(1, 1)))
		for i := range 5000 {
			one.Announce(mono.Start, from(i), tracker.Params{Port: uint16(1 + i), Left: 1})
		}
		if st := one.Stats(mono.Start); st.Peers != maxPorts {
			t.Errorf("%s: one address is %d peers of a torrent", name, st.Peers)
		}
	}
}

// What a full roster takes: under 400 bytes a peer, 40 MB by default.
func TestMemory(t *testing.T) {
	const peers = 50_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := New(Config{Peers: peers}, rand.New(rand.NewPCG(1, 1)))
	for i := range peers {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if _, err := r.Announce(mono.Start, a, tracker.Params{Port: 6881, InfoHash: infohash.Hash{byte(i), byte(i >> 8 & 3)}, Left: int64(i & 1)}); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (after.HeapAlloc - before.HeapAlloc) / peers
	t.Logf("%d bytes a peer", each)
	if each > 400 {
		t.Errorf("a peer takes %d bytes", each)
	}
	runtime.KeepAlive(r)
}

func TestLimit(t *testing.T) {
	var l Limit
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	allowed := 0
	for range 2 * MaxAsked {
		if l.Allow(mono.Start, a) {
			allowed++
		}
	}
	if allowed != MaxAsked || !l.Allow(mono.Start, b) || !l.Allow(mono.Start.Add(LimitEvery), a) {
		t.Errorf("%d questions were allowed", allowed)
	}
	for i := range 2 * maxAskers {
		l.Allow(mono.Start, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if len(l.asked) > maxAskers {
		t.Errorf("%d addresses are counted", len(l.asked))
	}
}

// A connection id is good for a minute at least, for its address alone, and not for ever.
func TestConnectionIDs(t *testing.T) {
	k := Key{1, 2, 3}
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for i := range 100 {
		now := mono.Start.Add(time.Duration(i) * 777 * time.Millisecond)
		id := k.ConnectionID(now, a)
		if !k.Knows(now, a, id) || !k.Knows(now.Add(tracker.ConnectionLife), netip.MustParseAddr("::ffff:192.0.2.1"), id) {
			t.Fatalf("at %v: not known", now)
		}
		if k.Knows(now, b, id) || k.Knows(now.Add(2*slot), a, id) || k.Knows(now, a, id+1) || (Key{}).Knows(now, a, id) {
			t.Fatalf("at %v: known where it should not be", now)
		}
	}
}
