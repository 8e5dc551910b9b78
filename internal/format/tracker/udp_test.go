package tracker

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"shoal/internal/value/infohash"
)

// udpVector is one packet of BEP 15, by whoever sends it.
type udpVector struct {
	ID        string
	Direction string // out: to a tracker; in: from one
	Packet    string `json:"packet_hex"`
	Family    string
	Ignore    bool
	Fields    struct {
		Action     Action
		TID        uint32   `json:"transaction_id"`
		Conn       string   `json:"connection_id_hex"`
		InfoHash   string   `json:"info_hash_hex"`
		PeerID     string   `json:"peer_id_hex"`
		Hashes     []string `json:"info_hashes_hex"`
		Downloaded int64
		Left       int64
		Uploaded   int64
		Event      Event
		Key        uint32
		NumWant    int `json:"num_want"`
		Port       uint16
		Options    string `json:"options_hex"`
		Interval   int64
		Leechers   int64
		Seeders    int64
		Peers      []string
		Message    string
	}
}

func (v udpVector) conn(t *testing.T) uint64 {
	var n uint64
	for _, c := range unhex(t, v.Fields.Conn) {
		n = n<<8 | uint64(c)
	}
	return n
}

// What the options of a vector say, where they are written as we write them.
var urlDataOf = map[string]string{
	"announce-urldata":         "/dir?a=b&c=d",
	"announce-urldata-nop-end": "/dir?a=b&c=d",
	"announce-urldata-300":     "/" + strings.Repeat("a", 254) + strings.Repeat("b", 45),
}

// Every packet to a tracker is written as the vector is, and read as what it says.
func TestUDPRequestVectors(t *testing.T) {
	seen := 0
	for _, v := range vectors[udpVector](t, "udp-tracker.json") {
		if v.Direction != "out" {
			continue
		}
		seen++
		f, want := v.Fields, unhex(t, v.Packet)
		req, err := ParseUDPRequest(want)
		if err != nil || req.Action != f.Action || req.TID != f.TID || req.Conn != v.conn(t) {
			t.Errorf("%s: read as %+v, %v", v.ID, req, err)
			continue
		}
		var got []byte
		switch f.Action {
		case ActionConnect:
			got = AppendUDPConnect(nil, f.TID)
		case ActionAnnounce:
			p := Params{
				InfoHash: infohash.Hash(unhex(t, f.InfoHash)), PeerID: [20]byte(unhex(t, f.PeerID)), Port: f.Port,
				Downloaded: f.Downloaded, Left: f.Left, Uploaded: f.Uploaded,
				Event: f.Event, NumWant: f.NumWant, Key: f.Key,
			}
			if req.Params != p || req.URLData != urlDataOf[v.ID] {
				t.Errorf("%s: read as %+v", v.ID, req)
			}
			if got = AppendUDPAnnounce(nil, req.Conn, f.TID, p, urlDataOf[v.ID]); v.ID == "announce-urldata-nop-end" {
				got = append(got, optionNop, optionNop, optionEnd) // we pad nothing
			}
		case ActionScrape:
			var hashes []infohash.Hash
			for _, h := range f.Hashes {
				hashes = append(hashes, infohash.Hash(unhex(t, h)))
			}
			if len(req.Hashes) != len(hashes) || req.Hashes[1] != hashes[1] {
				t.Errorf("%s: read as %+v", v.ID, req)
			}
			got = AppendUDPScrape(nil, req.Conn, f.TID, hashes)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", v.ID, got, want)
		}
	}
	if seen < 8 {
		t.Errorf("%d vectors were used", seen)
	}
}

