package trace

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"unicode"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// A record says what applies and leaves out what does not.
func TestAppendJSON(t *testing.T) {
	peer := netip.MustParseAddrPort("127.0.0.1:6881")
	for _, c := range []struct {
		r    Record
		want string
	}{
		{
			Record{At: mono.Start.Add(1500000000), Proto: Peer, Way: Sent, Peer: peer, What: "request", Piece: 2, Block: 0, N: 16384, Owners: 1, Why: why.Rarest},
			`{"time":1.500000,"proto":"peer","way":"sent","peer":"127.0.0.1:6881","what":"request","piece":2,"block":0,"n":16384,"owners":1,"why":"rarest"}`,
		},
		{
			Record{At: mono.Start, Proto: Torrent, What: "complete", Piece: No, Block: No},
			`{"time":0.000000,"proto":"torrent","way":"did","what":"complete"}`,
		},
		{
			Record{At: mono.Start, Proto: DHT, Way: Received, What: "ping", Piece: No, Block: No, InfoHash: [20]byte{0xab, 19: 1}, Text: `a "b" \`},
			`{"time":0.000000,"proto":"dht","way":"received","what":"ping","text":"a \"b\" \\","info_hash":"ab00000000000000000000000000000000000001"}`,
		},
		{
			Record{At: mono.Start, Proto: Tracker, Way: Sent, What: "announce", Piece: No, Block: No, Why: why.FirstAnnounce, Text: "started"},
			`{"time":0.000000,"proto":"tracker","way":"sent","what":"announce","text":"started","why":"` + why.FirstAnnounce.String() + `"}`,
		},
	} {
		if got := string(c.r.AppendJSON([]byte("#")))[1:]; got != c.want {
			t.Errorf("\n got %s\nwant %s", got, c.want)
		}
	}
}

// Text of strangers can neither break the JSON nor steer a terminal nor turn
// the direction in which the line reads.
func TestHostileText(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"\x1b[31mred\x07", "?[31mred?"},
		{"\u009b2J", "?2J"},
		{"line\nline\r\ttab\x00\x7f", "line?line??tab??"},
		{"\xff\xfe half \xe2\x82", "?? half ??"},
		{"\u2028\u2029\u0085", "???"},
		{"\u202egnp.exe\u2066\u200f\u061c\ufeff\u200b", "?gnp.exe?????"},
		{"\U000e0041\ue000\ufffd\uffff", "????"},
		{"Größe 東京 µ", "Größe 東京 µ"},
		{`"},{"x":"`, `"},{"x":"`},
	} {
		var got struct{ Text, What string }
		r := Record{Piece: No, Block: No, Text: c.text, What: c.text}
		if err := json.Unmarshal(r.AppendJSON(nil), &got); err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		if got.Text != c.want || got.What != c.want {
			t.Errorf("%q is printed as %q, want %q", c.text, got.Text, c.want)
		}
	}
}

func FuzzAppendJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, what, text string, at, piece, n int64, proto, way, reason uint8) {
		r := Record{
			At: mono.Time(at), Proto: Proto(proto), Way: Way(way), What: what, Piece: piece, Block: No, N: n,
			Owners: int32(n), Why: why.Why(reason), Text: text,
		}
		b := r.AppendJSON(nil)
		if !json.Valid(b) {
			t.Fatalf("not JSON: %s", b)
		}
		for _, c := range string(b) {
			if !unicode.IsPrint(c) || c == unicode.ReplacementChar {
				t.Fatalf("%q in %s", c, b)
			}
		}
		if strings.Count(string(b), "\n") != 0 {
			t.Fatalf("more than a line: %s", b)
		}
	})
}

// A record is written without an allocation of its own but for the words that
// addresses and hashes make.
func TestAllocs(t *testing.T) {
	buf := make([]byte, 0, 1024)
	r := Record{At: mono.Start, Proto: Peer, Way: Sent, What: "have", Piece: 3, Block: No, Why: why.PieceVerified, Text: "text"}
	if n := testing.AllocsPerRun(100, func() { r.AppendJSON(buf) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNames(t *testing.T) {
	for w, want := range map[Way]string{Did: "did", Sent: "sent", Received: "received", 77: "did"} {
		if w.String() != want {
			t.Errorf("way %d is %q", w, w)
		}
	}
	for p, want := range map[Proto]string{Torrent: "torrent", Peer: "peer", DHT: "dht", Tracker: "tracker", Web: "web", LSD: "lsd", 255: "lsd"} {
		if p.String() != want {
			t.Errorf("protocol %d is %q", p, p)
		}
	}
}
