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

func everybody(netip.AddrPort) bool { return true }

func peer(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}), 7000)
}

// The store never holds more than it may, whoever announces what.
func TestStoreBounds(t *testing.T) {
	now := mono.Start
	s := newStore(3, 5)
	if s.deadline() != mono.Never {
		t.Error("an empty store has something to do")
	}
	for i := range 4 {
		if ok := s.announce(now, krpc.ID{byte(i)}, peer(0)); ok != (i < 3) {
			t.Errorf("info-hash %d: %v", i, ok)
		}
	}
	if s.takes(krpc.ID{9}) || !s.takes(krpc.ID{0}) {
		t.Error("a full store still wants other info-hashes, or not those it has")
	}
	// The sixth peer takes the place of who announced longest ago; a repeat makes young.
	for i := range 5 {
		s.announce(now.Add(time.Duration(i)), krpc.ID{0}, peer(i))
	}
	s.announce(now.Add(10), krpc.ID{0}, peer(0))
	s.announce(now.Add(11), krpc.ID{0}, peer(6))
	got := s.sample(nil, now, krpc.ID{0}, 100, rand.New(rand.NewPCG(1, 1)), everybody)
	slices.SortFunc(got, netip.AddrPort.Compare)
	if want := []netip.AddrPort{peer(0), peer(2), peer(3), peer(4), peer(6)}; !slices.Equal(got, want) {
		t.Errorf("kept %v", got)
	}
	if s.total != 7 {
		t.Errorf("%d peers counted", s.total)
	}

	// An address may leave a few ports; on loopback every port may be somebody.
	s = newStore(3, 500)
	for port := range uint16(20) {
		s.announce(now, krpc.ID{0}, netip.AddrPortFrom(peer(1).Addr(), port+1))
		s.announce(now, krpc.ID{1}, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port+1))
	}
	if a, b := len(s.byHash[krpc.ID{0}].peers), len(s.byHash[krpc.ID{1}].peers); a != portsPerIP || b != 20 {
		t.Errorf("%d and %d ports", a, b)
	}
	s = newStore(2*peersPerIP, 500)
	for i := range peersPerIP + 10 {
		s.announce(now, krpc.ID{byte(i), byte(i >> 8)}, peer(1))
	}
	if s.total != peersPerIP || len(s.order) != peersPerIP {
		t.Errorf("%d peers, %d info-hashes of one address", s.total, len(s.order))
	}

	// In the end nothing is left of anybody.
	s.sweep(now.Add(peerLife))
	if s.total != 0 || len(s.order)+len(s.byHash)+len(s.perIP) != 0 || s.deadline() != mono.Never {
		t.Errorf("left: %d peers, %d hashes, %d addresses", s.total, len(s.order), len(s.perIP))
	}
}

// A sample is drawn evenly, so that no peer hides behind others.
func TestSampleIsFair(t *testing.T) {
	now := mono.Start
	s := newStore(1, 500)
	for i := range 400 {
		s.announce(now, krpc.ID{}, peer(i))
	}
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[netip.AddrPort]int{}
	for range 1000 {
		got := s.sample(nil, now, krpc.ID{}, 100, rng, everybody)
		if len(got) != 100 {
			t.Fatalf("%d peers", len(got))
		}
		for _, p := range got {
			seen[p]++
		}
	}
	for i := range 400 { // 250 expected each
		if n := seen[peer(i)]; n < 150 || n > 350 {
			t.Errorf("peer %d was drawn %d times", i, n)
		}
	}
	if got := s.sample(nil, now.Add(peerLife), krpc.ID{}, 100, rng, everybody); len(got) != 0 {
		t.Errorf("%d peers whose time was over", len(got))
	}
}

// A token is bound to the address and the info-hash, and holds for five to ten minutes.
func TestTokens(t *testing.T) {
	now := mono.Start
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	hash := krpc.ID{1}
	tk := newTokens(now, rand.New(rand.NewPCG(1, 1)))
	if tk.check(now, a, hash, nil) || tk.check(now, a, hash, make([]byte, tokenSize)) {
		t.Error("a token that was not given")
	}
	for _, since := range []time.Duration{0, time.Minute, 4*time.Minute + 59*time.Second} {
		at := now.Add(since)
		token := tk.give(at, a, hash)
		if tk.check(at, b, hash, token[:]) || tk.check(at, a, krpc.ID{2}, token[:]) || tk.check(at, a, hash, token[:7]) {
			t.Error("the token serves others")
		}
		if at = at.Add(tokenLife); !tk.check(at, a, hash, token[:]) {
			t.Errorf("given %v after a change it does not hold for five minutes", since)
		}
		if at = at.Add(tokenLife); tk.check(at, a, hash, token[:]) {
			t.Errorf("given %v after a change it holds for ten minutes", since)
		}
		now = at.Add(time.Hour) // nobody asks for long: both secrets are old
		tk.turn(now)
		if now.Sub(tk.changed) > tokenLife {
			t.Errorf("the secret is %v old", now.Sub(tk.changed))
		}
		now = tk.changed
	}
}

func TestGate(t *testing.T) {
	var g gate
	now := mono.Start
	passed := func(tries int) (n int) {
		for range tries {
			if g.pass(now, time.Second, 3*time.Second) {
				n++
			}
		}
		return n
	}
	for i, step := range []struct {
		wait time.Duration
		want int
	}{{0, 3}, {0, 0}, {time.Second, 1}, {1500 * time.Millisecond, 1}, {500 * time.Millisecond, 1}, {time.Hour, 3}} {
		now = now.Add(step.wait)
		if n := passed(5); n != step.want {
			t.Errorf("step %d: %d passed, want %d", i, n, step.want)
		}
	}
}
