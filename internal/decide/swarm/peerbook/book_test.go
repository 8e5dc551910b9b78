package peerbook

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"shoal/internal/testkit"
	"shoal/internal/value/mono"
)

func TestPriorityVectors(t *testing.T) {
	var set struct {
		Vectors []struct {
			ID       string
			A, B     netip.Addr
			A_port   uint16
			B_port   uint16
			Priority string
		}
	}
	testkit.Vectors(t, "peer-priority.json", &set)
	if len(set.Vectors) != 12 {
		t.Fatalf("%d vectors, want 12", len(set.Vectors))
	}
	for _, v := range set.Vectors {
		a, b := netip.AddrPortFrom(v.A, v.A_port), netip.AddrPortFrom(v.B, v.B_port)
		for _, got := range []uint32{Priority(a, b), Priority(b, a)} {
			if s := fmt.Sprintf("%08x", got); s != v.Priority {
				t.Errorf("%s: %v and %v have priority %s, want %s", v.ID, a, b, s, v.Priority)
			}
		}
	}
	if got := Priority(addrPort("1.2.3.4:5"), addrPort("[2001:db8::1]:5")); got != 0 {
		t.Errorf("addresses of different families have priority %08x, want 0", got)
	}
}

// watcher plays arbitrary calls against a small book and watches what it may
// never do: dial an address that is being dialled or connected, that is banned
// or us, or too soon after it failed.
type watcher struct {
	b      *Book
	now    mono.Time
	inUse  map[netip.AddrPort]bool
	failed map[netip.AddrPort]mono.Time
	manual map[netip.AddrPort]bool
	self   map[netip.AddrPort]bool
}

func newWatcher(rng *rand.Rand) *watcher {
	return &watcher{
		b: New(Config{Max: 12}, rng), now: mono.Start, inUse: map[netip.AddrPort]bool{},
		failed: map[netip.AddrPort]mono.Time{}, manual: map[netip.AddrPort]bool{}, self: map[netip.AddrPort]bool{},
	}
}

// address gives one of 40 addresses, a few of them on this machine.
func address(n byte) netip.AddrPort {
	port := 6881 + uint16(n)%4
	if n%5 == 0 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	}
	if n%7 == 0 {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 13: n % 3, 15: n}), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, n % 10}), port)
}

func (w *watcher) step(op, n, wait byte) error {
	w.now = w.now.Add(time.Duration(wait) * time.Duration(wait) * 20 * time.Millisecond)
	addr := address(n)
	switch op % 12 {
	case 0, 1, 2, 3:
		src := Source(1 << (op / 12 % 6))
		w.b.Add(w.now, src, addr, nil)
		if src == Manual {
			w.manual[addr] = true
		}
	case 4, 5, 6:
		if err := w.next(); err != nil {
			return err
		}
	case 7:
		if w.inUse[addr] {
			w.b.Connected(w.now, addr)
		}
	case 8, 9:
		if w.inUse[addr] {
			w.b.Failed(w.now, addr)
			w.over(addr)
		}
	case 10:
		if w.inUse[addr] {
			w.b.Closed(w.now, addr, n%2 == 0)
			w.over(addr)
		}
	case 11:
		if wait < 200 {
			break
		}
		if n%2 == 0 {
			w.b.Ban(w.now, addr)
		} else {
			w.b.Self(addr)
			w.self[addr] = true
		}
	}
	return w.b.CheckInvariants()
}

func (w *watcher) over(addr netip.AddrPort) {
	delete(w.inUse, addr)
	w.failed[addr] = w.now
}

