package picker

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
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// uniform is a geometry of equal pieces; the last block of each is a little shorter.
type uniform struct{ pieces, blocks uint32 }

func (g uniform) PieceSize(uint32) uint32 { return g.blocks*block.Size - 100 }
func (g uniform) Blocks(uint32) uint32    { return g.blocks }
func (g uniform) BlockSize(_, index uint32) uint32 {
	if index == g.blocks-1 {
		return block.Size - 100
	}
	return block.Size
}

// TestScripts plays testdata/*.txt. Peers are letters; a block is piece:block.
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		m := &machine{t: t, now: mono.Start, has: map[byte]*bitfield.Bitfield{}, paces: map[byte]Pace{}}
		return m.command
	})
}

type machine struct {
	t   *testing.T
	now mono.Time
	p   *Picker
	g   uniform
	has map[byte]*bitfield.Bitfield

	paces map[byte]Pace
}

func (m *machine) peers() iter.Seq2[Peer, *bitfield.Bitfield] {
	return func(yield func(Peer, *bitfield.Bitfield) bool) {
		for name := byte('A'); name <= 'Z'; name++ {
			if has := m.has[name]; has != nil && !yield(Peer(name-'A'), has) {
				return
			}
		}
	}
}

func (m *machine) command(line string) string {
	words := strings.Fields(line)
	answer := ""
	if len(words[0]) == 1 {
		answer = m.peer(words[0][0], words[1], words[2:])
	} else {
		answer = m.act(words[0], words[1:])
	}
	if err := m.p.CheckInvariants(m.peers()); err != nil {
		m.t.Fatalf("after %q: %v", line, err)
	}
	return answer
}

func (m *machine) peer(name byte, verb string, args []string) string {
	peer, has := Peer(name-'A'), m.has[name]
	switch verb {
	case "joins":
		m.has[name] = m.bits(args[0])
		m.p.PeerBits(has, m.has[name])
	case "has":
		has.Set(m.number(args[0]))
		m.p.PeerHas(m.number(args[0]))
		return fmt.Sprintf("we want something of it: %v", m.p.Wants(has))
	case "in-order":
		pace := m.paces[name]
		pace.InOrder = args[0] == "on"
		m.paces[name] = pace
	case "trial":
		m.p.SetTrial(peer, args[0] == "on")
	case "lost":
		m.p.PeerLost(has, m.number(args[0]))
		return fmt.Sprintf("we want something of it: %v", m.p.Wants(has))
	case "leaves":
		m.p.AbandonAll(peer)
		m.p.PeerBits(has, nil)
		delete(m.has, name)
	case "asks":
		return m.choices(m.p.Pick(m.now, peer, has, int(m.number(args[0])), m.paces[name], nil))
	case "sends":
		got, asked, others := m.p.Received(peer, uint32(name), m.ref(args[0]), nil)
		answer := got.String()
		if !asked {
			answer += ", not asked for"
		}
		for _, other := range others {
			answer += ", cancel to " + string(rune('A'+other))
		}
		return answer
	case "rejects":
		if !m.p.Abandon(peer, m.ref(args[0])) {
			return "was not asked for"
		}
	case "chokes":
		m.p.AbandonAll(peer)
	case "claims":
		at := m.ref(args[0])
		n := m.p.Claim(m.now, peer, at.Piece, at.Index(), m.number(args[1]), time.Second, 10*time.Millisecond)
		return fmt.Sprintf("%d blocks", n)
	case "looks":
		var out strings.Builder
		for i := range m.g.pieces {
			s, level := m.p.Standing(i, uint32(name))
			if s == Barred {
				continue
			}
			fmt.Fprintf(&out, "%d is %s, level %d", i, [...]string{"", "untaken", "spoilt", "resting", "poisoned", "working"}[s], level)
			first, n := m.p.FreeRow(i, false)
			half, few := m.p.FreeRow(i, true)
			fmt.Fprintf(&out, ": %d blocks from %d, %d from %d\n", n, first, few, half)
		}
		if i, ok := m.p.UrgentFree(m.now); ok {
			fmt.Fprintf(&out, "a reader waits for %d\n", i)
		}
		return out.String()
	case "needs":
		// A needs 200ms 100ms best=50ms all=20ms
		m.paces[name] = Pace{
			Wait: m.span(args[0]), Block: m.span(args[1]),
			Best: m.span(strings.TrimPrefix(args[2], "best=")), All: m.span(strings.TrimPrefix(args[3], "all=")),
		}
	default:
		m.t.Fatalf("peer %c: unknown verb %q", name, verb)
	}
	return ""
}

