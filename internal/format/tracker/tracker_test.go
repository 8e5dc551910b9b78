package tracker

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/bencode"
	"shoal/internal/testkit"
)

// vectors reads a file of testdata into the elements of T.
func vectors[T any](t *testing.T, name string) []T {
	t.Helper()
	var file struct{ Vectors []T }
	testkit.Vectors(t, name, &file)
	return file.Vectors
}

var unhex = testkit.Unhex

func TestEscaping(t *testing.T) {
	type vector struct {
		ID      string
		Hash    string `json:"info_hash_hex"`
		Encoded string
	}
	seen := 0
	for _, v := range vectors[vector](t, "url-encoding.json") {
		if v.Hash == "" {
			continue // scrape URLs
		}
		seen++
		var p Params
		copy(p.InfoHash[:], unhex(t, v.Hash))
		u, err := URL("http://t.example/announce", p)
		if err != nil {
			t.Fatal(err)
		}
		if want := "http://t.example/announce?info_hash=" + v.Encoded + "&"; !strings.HasPrefix(u, want) {
			t.Errorf("%s:\n got %s\nwant %s", v.ID, u, want)
		}
	}
	if seen == 0 {
		t.Error("no vector was used")
	}
}

func TestURL(t *testing.T) {
	p := Params{
		PeerID: [20]byte([]byte("-SH0001-abcdefghij+/")), Port: 6881,
		Uploaded: 1, Downloaded: 2, Left: 3,
		NumWant: 50, Key: 0xbeef, TrackerID: "a b&c",
	}
	copy(p.InfoHash[:], "aaaaaaaaaaaaaaaaaaaa")
	const query = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-SH0001-abcdefghij%2B%2F&port=6881" +
		"&uploaded=1&downloaded=2&left=3"
	const end = "&key=0000BEEF&trackerid=a%20b%26c"
	for _, c := range []struct {
		announce, want string
		change         func(*Params)
	}{
		{"http://t.example/announce", "http://t.example/announce?" + query + "&numwant=50&compact=1&no_peer_id=1" + end, nil},
		{"HTTPS://T.example:8/a?passkey=%7e+%2F", "HTTPS://T.example:8/a?passkey=%7e+%2F&" + query + "&numwant=50&compact=1&no_peer_id=1" + end, nil},
		{"http://t.example/a?", "http://t.example/a?" + query + "&event=started&numwant=50&compact=1&no_peer_id=1" + end, func(p *Params) { p.Event = Started }},
		{"http://t.example?x&", "http://t.example?x&" + query + "&event=stopped&numwant=0&compact=1&no_peer_id=1" + end, func(p *Params) { p.Event = Stopped; p.NumWant = 0 }},
		{"http://t.example/a#here", "http://t.example/a?" + query + "&compact=0" + end, func(p *Params) { p.NumWant = -1; p.Dictionary = true }},
		{
			"http://t.example/", "http://t.example/?" + strings.Replace(query, "left=3", "left=0", 1) + "&event=completed&numwant=50&compact=1&no_peer_id=1&key=0000BEEF",
			func(p *Params) { p.Left = -3; p.Event = Completed; p.TrackerID = "" },
		},
	} {
		q := p
		if c.change != nil {
			c.change(&q)
		}
		if got, err := URL(c.announce, q); err != nil || got != c.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.announce, got, err, c.want)
		}
	}
}

func TestURLRefuses(t *testing.T) {
	for _, u := range []string{
		"", "announce", "udp://t.example:80", "wss://t.example", "file:///etc/passwd", "http://", "http:///announce",
		"http://?x", "http://:80/announce", "http://t.example/a b", "http://t.example/\r\nX: y", "http://t.example/\x7f",
		"http://t.example/" + strings.Repeat("a", MaxURL),
	} {
		if got, err := URL(u, Params{}); !errors.Is(err, ErrURL) {
			t.Errorf("%q: %q, %v, want ErrURL", u, got, err)
		}
	}
}