func (w *watcher) next() error {
	due := w.b.Available(w.now)
	c, ok := w.b.Next(w.now)
	if ok != (due > 0) || !ok && w.b.Deadline() <= w.now {
		return fmt.Errorf("%d due, next %v, deadline %v at %v", due, ok, w.b.Deadline(), w.now)
	}
	if !ok {
		return nil
	}
	pause := retryAfter
	if w.manual[c.Addr] || c.Addr.Addr().IsLoopback() {
		pause = 0 // named by the user it is due at once; see user.txt
	}
	if at, failed := w.failed[c.Addr]; failed && w.now.Sub(at) < pause {
		return fmt.Errorf("%v is dialled again after %v", c.Addr, w.now.Sub(at))
	}
	if w.inUse[c.Addr] || w.b.Banned(c.Addr) || w.self[c.Addr] {
		return fmt.Errorf("%v is dialled: in use %v, banned %v, us %v", c.Addr, w.inUse[c.Addr], w.b.Banned(c.Addr), w.self[c.Addr])
	}
	w.inUse[c.Addr] = true
	return nil
}

func (w *watcher) run(ops []byte) error {
	for i := 0; i+3 <= len(ops); i += 3 {
		if err := w.step(ops[i], ops[i+1], ops[i+2]); err != nil {
			return fmt.Errorf("step %d (%d %d %d): %w", i/3, ops[i], ops[i+1], ops[i+2], err)
		}
	}
	return nil
}

func TestRandomOperations(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 5))
		ops := make([]byte, 3*1500)
		for i := range ops {
			ops[i] = byte(rng.Uint32())
		}
		if err := newWatcher(rng).run(ops); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

func FuzzOperations(f *testing.F) {
	f.Add([]byte{0, 1, 0, 4, 0, 0, 8, 1, 0, 4, 0, 100, 4, 0, 1})
	f.Add([]byte{13, 5, 0, 12, 5, 0, 4, 0, 0, 7, 5, 0, 10, 5, 9, 11, 5, 250, 4, 0, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if err := newWatcher(rand.New(rand.NewPCG(1, 1))).run(ops[:min(len(ops), 6000)]); err != nil {
			t.Fatal(err)
		}
	})
}

// What strangers can make the book remember is bounded.
func TestFloods(t *testing.T) {
	b := New(Config{}, rand.New(rand.NewPCG(1, 1)))
	now := mono.Start
	for i := range uint32(6000) {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{81, byte(i >> 16), byte(i >> 8), byte(i)}), 6881)
		b.Add(now, PEX, addr, nil)
		b.Ban(now, netip.AddrPortFrom(netip.AddrFrom4([4]byte{82, byte(i >> 16), byte(i >> 8), byte(i)}), 1))
		b.Closed(now, netip.AddrPortFrom(netip.AddrFrom4([4]byte{83, byte(i >> 16), byte(i >> 8), byte(i)}), 1), false)
		b.Self(netip.AddrPortFrom(netip.AddrFrom4([4]byte{84, byte(i >> 16), byte(i >> 8), byte(i)}), 1))
		now = now.Add(time.Millisecond)
	}
	if b.Count() != DefaultMax || len(b.bans.at) != maxBans || len(b.seen.at) != maxSeen || len(b.self) != maxSelf {
		t.Errorf("%d addresses, %d bans, %d seen, %d of ours", b.Count(), len(b.bans.at), len(b.seen.at), len(b.self))
	}
	if err := b.CheckInvariants(); err != nil {
		t.Error(err)
	}
	if b.Banned(addrPort("82.0.0.0:1")) || !b.Banned(addrPort("82.0.23.111:1")) {
		t.Error("the newest bans are kept, not the oldest")
	}
	if !b.Add(now, Tracker, addrPort("203.0.113.1:6881"), nil) {
		t.Error("a flood by peers keeps out what a tracker names")
	}
}

func BenchmarkNextOfFullBook(b *testing.B) {
	book := New(Config{}, rand.New(rand.NewPCG(1, 1)))
	for i := range uint32(DefaultMax) {
		book.Add(mono.Start, DHT, netip.AddrPortFrom(netip.AddrFrom4([4]byte{81, 0, byte(i >> 8), byte(i)}), 6881), nil)
	}
	now := mono.Start
	for range b.N {
		now = now.Add(2 * time.Minute)
		if c, ok := book.Next(now); ok {
			book.Closed(now, c.Addr, true)
		}
		book.Deadline()
	}
}
