package extip

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/mono"
)

// TestScripts plays testdata/*.txt. Commands:
//
//	dht|tracker|dialled|caller ADDR says ADDR   somebody's word
//	callers N says ADDR                         N callers, each of a network of its own
//	wait 5m, who, votes
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		return (&script{t: t, now: mono.Start}).command
	})
}

type script struct {
	t   *testing.T
	now mono.Time
	Tally
}

func (s *script) command(line string) string {
	w := strings.Fields(line)
	switch w[0] {
	case "wait":
		d, err := time.ParseDuration(w[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(d)
		return ""
	case "who":
		return fmt.Sprintf("IPv4 %v, IPv6 %v", s.Addr(false), s.Addr(true))
	case "votes":
		return fmt.Sprintf("%d for IPv4, %d for IPv6", len(s.four.votes), len(s.six.votes))
	case "callers":
		n, _ := strconv.Atoi(w[1])
		changed := 0
		for i := range n {
			by := netip.AddrFrom4([4]byte{198, byte(100 + i>>8), byte(i), 1})
			if s.Vote(s.now, Caller, by, netip.MustParseAddr(w[3])) {
				changed++
			}
		}
		return fmt.Sprintf("%d changes", changed)
	}
	src := slices.Index(sourceNames[:], w[0])
	if src < 0 {
		s.t.Fatalf("what is %q?", line)
	}
	if s.Vote(s.now, Source(src), netip.MustParseAddr(w[1]), netip.MustParseAddr(w[3])) {
		return "we are " + w[3]
	}
	return ""
}

// Whatever is said, memory is bounded, an address stands for a while, and the same words
// give the same answer.
func TestRandomVotes(t *testing.T) {
	play := func(seed uint64) (answers []netip.Addr) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var tally Tally
		now, last := mono.Start, map[bool]mono.Time{}
		for range 20_000 {
			now = now.Add(time.Duration(rng.IntN(3000)) * time.Millisecond)
			v6 := rng.IntN(3) == 0
			addr := func(n int) netip.Addr {
				if v6 {
					return netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 0, byte(rng.IntN(n)), 15: 1})
				}
				return netip.AddrFrom4([4]byte{203, byte(rng.IntN(2)), byte(rng.IntN(n)), 1})
			}
			if tally.Vote(now, Source(rng.IntN(int(sources))), addr(200), addr(2)) {
				if at, again := last[v6]; again && now.Sub(at) < settled {
					t.Fatalf("seed %d: the address changed after %v", seed, now.Sub(at))
				}
				last[v6] = now
				answers = append(answers, tally.Addr(v6))
			}
			if n := max(len(tally.four.votes), len(tally.six.votes)); n > int(sources)*perSource {
				t.Fatalf("seed %d: %d votes are kept", seed, n)
			}
		}
		return answers
	}
	for seed := range uint64(5) {
		a, b := play(seed), play(seed)
		if len(a) == 0 || !slices.Equal(a, b) {
			t.Errorf("seed %d: %v, then %v", seed, a, b)
		}
	}
}