// Every packet from a tracker is read as what it says, and written as the vector is.
func TestUDPReplyVectors(t *testing.T) {
	seen := 0
	for _, v := range vectors[udpVector](t, "udp-tracker.json") {
		if v.Direction != "in" {
			continue
		}
		seen++
		f, packet := v.Fields, unhex(t, v.Packet)
		r, ok := ParseUDPReply(packet)
		if ok == v.Ignore {
			t.Errorf("%s: taken is %v", v.ID, ok)
		}
		if !ok {
			continue
		}
		if r.Action != f.Action || r.TID != f.TID {
			t.Errorf("%s: read as %+v", v.ID, r)
			continue
		}
		var got []byte
		switch f.Action {
		case ActionConnect:
			if r.ConnectionID() != v.conn(t) {
				t.Errorf("%s: connection id %x", v.ID, r.ConnectionID())
			}
			got = AppendUDPConnected(nil, f.TID, r.ConnectionID())
		case ActionAnnounce:
			a := r.Response(v.Family == "ipv6")
			if a.Interval != time.Duration(f.Interval)*time.Second || a.Leechers != f.Leechers || a.Seeders != f.Seeders ||
				strings.Join(texts(a.Peers), " ") != strings.Join(f.Peers, " ") {
				t.Errorf("%s: read as %+v", v.ID, a)
			}
			var peers []netip.AddrPort
			for _, p := range a.Peers {
				peers = append(peers, p.Addr)
			}
			if got = AppendUDPAnnounced(nil, f.TID, a.Interval, Counts{Seeders: a.Seeders, Leechers: a.Leechers}, peers); v.ID == "announce-response-ragged" {
				got = append(got, 1, 2) // we write whole peers
			}
		case ActionError:
			if r.Failure().Reason != f.Message {
				t.Errorf("%s: %q", v.ID, r.Failure().Reason)
			}
			if got = AppendUDPError(nil, f.TID, f.Message); v.ID == "error" {
				got = append(got, 0) // we do not end texts as C does
			}
		}
		if !bytes.Equal(got, packet) {
			t.Errorf("%s:\n got %x\nwant %x", v.ID, got, packet)
		}
	}
	if seen < 8 {
		t.Errorf("%d vectors were used", seen)
	}
}

// Counts over UDP stand in another order than in an announce (BEP 15).
func TestUDPScrape(t *testing.T) {
	want := []Counts{{Seeders: 7, Leechers: 3, Downloaded: 90, Downloaders: -1}, {Seeders: 0, Leechers: 1, Downloaded: 2, Downloaders: -1}}
	b := AppendUDPScraped(nil, 5, want)
	if got := hex.EncodeToString(b); got != "0000000200000005"+"000000070000005a00000003"+"000000000000000200000001" {
		t.Errorf("written as %s", got)
	}
	r, ok := ParseUDPReply(append(b, 1, 2, 3))
	if got := r.Counts(9); !ok || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("read as %v", got)
	}
	if got := r.Counts(1); len(got) != 1 {
		t.Errorf("%d counts, 1 was asked for", len(got))
	}
}

// The stride of a peer follows the family of the socket, whatever the length suggests:
// 36 bytes are six peers over IPv4 and two over IPv6.
func TestUDPStride(t *testing.T) {
	packet := append(AppendUDPAnnounced(nil, 1, time.Minute, Counts{}, nil), bytes.Repeat([]byte{1, 2, 3, 4, 5, 6}, 6)...)
	r, _ := ParseUDPReply(packet)
	if n := len(r.Response(false).Peers); n != 6 {
		t.Errorf("%d peers over IPv4", n)
	}
	if n := len(r.Response(true).Peers); n != 2 {
		t.Errorf("%d peers over IPv6", n)
	}
}

// What a hostile tracker writes into its numbers.
func TestUDPBounds(t *testing.T) {
	for _, c := range []struct {
		interval  string
		want      time.Duration
		count     string
		wantCount int64
	}{
		{"00000000", 0, "00000000", 0},
		{"7fffffff", MaxInterval, "7fffffff", 1<<31 - 1},
		{"ffffffff", 0, "ffffffff", -1},
		{"80000000", 0, "80000000", -1},
	} {
		packet := unhex(t, "0000000100000001"+c.interval+c.count+c.count)
		r, ok := ParseUDPReply(packet)
		a := r.Response(false)
		if !ok || a.Interval != c.want || a.Seeders != c.wantCount || a.Leechers != c.wantCount {
			t.Errorf("%s: %+v", c.interval, a)
		}
	}
	long := append(AppendUDPAnnounced(nil, 1, time.Minute, Counts{}, nil), bytes.Repeat([]byte{1, 2, 3, 4, 5, 6}, 2*MaxPeers)...)
	if r, _ := ParseUDPReply(long); len(r.Response(false).Peers) != MaxPeers {
		t.Errorf("%d peers", len(r.Response(false).Peers))
	}
	r, _ := ParseUDPReply(AppendUDPError(nil, 1, "\x1b[31m"+strings.Repeat("x", 5000)))
	if text := r.Failure().Reason; strings.ContainsRune(text, 0x1b) || len(text) > maxText+10 {
		t.Errorf("%d letters: %.20q", len(text), text)
	}
}

