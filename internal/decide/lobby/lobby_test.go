package lobby

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/mono"
)

// "A from 10.0.0.1" comes, "A names" a torrent, "A is done", "A leaves".
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		d := &script{t: t}
		return d.command
	})
}

type script struct {
	t   *testing.T
	l   *Lobby
	now mono.Time
}

func (d *script) command(line string) string {
	words := strings.Fields(line)
	switch {
	case words[0] == "places":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			d.t.Fatal(err)
		}
		d.l, d.now = New(n), mono.Start
		return ""
	case words[0] == "wait":
		span, err := time.ParseDuration(words[1])
		if err != nil {
			d.t.Fatal(err)
		}
		d.now = d.now.Add(span)
		return ""
	}
	key := Key(words[0][0])
	switch words[1] {
	case "from":
		out, evicts, ok := d.l.Enter(d.now, key, netip.MustParseAddr(words[2]))
		switch {
		case !ok:
			return words[0] + " is turned away\n"
		case evicts:
			return fmt.Sprintf("%c gives way\n", rune(out))
		}
	case "names":
		d.l.Named(d.now, key)
	case "is":
		if !d.l.Done(key) {
			return "it has lost its place\n"
		}
	case "leaves":
		d.l.Leave(key)
	default:
		d.t.Fatalf("no verb %q", words[1])
	}
	return ""
}

// However many say nothing, and from wherever they come: a newcomer has its place, and keeps
// it while fewer others come than there are places.
func TestFlood(t *testing.T) {
	for name, addr := range map[string]func(i int) netip.Addr{
		"one address":   func(int) netip.Addr { return netip.MustParseAddr("127.0.0.1") },
		"one network":   func(i int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, byte(10 + i%240)}) },
		"many networks": func(i int) netip.Addr { return netip.AddrFrom4([4]byte{11, byte(i >> 8), byte(i), 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			l := New(128)
			now := mono.Start
			next := Key(1)
			enter := func(a netip.Addr) (Key, Key) {
				now = now.Add(5 * time.Millisecond)
				k := next
				next++
				out, _, ok := l.Enter(now, k, a)
				if !ok || l.Count() > 128 {
					t.Fatalf("in is %v, %d places are taken", ok, l.Count())
				}
				return k, out
			}
			for i := range 2000 {
				enter(addr(i))
			}
			at := addr(0)
			if name == "one network" {
				at = netip.MustParseAddr("203.0.113.5")
			}
			polite, _ := enter(at)
			for i := range 60 {
				if _, out := enter(addr(2000 + i)); out == polite {
					t.Fatalf("it gave way to newcomer %d", i)
				}
			}
			l.Named(now, polite)
			for i := range 60 {
				if _, out := enter(addr(3000 + i)); out == polite {
					t.Fatalf("it gave way to newcomer %d after it had named its torrent", i)
				}
			}
			if !l.Done(polite) {
				t.Error("it has lost its place")
			}
		})
	}
}

// A party with a /48 has 65,536 networks, and counts as one beyond its part of the places:
// silent peers of other networks keep their places, however long they take, and households
// that share a /48 do below that part.
func TestFloodOfSite(t *testing.T) {
	const places = 128
	for _, bits := range []int{48, 56, 64} {
		l := New(places)
		now := mono.Start
		next := Key(0)
		enter := func(a string) (Key, Key) {
			now = now.Add(5 * time.Millisecond)
			next++
			out, _, ok := l.Enter(now, next, netip.MustParseAddr(a))
			if !ok || l.Count() > places {
				t.Fatalf("in is %v, %d places are taken", ok, l.Count())
			}
			return next, out
		}
		honest := map[Key]string{}
		for i := range places / sitePart {
			for _, a := range []string{
				fmt.Sprintf("2001:db9:7:%x::1", i), // households of one provider
				fmt.Sprintf("2001:db9:%x::1", 100+i),
				fmt.Sprintf("198.51.%d.1", i),
			} {
				k, _ := enter(a)
				honest[k] = a
			}
		}
		for i := range 3000 {
			a := fmt.Sprintf("2001:db8:1:%x::%x", i&(1<<(64-bits)-1), i+1)
			if _, out := enter(a); honest[out] != "" {
				t.Fatalf("%s gave way to %s of a /%d", honest[out], a, bits)
			}
		}
		// A household in the same /48 gets in, and stays while it is not the slowest there.
		polite, _ := enter("2001:db8:1:ffff::1")
		for i := range 60 {
			if _, out := enter(fmt.Sprintf("2001:db8:1:%x::1", i&(1<<(64-bits)-1))); out == polite {
				t.Fatalf("it gave way to newcomer %d", i)
			}
		}
		for k := range honest {
			if !l.Done(k) {
				t.Errorf("%s has lost its place", honest[k])
			}
		}
	}
}

// What counts as one party.
func TestWeights(t *testing.T) {
	at := netip.MustParseAddr
	w := NewWeights(80)
	for i := range 12 {
		w.Add(at(fmt.Sprintf("2001:db8:1:%x::1", i)))
	}
	for range 2 {
		w.Add(at("2001:db8:2::1"))
		w.Add(at("::ffff:203.0.113.9"))
		w.Add(at("fd00::1"))
	}
	for a, want := range map[string]int{
		"2001:db8:1::5":    2, // of 12 places of the /48 ten are free
		"2001:db8:1:99::5": 2,
		"2001:db8:2::2":    2,
		"2001:db8:2:1::2":  0,
		"203.0.113.77":     2,
		"fd00::1":          2,
		"fd00::2":          0,
		"fe80::1%eth0":     0,
	} {
		if got := w.Of(at(a)); got != want {
			t.Errorf("%s weighs %d, want %d", a, got, want)
		}
	}
	if !w.OneParty(at("2001:db8:1::1"), at("2001:db8:1:7::1")) || w.OneParty(at("2001:db8:2::1"), at("2001:db8:2:7::1")) || !w.OneParty(at("2001:db8:2::1"), at("2001:db8:2::7")) {
		t.Error("parties are wrong")
	}
}

// Whatever comes and goes: no more places are taken than there are.
func TestRandom(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l := New(1 + rng.IntN(8))
		now := mono.Start
		in := map[Key]bool{}
		done := map[Key]bool{}
		for i := range Key(300) {
			now = now.Add(time.Duration(rng.IntN(400)) * time.Millisecond)
			k := Key(rng.Uint64N(uint64(i) + 1))
			switch rng.IntN(5) {
			case 0:
				l.Leave(k)
				delete(in, k)
				delete(done, k)
			case 1:
				l.Named(now, k)
			case 2:
				if got := l.Done(k); got != in[k] {
					t.Fatalf("seed %d: the place of %d: %v, want %v", seed, k, got, in[k])
				}
				if in[k] {
					done[k] = true
				}
			default:
				key := 1000 + i
				out, evicts, ok := l.Enter(now, key, netip.AddrFrom4([4]byte{11, 0, byte(rng.IntN(3)), byte(rng.IntN(3))}))
				if evicts && (!in[out] || done[out]) {
					t.Fatalf("seed %d: %d gives way", seed, out)
				}
				if !ok && len(done) != l.limit {
					t.Fatalf("seed %d: turned away with %d of %d that stay", seed, len(done), l.limit)
				}
				delete(in, out)
				if ok {
					in[key] = true
				}
			}
			if len(in) != l.Count() || l.Count() > l.limit {
				t.Fatalf("seed %d: %d places, counted %d, at most %d", seed, l.Count(), len(in), l.limit)
			}
		}
	}
}