func TestResponseVectors(t *testing.T) {
	type vector struct {
		ID       string
		Body     string `json:"body_hex"`
		Expected struct {
			Interval    *int64
			MinInterval int64 `json:"min_interval"`
			Complete    *int64
			Incomplete  *int64
			TrackerID   string `json:"tracker_id"`
			Peers       []string
			Failure     string
			Warning     string
			ExternalIP  string `json:"external_ip"`
			Error       string
		}
	}
	for _, v := range vectors[vector](t, "http-tracker.json") {
		want := v.Expected
		r, err := ParseResponse(unhex(t, v.Body))
		var failure *FailureError
		switch {
		case want.Error == "empty body":
			if !errors.Is(err, ErrEmpty) {
				t.Errorf("%s: %v, want ErrEmpty", v.ID, err)
			}
			continue
		case want.Error != "":
			if !errors.Is(err, bencode.ErrSyntax) {
				t.Errorf("%s: %v, want %s", v.ID, err, want.Error)
			}
			continue
		case want.Failure != "":
			if !errors.As(err, &failure) || failure.Reason != want.Failure {
				t.Errorf("%s: %v, want failure %q", v.ID, err, want.Failure)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", v.ID, err)
			continue
		}
		interval := time.Duration(0) // what is not given, or not positive
		if want.Interval != nil && *want.Interval > 0 {
			interval = time.Duration(*want.Interval) * time.Second
		}
		if r.Interval != interval || r.MinInterval != time.Duration(want.MinInterval)*time.Second {
			t.Errorf("%s: intervals %v and %v", v.ID, r.Interval, r.MinInterval)
		}
		if r.Seeders != orNone(want.Complete) || r.Leechers != orNone(want.Incomplete) {
			t.Errorf("%s: %d seeders, %d leechers", v.ID, r.Seeders, r.Leechers)
		}
		if r.TrackerID != want.TrackerID || r.Warning != want.Warning {
			t.Errorf("%s: tracker id %q, warning %q", v.ID, r.TrackerID, r.Warning)
		}
		if want.ExternalIP != "" && r.ExternalIP.String() != want.ExternalIP || want.ExternalIP == "" && r.ExternalIP.IsValid() {
			t.Errorf("%s: external address %v, want %q", v.ID, r.ExternalIP, want.ExternalIP)
		}
		if got := texts(r.Peers); strings.Join(got, " ") != strings.Join(want.Peers, " ") {
			t.Errorf("%s: peers %v, want %v", v.ID, got, want.Peers)
		}
	}
}

func orNone(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

// texts gives peers as the vectors write them.
func texts(peers []Peer) []string {
	var s []string
	for _, p := range peers {
		if p.Host != "" {
			s = append(s, p.Host+":"+strconv.Itoa(int(p.Port)))
		} else {
			s = append(s, p.Addr.String())
		}
	}
	return s
}

func TestPromisedPeerIDs(t *testing.T) {
	const body = "d5:peersl" +
		"d2:ip9:192.0.2.17:peer id20:-GT0001-abcdefghijkl4:porti6881ee" +
		"d2:ip9:192.0.2.27:peer id5:short4:porti6881ee" +
		"d2:ip9:192.0.2.34:porti6881eeee"
	r, err := ParseResponse([]byte(body))
	if err != nil || len(r.Peers) != 3 {
		t.Fatal(r.Peers, err)
	}
	if p := r.Peers[0]; !p.HasID || string(p.ID[:]) != "-GT0001-abcdefghijkl" {
		t.Errorf("got %+v", p)
	}
	if r.Peers[1].HasID || r.Peers[2].HasID {
		t.Error("an id of the wrong length, or none, was taken as a promise")
	}
}

func TestCompactVectors(t *testing.T) {
	type vector struct {
		ID, Kind string
		Input    string `json:"input_hex"`
		Peers    []json.RawMessage
		Invalid  bool `json:"invalid_length"`
	}
	// What is well-formed but cannot be connected to.
	dropped := map[string]bool{"v4-port-0": true, "v4-port-65535": true}
	seen := 0
	for _, v := range vectors[vector](t, "compact-peers.json") {
		size := map[string]int{"ipv4": compact4, "ipv6": compact6}[v.Kind]
		if size == 0 {
			continue // lists of nodes
		}
		seen++
		var want []string
		for _, p := range v.Peers {
			var s string
			if err := json.Unmarshal(p, &s); err != nil {
				t.Fatal(err)
			}
			a := netip.MustParseAddrPort(s)
			want = append(want, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String())
		}
		if dropped[v.ID] {
			want = nil
		}
		got := texts(appendCompact(nil, unhex(t, v.Input), size))
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got %v, want %v", v.ID, got, want)
		}
	}
	if seen == 0 {
		t.Error("no vector was used")
	}
}

// What deployed trackers send though they should not, and what hostile ones would.
func TestTolerance(t *testing.T) {
	for _, c := range []struct {
		name, body string
		check      func(Response) bool
	}{
		{"unsorted keys", "d5:peers0:8:intervali90e8:completei1ee", func(r Response) bool { return r.Interval == 90*time.Second && r.Seeders == 1 }},
		{"bytes after the dictionary", "d8:intervali90ee\r\n<!-- 0.1 s -->", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"leading zero", "d8:intervali0090ee", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"interval 0", "d8:intervali0ee", func(r Response) bool { return r.Interval == 0 }},
		{"interval 2^62", "d8:intervali4611686018427387904e12:min intervali4611686018427387904ee", func(r Response) bool { return r.Interval == MaxInterval && r.MinInterval == MaxInterval }},
		{"interval as text", "d8:interval2:90e", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"interval as text in blanks", "d8:interval4: 90 e", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"interval in words", "d8:interval4:soon8:completei3ee", func(r Response) bool { return r.Interval == 0 && r.Seeders == 3 }},
		{"interval as a fraction", "d8:intervali90.5ee", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"interval beyond 64 bits", "d8:intervali99999999999999999999e8:completei3ee", func(r Response) bool { return r.Interval == MaxInterval && r.Seeders == 3 }},
		{"interval below 64 bits", "d8:intervali-99999999999999999999e8:completei3ee", func(r Response) bool { return r.Interval == 0 && r.Seeders == 3 }},
		{"interval as a list", "d8:intervalli90ee8:completei3ee", func(r Response) bool { return r.Interval == 0 && r.Seeders == 3 }},
		{"a key twice", "d8:intervali90e8:intervali70e5:peers0:e", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"a key twice, far apart", "d8:intervali90e5:peers0:8:intervali70ee", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"counts as text", "d8:complete1:310:incomplete1:4e", func(r Response) bool { return r.Seeders == 3 && r.Leechers == 4 }},
		{"nothing at all in it", "de", func(r Response) bool { return r.Interval == 0 && len(r.Peers) == 0 }},
		{"an empty failure beside peers", "d14:failure reason0:5:peers6:\x01\x02\x03\x04\x00\x50e", func(r Response) bool { return len(r.Peers) == 1 }},
		{"blanks before", "\r\n\t \x00d8:intervali90ee", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"a byte order mark before", "\xef\xbb\xbf\r\nd8:intervali90ee", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"a script's warning before", "<br />\n<b>Warning</b>:  mysql_connect() [<a href='function.mysql'>d3</a>] in line 7<br />\nd8:intervali90ee", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"an integer before", "i-1ed8:intervali90ee", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"an odd dictionary before", "d1:ae d8:intervali90ee", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"a page around", "<html><body>d8:intervali90ee</body></html>", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"a chunk head around", "12\r\nd8:intervali90ee\r\n0\r\n\r\n", func(r Response) bool { return r.Interval == 90*time.Second }},
		{"peers6 alone", "d6:peers618:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x50e", func(r Response) bool { return texts(r.Peers)[0] == "[2001:db8::1]:80" && r.Note == "" }},
		{"peers6 as a list", "d6:peers6ld2:ip11:2001:db8::14:porti80eeee", func(r Response) bool { return texts(r.Peers)[0] == "[2001:db8::1]:80" }},
		{"ragged peers6", "d6:peers619:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x50xe", func(r Response) bool { return len(r.Peers) == 1 && r.Note != "" }},
		{"less than a peer", "d5:peers5:\x01\x02\x03\x04\x00e", func(r Response) bool { return len(r.Peers) == 0 && r.Note != "" }},
		{"a port as text", "d5:peersld2:ip9:192.0.2.14:port2:80eee", func(r Response) bool { return texts(r.Peers)[0] == "192.0.2.1:80" && r.Note == "" }},
		{"an address in brackets", "d5:peersld2:ip13:[2001:db8::1]4:porti80eeee", func(r Response) bool { return texts(r.Peers)[0] == "[2001:db8::1]:80" }},
		{"an address in blanks", "d5:peersld2:ip11: 192.0.2.1 4:porti80eeee", func(r Response) bool { return texts(r.Peers)[0] == "192.0.2.1:80" }},
		{"an address in four bytes", "d5:peersld2:ip4:\xc0\x00\x02\x014:porti80eeee", func(r Response) bool { return texts(r.Peers)[0] == "192.0.2.1:80" }},
		{"some bad entries", "d5:peersli7ed2:ip9:192.0.2.14:porti0eed2:ip9:192.0.2.24:porti80eelee8:completei3ee", func(r Response) bool {
			return len(r.Peers) == 1 && r.Seeders == 3 && r.Note == "entries of its list that are not peers: 3"
		}},
		{"a list of compact peers", "d5:peersl6:\x01\x02\x03\x04\x00\x506:\x01\x02\x03\x05\x00\x503:abcee", func(r Response) bool { return len(r.Peers) == 2 && r.Note != "" }},
		{"peers numbered", "d5:peersd1:0d2:ip9:192.0.2.14:porti80ee1:2d2:ip9:192.0.2.24:porti80eeee", func(r Response) bool { return len(r.Peers) == 2 }},
		{"one peer alone", "d5:peersd2:ip9:192.0.2.14:porti80eee", func(r Response) bool { return len(r.Peers) == 1 }},
		{"negative counts", "d8:completei-1e10:incompletei-9ee", func(r Response) bool { return r.Seeders == -1 && r.Leechers == -1 }},
		{"peers of a wrong type", "d5:peersi1e6:peers6lee", func(r Response) bool { return len(r.Peers) == 0 }},
		{"ragged peers", "d5:peers7:\x01\x02\x03\x04\x00\x50\x01e", func(r Response) bool {
			return len(r.Peers) == 1 && r.Note == "its list of peers ends inside a peer"
		}},
		{"odd dictionaries", "d5:peersli1ele0:dee" + "e", func(r Response) bool { return len(r.Peers) == 0 }},
		{"ports out of range", "d5:peersld2:ip9:192.0.2.14:porti0eed2:ip9:192.0.2.14:porti65536eed2:ip9:192.0.2.14:porti-1eeee", func(r Response) bool { return len(r.Peers) == 0 }},
		{"names that are none", "d5:peersld2:ip3:1.24:porti1eed2:ip7:a b.com4:porti1eed2:ip2:\xc3\xa44:porti1eeee", func(r Response) bool { return len(r.Peers) == 0 }},
		{"mapped address", "d5:peersld2:ip16:::ffff:192.0.2.14:porti1eeee", func(r Response) bool { return r.Peers[0].Addr == netip.MustParseAddrPort("192.0.2.1:1") }},
		{"external ip of 16 bytes", "d11:external ip16:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01e", func(r Response) bool { return r.ExternalIP == netip.MustParseAddr("2001:db8::1") }},
		{"external ip as text", "d11:external ip9:192.0.2.7e", func(r Response) bool { return r.ExternalIP == netip.MustParseAddr("192.0.2.7") }},
		{"external ip of 5 bytes", "d11:external ip5:abcdee", func(r Response) bool { return !r.ExternalIP.IsValid() }},
		{"hostile warning", "d15:warning message9:a\x1b[31m\n\xffbe", func(r Response) bool { return r.Warning == "a [31m ?b" }},
		{"long tracker id", "d10:tracker id600:" + strings.Repeat("x", 600) + "e", func(r Response) bool { return r.TrackerID == "" }},
	} {
		r, err := ParseResponse([]byte(c.body))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if !c.check(r) {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

func TestFailures(t *testing.T) {
	for body, want := range map[string]FailureError{
		"d14:failure reason7:go awaye":                                 {Reason: "go away"},
		"d14:failure reason4:busy8:retry ini5ee":                       {Reason: "busy", RetryIn: 5 * time.Minute},
		"d14:failure reason4:busy8:retry in1:7e":                       {Reason: "busy", RetryIn: 7 * time.Minute},
		"d14:failure reason4:busy8:retry in5:nevere":                   {Reason: "busy", RetryIn: Never},
		"d14:failure reason4:busy8:retry ini-5ee":                      {Reason: "busy"},
		"d14:failure reason4:busy8:retry ini99999999999ee":             {Reason: "busy", RetryIn: MaxInterval},
		"d14:failure reason0:8:intervali5ee":                           {RetryIn: 5 * time.Second}, // as most that say no do
		"d14:failure reason4:busy8:intervali1800e8:retry ini5ee":       {Reason: "busy", RetryIn: 5 * time.Minute},
		"d14:failure reason4:busy12:min intervali900e8:intervali600ee": {Reason: "busy", RetryIn: 15 * time.Minute, Soonest: 15 * time.Minute},
		"d14:failure reason4:busy8:interval4:1800e":                    {Reason: "busy", RetryIn: 30 * time.Minute},
		"d14:failure reason4:busy8:intervali-1ee":                      {Reason: "busy"},
		"d14:failure reason4:busy8:retry in7: Never e":                 {Reason: "busy", RetryIn: Never},
		"<br/>d14:failure reason4:busye":                               {Reason: "busy"},
		"d14:failure reasoni7ee":                                       {},
	} {
		_, err := ParseResponse([]byte(body))
		var got *FailureError
		if !errors.As(err, &got) {
			t.Errorf("%q: %v", body, err)
			continue
		}
		if *got != want || got.Error() == "" {
			t.Errorf("%q: %+v, want %+v", body, *got, want)
		}
	}
}

// A tracker that refuses our port gets a hint.
func TestRefusedPort(t *testing.T) {
	for reason, hint := range map[string]bool{
		"Port 6881 is blacklisted":                         true,
		"port 51413 blacklisted":                           true,
		"Your port 6882 is not allowed":                    true,
		"The port you are using is BANNED":                 true,
		"Listening port 6881 is forbidden, choose another": true,
		"Illegal port: 6881 is on our black list":          true,
		"unregistered torrent":                             false,
		"this client is not supported and not allowed":     false,
		"client is banned, see the support page":           false,
		"":                                                 false,
	} {
		if got := strings.Contains((&FailureError{Reason: reason}).Error(), "another port"); got != hint {
			t.Errorf("%q: hint %v", reason, got)
		}
	}
}

func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"a list":      {"l8:intervali5ee", ErrMalformed},
		"a number":    {"i5e", ErrMalformed},
		"cut short":   {"d8:interval", bencode.ErrTruncated},
		"nested":      {"d1:x" + strings.Repeat("l", 50) + strings.Repeat("e", 50) + "e", bencode.ErrDepth},
		"many values": {"d1:xl" + strings.Repeat("le", 50_000) + "ee", bencode.ErrTooMany},
		"a page":      {"<!DOCTYPE html><html>d4:infod3:", bencode.ErrSyntax},
		"blanks":      {" \r\n", ErrEmpty},
		"too long":    {"d1:x3000000:" + strings.Repeat("x", 3_000_000) + "e", ErrTooLong},
	} {
		if _, err := ParseResponse([]byte(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestPeersAreBounded(t *testing.T) {
	many := strings.Repeat("\x01\x02\x03\x04\x1a\xe1", 10*MaxPeers)
	r, err := ParseResponse([]byte("d5:peers" + strconv.Itoa(len(many)) + ":" + many + "e"))
	if err != nil || len(r.Peers) != MaxPeers {
		t.Errorf("%d peers, %v", len(r.Peers), err)
	}
	named := strings.Repeat("d2:ip9:a.example4:porti1ee", 1000)
	r, err = ParseResponse([]byte("d5:peersl" + named + "ee"))
	if err != nil || len(r.Peers) != MaxNames {
		t.Errorf("%d peers by name, %v", len(r.Peers), err)
	}
}

func TestLongTextIsCut(t *testing.T) {
	long := strings.Repeat("x", 5000)
	_, err := ParseResponse([]byte("d14:failure reason5000:" + long + "e"))
	var f *FailureError
	if !errors.As(err, &f) || f.Reason != long[:maxText]+"…" {
		t.Errorf("got %v", err)
	}
}

// What stands before a dictionary costs a bounded number of tries, however often it looks
// as if one began.
func TestFindIsBounded(t *testing.T) {
	const reply = "d8:intervali90ee"
	for name, c := range map[string]struct {
		before string
		found  bool
	}{
		"some tries":     {strings.Repeat("d1:x ", maxTries-2), true},
		"too many tries": {strings.Repeat("d1:x ", maxTries+2), false},
		"too far":        {strings.Repeat("x", maxPreface+1), false},
		"at the edge":    {strings.Repeat("x", maxPreface-2), true},
	} {
		dict, ok := Find([]byte(c.before + reply))
		if ok != c.found || ok && string(dict) != reply {
			t.Errorf("%s: found %v, %.40q", name, ok, dict)
		}
	}
}

// Whatever a tracker sends, the bounds hold and nothing unconnectable comes out.
func FuzzParseResponse(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseResponse(b)
		if err != nil {
			var failure *FailureError
			if errors.As(err, &failure) && failure.RetryIn != Never && (failure.RetryIn < 0 || failure.RetryIn > MaxInterval) {
				t.Fatalf("retry in %v", failure.RetryIn)
			}
			return
		}
		if r.Interval < 0 || r.Interval > MaxInterval || r.MinInterval < 0 || r.MinInterval > MaxInterval {
			t.Fatalf("intervals %v and %v", r.Interval, r.MinInterval)
		}
		if len(r.Peers) > MaxPeers || len(r.TrackerID) > maxTrackerID || len(r.Warning) > 4*maxText+3 {
			t.Fatalf("out of bounds: %d peers, %d, %d bytes", len(r.Peers), len(r.TrackerID), len(r.Warning))
		}
		names := 0
		for _, p := range r.Peers {
			if p.Host != "" {
				names++
				if p.Addr.IsValid() || p.Port == 0 || !isName([]byte(p.Host)) {
					t.Fatalf("peer %+v", p)
				}
			} else if !connectable(p.Addr) || p.Addr.Addr().Is4In6() || p.Addr.Addr().Zone() != "" {
				t.Fatalf("peer %v", p.Addr)
			}
		}
		if names > MaxNames {
			t.Fatalf("%d names", names)
		}
	})
}

// What a tracker says is cut between words: half of a passkey would not be recognised.
func TestCutText(t *testing.T) {
	const key = "5ec2e7a0b1c2d3e4f5a6b7c8d9e0f1a2"
	for pad := maxText - len(key) - 30; pad <= maxText; pad++ {
		for _, said := range []string{"unknown passkey " + key + " of this account", "see http://t.example/" + key + "/announce now"} {
			got := printable([]byte(strings.Repeat("x", pad%5) + strings.Repeat(" word", pad/5) + " " + said))
			if strings.Contains(got, key[:6]) && !strings.Contains(got, key) {
				t.Fatalf("half of the key is left: %q", got)
			}
		}
	}
}