func (m *machine) act(verb string, args []string) string {
	switch verb {
	case "torrent":
		m.torrent(args)
	case "wait":
		m.now = m.now.Add(m.span(args[0]))
	case "verified":
		m.p.Verified(m.number(args[0]))
	case "failed":
		m.p.Failed(m.number(args[0]))
	case "forget":
		m.p.Forget(m.number(args[0]))
	case "lost":
		all := m.p.Missing() == 0
		m.p.Lost(m.number(args[0]))
		if all {
			for _, has := range m.peers() {
				m.p.PeerBits(nil, has)
			}
		}
	case "priorities":
		prio := make([]uint8, len(args))
		for i, a := range args {
			prio[i] = uint8(m.number(a))
		}
		return changed(m.p.SetPriorities(prio))
	case "urge":
		c, jumped := m.p.Urge(m.number(args[0]), m.number(args[1]), m.number(args[2]))
		answer := changed(c)
		if jumped {
			answer += "it jumps\n"
		}
		return answer
	case "senders":
		answer := ""
		for _, s := range m.p.Senders(m.number(args[0])) {
			if s == 0 {
				s = '-'
			}
			answer += string(rune(s))
		}
		return answer
	case "availability":
		answer := ""
		for i := range m.g.pieces {
			answer += strconv.Itoa(m.p.Availability(i)) + " "
		}
		return answer
	case "state":
		s := m.p.Stats()
		answer := fmt.Sprintf("have %v, %d started, %d requests, %d blocks on offer", m.p.Bitfield(), s.Started, s.Requests, s.Offered)
		if m.p.Endgame() {
			answer += ", endgame"
		}
		if m.p.Complete() {
			answer += ", complete"
		}
		return answer
	default:
		m.t.Fatalf("unknown verb %q", verb)
	}
	return ""
}

func changed(c Change) string {
	answer := ""
	for _, x := range c.Taken {
		answer += fmt.Sprintf("cancel %d:%d to %c\n", x.Ref.Piece, x.Ref.Index(), 'A'+x.Peer)
	}
	for _, i := range c.Given {
		answer += fmt.Sprintf("piece %d is given up\n", i)
	}
	return answer
}

func (m *machine) span(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		m.t.Fatal(err)
	}
	return d
}

func (m *machine) torrent(args []string) {
	cfg := Config{}
	have, seed := "", 1
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "pieces":
			m.g.pieces = m.number(value)
		case "blocks":
			m.g.blocks = m.number(value)
		case "have":
			have = value
		case "copies":
			cfg.EndgameCopies = int(m.number(value))
		case "started":
			cfg.MaxStarted = int(m.number(value))
		case "seed":
			seed = int(m.number(value))
		default:
			m.t.Fatalf("unknown setting %q", key)
		}
	}
	cfg.Geometry = m.g
	clear(m.has)
	m.p = New(cfg, m.bits(have), rand.New(rand.NewPCG(uint64(seed), 0)))
}

func (m *machine) choices(cs []Choice) string {
	if len(cs) == 0 {
		return "nothing"
	}
	answer := ""
	for _, c := range cs {
		answer += fmt.Sprintf("%v  %v", c.Ref, c.Why)
		if c.Why == why.Rarest {
			answer += fmt.Sprintf(", %d have it", c.Owners)
		}
		answer += "\n"
	}
	return answer
}

func (m *machine) bits(s string) *bitfield.Bitfield {
	b := bitfield.New(m.g.pieces)
	for i, c := range s {
		if c == '1' {
			b.Set(uint32(i))
		}
	}
	if s == "all" {
		b.SetAll()
	}
	return b
}

func (m *machine) ref(s string) block.Ref {
	piece, index, _ := strings.Cut(s, ":")
	i := m.number(index)
	return block.Ref{Piece: m.number(piece), Begin: i * block.Size, Length: m.g.BlockSize(0, i)}
}

func (m *machine) number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		m.t.Fatal(err)
	}
	return uint32(n)
}