func TestUDPRequestRefuses(t *testing.T) {
	announce := AppendUDPAnnounce(nil, 1, 2, Params{NumWant: -1}, "")
	for name, b := range map[string][]byte{
		"nothing":                 nil,
		"a short connect":         AppendUDPConnect(nil, 1)[:15],
		"a connect without magic": appendUDPHead(nil, 1, ActionConnect, 1),
		"a short announce":        announce[:97],
		"an option cut short":     append(bytes.Clone(announce), optionURLData, 9, 'x'),
		"an option without size":  append(bytes.Clone(announce), 7),
		"too much URL data":       AppendUDPAnnounce(nil, 1, 2, Params{}, strings.Repeat("x", MaxURL+1)),
		"a scrape of nothing":     AppendUDPScrape(nil, 1, 2, nil),
		"an unknown action":       appendUDPHead(nil, 1, 9, 2),
		"an error":                appendUDPHead(nil, 1, ActionError, 2),
	} {
		if r, err := ParseUDPRequest(b); !errors.Is(err, ErrPacket) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if r, err := ParseUDPRequest(append(bytes.Clone(announce), 99, 1, 'x', optionURLData, 0, optionURLData, 1, '/', optionEnd, 2)); err != nil || r.URLData != "/" {
		t.Errorf("unknown and empty options: %+v, %v", r, err)
	}
	if got := AppendUDPScrape(nil, 1, 2, make([]infohash.Hash, 200)); len(got) != 16+20*MaxUDPHashes {
		t.Errorf("a scrape of %d bytes", len(got))
	}
}

// Whatever comes from a tracker, the bounds hold.
func FuzzParseUDPReply(f *testing.F) {
	f.Add(AppendUDPConnected(nil, 1, 2))
	f.Add(AppendUDPAnnounced(nil, 1, time.Hour, Counts{Seeders: 1}, []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:6881")}))
	f.Add(AppendUDPScraped(nil, 1, []Counts{{Seeders: 1}}))
	f.Add(AppendUDPError(nil, 1, "no\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, ok := ParseUDPReply(b)
		if !ok {
			return
		}
		switch r.Action {
		case ActionConnect:
			r.ConnectionID()
		case ActionAnnounce:
			for _, v6 := range []bool{false, true} {
				a := r.Response(v6)
				if a.Interval < 0 || a.Interval > MaxInterval || len(a.Peers) > MaxPeers || a.Seeders < -1 || a.Leechers < -1 {
					t.Fatalf("%+v", a)
				}
				for _, p := range a.Peers {
					if !connectable(p.Addr) {
						t.Fatalf("peer %v", p.Addr)
					}
				}
			}
		case ActionScrape:
			if got := r.Counts(3); len(got) > 3 {
				t.Fatalf("%d counts", len(got))
			}
		case ActionError:
			if text := r.Failure().Reason; len(text) > 4*maxText+3 {
				t.Fatalf("%d bytes of text", len(text))
			}
		default:
			t.Fatalf("action %d", r.Action)
		}
	})
}

// Whatever comes to a tracker, what is taken has the form that is written.
func FuzzParseUDPRequest(f *testing.F) {
	f.Add(AppendUDPConnect(nil, 1))
	f.Add(AppendUDPAnnounce(nil, 1, 2, Params{Event: Started, NumWant: -1}, "/announce?x"))
	f.Add(AppendUDPScrape(nil, 1, 2, make([]infohash.Hash, 2)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseUDPRequest(b)
		if err != nil {
			return
		}
		var again []byte
		switch r.Action {
		case ActionConnect:
			again = AppendUDPConnect(nil, r.TID)
		case ActionAnnounce:
			again = AppendUDPAnnounce(nil, r.Conn, r.TID, r.Params, r.URLData)
		case ActionScrape:
			again = AppendUDPScrape(nil, r.Conn, r.TID, r.Hashes)
		}
		second, err := ParseUDPRequest(again)
		if err != nil || second.Action != r.Action || second.TID != r.TID || second.URLData != r.URLData || len(second.Hashes) != len(r.Hashes) {
			t.Fatalf("%+v came back as %+v, %v", r, second, err)
		}
	})
}
