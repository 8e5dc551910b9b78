package tracefmt

import (
	"net/netip"
	"strings"
	"testing"

	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

var (
	a = netip.MustParseAddrPort("127.0.0.1:1")
	b = netip.MustParseAddrPort("127.0.0.1:2")
)

func conversation(owners ...string) Conversation {
	return Conversation{
		Name: func(addr netip.AddrPort) string {
			switch addr {
			case a:
				return "A"
			case b:
				return "B"
			}
			return addr.String()
		},
		Owners: func(string, int64) []string { return owners },
	}
}

// Each record is said in the field's words: from whom, to whom, what and why.
func TestLine(t *testing.T) {
	no := trace.Record{Piece: trace.No, Block: trace.No}
	with := func(r trace.Record, f func(*trace.Record)) trace.Record { f(&r); return r }
	block := trace.Record{At: mono.Start + 412e6, Proto: trace.Peer, Way: trace.Sent, Peer: b, What: "request", Piece: 2, Block: 0, Why: why.Rarest, Owners: 1}

	for _, c := range []struct {
		name   string
		owners []string
		record trace.Record
		want   string
	}{
		{"a request, with who else has the piece", []string{"B"}, block, "0.412 | A → B | request piece 2, block 0 | rarest: only B has it"},
		{"two have it", []string{"B", "C"}, with(block, func(r *trace.Record) { r.Owners = 2 }), "0.412 | A → B | request piece 2, block 0 | rarest: B and C have it"},
		{"names that do not fit the count are not used", []string{"B", "C"}, block, "0.412 | A → B | request piece 2, block 0 | rarest: one peer has it"},
		{"a count without names", nil, with(block, func(r *trace.Record) { r.Owners = 7 }), "0.412 | A → B | request piece 2, block 0 | rarest: 7 peers have it"},
		{"a block", nil, with(block, func(r *trace.Record) { r.What, r.Why = "piece", why.TheyAsked }), "0.412 | A → B | piece 2, block 0 | it asked for this"},
		{"a have", nil, with(block, func(r *trace.Record) { r.What, r.Block, r.Why = "have", trace.No, why.PieceVerified }), "0.412 | A → B | have piece 2 | the piece is verified"},
		{"received: the other speaks", nil, with(no, func(r *trace.Record) {
			r.Proto, r.Way, r.Peer, r.What, r.Text = trace.Peer, trace.Received, b, "bitfield", "110"
		}), "-1.000 | B → A | bitfield 110 | "},
		{"a port", nil, with(no, func(r *trace.Record) { r.Way, r.Peer, r.What, r.N = trace.Sent, b, "port", 6881 }), "-1.000 | A → B | port 6881 | "},
		{"an act upon somebody", nil, with(no, func(r *trace.Record) {
			r.Peer, r.What, r.Text, r.Why = b, "close", "both have every piece", why.Useless
		}), "-1.000 | A | close B: both have every piece | neither side has anything the other lacks"},
		{"an act of one's own", nil, with(no, func(r *trace.Record) { r.What, r.Piece = "verified", 2 }), "-1.000 | A | verified piece 2 | "},
		{"a run of a web seed", nil, with(no, func(r *trace.Record) {
			r.Proto, r.Way, r.What, r.Text, r.Piece, r.Block, r.N, r.Why = trace.Web, trace.Sent, "fetch", "w.example:80", 3, 0, 1<<20, why.WebGap
		}), "-1.000 | A → w.example:80 | fetch 1048576 bytes from piece 3, block 0 on | " + why.WebGap.Words()},
		{"a web seed that fails", nil, with(no, func(r *trace.Record) {
			r.Proto, r.Way, r.What, r.Text = trace.Web, trace.Received, "busy", "w.example:80: HTTP status 503"
		}), "-1.000 | w.example:80 → A | busy: HTTP status 503 | "},
		{"a web seed that is given up", nil, with(no, func(r *trace.Record) {
			r.Proto, r.What, r.Text, r.Why = trace.Web, "give up", "w.example: it sent bad data in piece 3", why.OnlySender
		}), "-1.000 | A | give up w.example: it sent bad data in piece 3 | " + why.OnlySender.Words()},
		{"an address without a name", nil, with(no, func(r *trace.Record) {
			r.Way, r.Peer, r.What, r.Why = trace.Sent, netip.MustParseAddrPort("127.0.0.1:9"), "ping", why.Newcomer
		}), "-1.000 | A → 127.0.0.1:9 | ping | " + why.Newcomer.Words()},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := conversation(c.owners...).Line("A", c.record)
			who := l.From
			if l.To != "" {
				who += " → " + l.To
			}
			got := strings.Join([]string{strings.TrimSpace(l.String()[:7]), who, l.What, l.Why}, " | ")
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Lines stand in columns, also when a name is not of one byte a character.
func TestColumns(t *testing.T) {
	for _, l := range []Line{
		{Seconds: 1, From: "A", To: "B", What: "interested", Why: "reason"},
		{Seconds: 12.5, From: "N10", To: "Ä", What: "find_node", Why: "reason"},
	} {
		s := []rune(l.String())
		if got := string(s[9:12]); !strings.HasPrefix(l.From, got[:1]) {
			t.Errorf("%q: the speaker is not in column 9", string(s))
		}
		if got := strings.Index(string(s), "reason"); len([]rune(string(s)[:got])) != 64 {
			t.Errorf("%q: the reason is in column %d, not 64", string(s), len([]rune(string(s)[:got])))
		}
	}
}
