package pex

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/golden"
	"shoal/internal/value/mono"
)

// Peers are capital letters. "connected A B" says who is; what is due is told then and as
// time passes. "hears 3" takes a message with three peers.
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		s := &script{t: t, now: mono.Start, talk: New(mono.Start), rng: rand.New(rand.NewPCG(1, 1))}
		return s.command
	})
}

type script struct {
	t     *testing.T
	now   mono.Time
	talk  *Talk
	peers []wire.PexPeer
	rng   *rand.Rand
	out   strings.Builder
}

func (s *script) command(line string) string {
	s.out.Reset()
	words := strings.Fields(line)
	switch words[0] {
	case "begin":
		s.talk, s.peers = New(s.now), nil
	case "connected":
		s.peers = nil
		for _, w := range words[1:] {
			if n, err := strconv.Atoi(w); err == nil {
				for i := range n {
					s.peers = append(s.peers, wire.PexPeer{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 6881)})
				}
				continue
			}
			name, seed := strings.CutSuffix(w, "+")
			p := wire.PexPeer{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, name[0]}), 6881)}
			if seed {
				p.Flags = wire.PexSeed
			}
			s.peers = append(s.peers, p)
		}
	case "wait":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		until := s.now.Add(d)
		for s.talk.Deadline() <= until {
			s.now = s.talk.Deadline()
			s.tell()
			if s.talk.Deadline() <= s.now {
				s.t.Fatal("it leaves a deadline that has passed")
			}
		}
		s.now = until
	case "hears":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		got, err := s.talk.Hear(s.now, wire.Pex{Added: make([]wire.PexPeer, n)})
		if err != nil {
			return err.Error() + "\n"
		}
		return fmt.Sprintf("%d count\n", len(got))
	default:
		s.t.Fatalf("no command %q", line)
	}
	return s.out.String()
}

func (s *script) tell() {
	m, ok := s.talk.Tell(s.now, s.peers, s.rng)
	if !ok {
		return
	}
	name := func(a netip.AddrPort) string { return string(a.Addr().AsSlice()[3]) }
	fmt.Fprintf(&s.out, "%5.0f ", s.now.Seconds())
	if len(m.Added) > 9 || len(m.Dropped) > 9 {
		fmt.Fprintf(&s.out, " %d came, %d went\n", len(m.Added), len(m.Dropped))
		return
	}
	for _, p := range m.Added {
		s.out.WriteString(" +" + name(p.Addr))
		if p.Flags&wire.PexSeed != 0 {
			s.out.WriteString(" (seed)")
		}
	}
	for _, a := range m.Dropped {
		s.out.WriteString(" -" + name(a))
	}
	s.out.WriteString("\n")
}

// Whoever comes and goes: a peer that takes every message knows, in the end, exactly who
// is there, and was never told of one twice or of the leaving of one it did not know.
func TestTheyKnowWhoIsThere(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 3))
		now := mono.Start
		talk := New(now)
		var peers []wire.PexPeer
		known := map[netip.AddrPort]bool{}
		for step := range 200 {
			if step < 100 {
				for range rng.IntN(40) {
					a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(rng.IntN(2)), byte(rng.IntN(256))}), 6881)
					if i := slices.IndexFunc(peers, func(p wire.PexPeer) bool { return p.Addr == a }); i >= 0 {
						peers = slices.Delete(peers, i, i+1)
					} else {
						peers = append(peers, wire.PexPeer{Addr: a})
					}
				}
			}
			now = now.Add(time.Duration(rng.IntN(90)) * time.Second)
			m, _ := talk.Tell(now, peers, rng)
			if len(m.Added) > MaxTold || len(m.Dropped) > MaxTold {
				t.Fatalf("seed %d: %d and %d", seed, len(m.Added), len(m.Dropped))
			}
			for _, p := range m.Added {
				if known[p.Addr] {
					t.Fatalf("seed %d: %v twice", seed, p.Addr)
				}
				known[p.Addr] = true
			}
			for _, a := range m.Dropped {
				if !known[a] {
					t.Fatalf("seed %d: %v was not told of", seed, a)
				}
				delete(known, a)
			}
		}
		if len(known) != len(peers) {
			t.Errorf("seed %d: %d are known of %d", seed, len(known), len(peers))
		}
	}
}
