package superseed

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
)

// TestScripts plays testdata/*.txt. Peers are letters.
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		m := &table{t: t, now: mono.Start}
		return m.command
	})
}

// table plays the part of the swarm.
type table struct {
	t    *testing.T
	now  mono.Time
	d    *Dealer
	n    uint32
	most int
	has  map[Peer]*bitfield.Bitfield
	told map[Peer]*bitfield.Bitfield
}

func (m *table) sets() iter.Seq2[Peer, *bitfield.Bitfield] {
	return func(yield func(Peer, *bitfield.Bitfield) bool) {
		for p := range Peer(26) {
			if m.has[p] != nil && !yield(p, m.has[p]) {
				return
			}
		}
	}
}

func (m *table) number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		m.t.Fatal(err)
	}
	return uint32(n)
}

func (m *table) command(line string) string {
	words := strings.Fields(line)
	answer := ""
	switch words[0] {
	case "torrent": // pieces, owners that are enough, how many may be in a hand
		m.n, m.most = m.number(words[1]), int(m.number(words[3]))
		m.d = New(m.n, int(m.number(words[2])), len(words) > 4, rand.New(rand.NewPCG(1, 1)))
		m.has, m.told = map[Peer]*bitfield.Bitfield{}, map[Peer]*bitfield.Bitfield{}
	case "wait":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			m.t.Fatal(err)
		}
		m.now = m.now.Add(d)
	case "alone":
		m.d.Alone(words[1] == "yes")
	default:
		answer = m.peer(Peer(words[0][0]-'A'), words[1:])
	}
	if err := m.d.CheckInvariants(m.sets()); err != nil {
		m.t.Errorf("after %q: %v", line, err)
	}
	return answer
}

func (m *table) peer(p Peer, words []string) string {
	switch words[0] {
	case "joins":
		m.has[p], m.told[p] = bitfield.New(m.n), bitfield.New(m.n)
		for _, w := range words[1:] {
			m.has[p].Set(m.number(w))
		}
		m.d.Add(m.has[p])
	case "leaves":
		m.d.Leave(p, m.has[p])
		delete(m.has, p)
	case "has":
		m.has[p].Set(m.number(words[1]))
		m.d.Have(m.now, p, m.number(words[1]))
		if m.d.Done() {
			return "everything is out"
		}
	case "lost":
		m.has[p].Clear(m.number(words[1]))
		m.d.Lost(m.number(words[1]))
	case "lapses":
		m.d.Lapse(p)
	case "asks":
		m.d.Asked(m.now, p, m.number(words[1]))
	case "deals":
		var pieces []string
		for m.d.Room(m.now, p, m.most) {
			piece, ok := m.d.Deal(m.now, p, m.has[p], m.told[p], m.most)
			if !ok {
				break
			}
			m.told[p].Set(piece)
			pieces = append(pieces, fmt.Sprint(piece))
		}
		if next := m.d.Next(m.now, p); next != mono.Never {
			return fmt.Sprintf("%s (until %.0f s)", strings.Join(pieces, " "), next.Seconds())
		}
		return strings.Join(pieces, " ")
	default:
		m.t.Fatalf("unknown verb %q", words[0])
	}
	return ""
}

// A seed that deals to peers that pass everything on, at random and with some who leave,
// sends each piece about once before all have two owners.
func TestEverythingLeavesOnce(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		const pieces, peers = 60, 8
		d := New(pieces, 2, true, rng)
		has, told := make([]*bitfield.Bitfield, peers), make([]*bitfield.Bitfield, peers)
		for p := range has {
			has[p], told[p] = bitfield.New(pieces), bitfield.New(pieces)
		}
		now, sent := mono.Start, 0
		for step := 0; !d.Done(); step++ {
			if step > 20_000 {
				t.Fatalf("seed %d: not done after %d steps, %d sent", seed, step, sent)
			}
			now = now.Add(20 * time.Millisecond)
			p := Peer(rng.IntN(peers))
			switch rng.IntN(6) {
			case 0:
				if step < 200 && rng.IntN(20) == 0 {
					d.Leave(p, has[p])
					has[p], told[p] = bitfield.New(pieces), bitfield.New(pieces)
				}
			case 1, 2: // it fetches what it was dealt
				for i := range told[p].Pieces() {
					if has[p].Set(i) {
						d.Have(now, p, i)
						sent++
						break
					}
				}
			case 3, 4: // it fetches what another has
				q := rng.IntN(peers)
				for i := range has[q].Pieces() {
					if has[p].Set(i) {
						d.Have(now, p, i)
						break
					}
				}
			default:
				if piece, ok := d.Deal(now, p, has[p], told[p], 3); ok {
					told[p].Set(piece)
				}
			}
			err := d.CheckInvariants(func(yield func(Peer, *bitfield.Bitfield) bool) {
				for p := range has {
					if !yield(Peer(p), has[p]) {
						return
					}
				}
			})
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
		}
		if sent > pieces*5/4 {
			t.Errorf("seed %d: %d pieces of %d were sent", seed, sent, pieces)
		}
	}
}
