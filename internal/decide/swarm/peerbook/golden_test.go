package peerbook

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
	"shoal/internal/value/why"
)

// TestScripts plays testdata/*.txt.
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		m := &machine{t: t, now: mono.Start}
		m.book("book")
		return m.command
	})
}

type machine struct {
	t   *testing.T
	now mono.Time
	b   *Book
}

var sources = map[string]Source{
	"user": Manual, "tracker": Tracker, "dht": DHT, "peer": PEX, "lsd": LSD, "incoming": Incoming,
}

func (m *machine) command(line string) string {
	answer := m.answer(strings.Fields(line))
	if err := m.b.CheckInvariants(); err != nil {
		m.t.Fatalf("after %q: %v", line, err)
	}
	return answer
}

func (m *machine) answer(words []string) string {
	verb, args := words[0], words[1:]
	if src, ok := sources[verb]; ok { // tracker names 1.2.3.4:6881 [promising x]
		var id []byte
		if len(args) == 4 {
			id = []byte(strings.Repeat(args[3], 20))
		}
		if !m.b.Add(m.now, src, addrPort(args[1]), id) {
			return "no news"
		}
		return ""
	}
	switch verb {
	case "book":
		m.book(args...)
	case "wait":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			m.t.Fatal(err)
		}
		m.now = m.now.Add(d)
	case "next":
		return m.next()
	case "connected":
		m.b.Connected(m.now, addrPort(args[0]))
	case "failed":
		m.b.Failed(m.now, addrPort(args[0]))
	case "closed":
		m.b.Closed(m.now, addrPort(args[0]), len(args) == 2)
	case "parted":
		m.b.Parted(m.now, addrPort(args[0]))
	case "recall":
		m.b.Recall(m.now)
	case "ban":
		m.b.Ban(m.now, addrPort(args[0]))
	case "self":
		m.b.Self(addrPort(args[0]))
	case "external":
		m.b.External(addrPort(args[0]))
	case "seen":
		return strconv.FormatBool(m.b.SeenRecently(m.now, addrPort(args[0])))
	case "banned":
		return strconv.FormatBool(m.b.Banned(addrPort(args[0])))
	case "count":
		return fmt.Sprintf("%d known, %d due", m.b.Count(), m.b.Available(m.now))
	default:
		m.t.Fatalf("unknown verb %q", verb)
	}
	return ""
}

func (m *machine) book(args ...string) {
	var cfg Config
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, "max="); ok {
			cfg.Max, _ = strconv.Atoi(value)
		}
	}
	m.b = New(cfg, rand.New(rand.NewPCG(1, 1)))
}

func (m *machine) next() string {
	c, ok := m.b.Next(m.now)
	if !ok {
		if at := m.b.Deadline(); at != mono.Never {
			return fmt.Sprintf("nobody, the next in %v", at.Sub(m.now))
		}
		return "nobody"
	}
	answer := "dial " + c.Addr.String()
	if c.HasID {
		answer += ", expect " + string(c.ExpectID[:1])
	}
	if c.Why == why.Retried {
		answer += ", again"
	}
	return answer
}

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
