package choker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// TestScripts plays testdata/*.txt. Peers are letters; changes take effect at
// once, as the swarm applies them.
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		m := &machine{t: t, now: mono.Start, c: New(Config{}, rand.New(rand.NewPCG(1, 1)))}
		return m.command
	})
}

type machine struct {
	t       *testing.T
	now     mono.Time
	seeding bool
	c       *Choker
	peers   []Peer
}

func (m *machine) command(line string) string {
	words := strings.Fields(line)
	switch words[0] {
	case "slots":
		m.c.SetSlots(m.number(words[1]))
	case "seeding":
		m.seeding = true
		if len(words) > 1 {
			m.c.algorithm = map[string]Algorithm{"round-robin": RoundRobin, "anti-leech": AntiLeech}[words[1]]
		}
	case "wait":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			m.t.Fatal(err)
		}
		m.now = m.now.Add(d)
	case "round":
		return m.apply(m.c.Round(m.now, m.seeding, m.peers, nil))
	case "rounds":
		return m.rounds(m.number(words[1]))
	case "fill":
		return m.apply(m.c.Fill(m.now, m.seeding, m.peers, nil))
	case "unchoked":
		return m.unchoked()
	default:
		for _, name := range words[0] {
			m.peer(uint64(name), words[1:])
		}
	}
	return ""
}

// peer makes or changes a peer: "interested", "content", "gives=5", "snubbed" ...
func (m *machine) peer(key uint64, args []string) {
	i := slices.IndexFunc(m.peers, func(p Peer) bool { return p.Key == key })
	if i < 0 {
		i = len(m.peers)
		m.peers = append(m.peers, Peer{Key: key, Joined: m.now})
	}
	p := &m.peers[i]
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "interested":
			p.Interested = true
		case "content":
			p.Interested = false
		case "open", "closed":
			p.Open = key == "open"
		case "hoards":
			p.Hoards = true
		case "owes":
			p.Owes = int64(m.number(value)) << 10
		case "owed":
			p.Owes = -int64(m.number(value)) << 10
		case "has":
			p.Progress = m.number(value)
		case "fresh":
			p.Fresh = true
		case "idle", "asks":
			p.Idle = key == "idle"
		case "forgiven":
			p.Vain = false
		case "snubs":
			p.Snubbed = true
		case "answers":
			p.Snubbed = false
		case "gives":
			p.Down = int64(m.number(value))
		case "takes":
			p.Up = int64(m.number(value))
		case "leaves":
			m.peers = slices.Delete(m.peers, i, i+1)
			return
		default:
			m.t.Fatalf("unknown word %q", arg)
		}
	}
}

func (m *machine) apply(changes []Change) string {
	answer := ""
	for _, c := range changes {
		i := slices.IndexFunc(m.peers, func(p Peer) bool { return p.Key == c.Key })
		verb := "choke"
		if c.Unchoke {
			verb = "unchoke"
			m.peers[i].UnchokedAt = m.now
		} else {
			m.peers[i].ChokedAt = m.now
			m.peers[i].Idle, m.peers[i].Vain = false, c.Why == why.SlotUnused || c.Why == why.NotInterested && m.peers[i].Up == 0
		}
		if m.peers[i].Unchoked == c.Unchoke {
			m.t.Fatalf("%s %c, which is so", verb, rune(c.Key))
		}
		m.peers[i].Unchoked = c.Unchoke
		answer += fmt.Sprintf("%s %c  %v\n", verb, rune(c.Key), c.Why)
	}
	if answer == "" {
		return "nothing changes"
	}
	return answer
}

// rounds plays several rounds, ten seconds apart, and shows each that changes something.
func (m *machine) rounds(n int) string {
	answer := ""
	for range n {
		m.now = m.now.Add(Interval)
		if s := m.command("round"); s != "nothing changes" {
			answer += fmt.Sprintf("%.0f s: %s\n", m.now.Seconds(), strings.ReplaceAll(strings.TrimSpace(s), "\n", ", "))
		}
	}
	if answer == "" {
		return "nothing changes"
	}
	return answer
}

func (m *machine) unchoked() string {
	answer := ""
	for _, p := range m.peers {
		if p.Unchoked {
			answer += string(rune(p.Key))
		}
	}
	return answer
}

func (m *machine) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}
