package tracker

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"shoal/internal/value/infohash"
)

// What a client writes, a tracker reads.
func TestParseQuery(t *testing.T) {
	want := Params{
		InfoHash: infohash.Hash([]byte("\x00\xff +&=%~aaaaaaaaaaaa")), PeerID: [20]byte([]byte("-SO0001-abcdefghij+/")),
		Port: 6881, Uploaded: 1, Downloaded: 2, Left: 3, Event: Paused, NumWant: 7, Key: 0xdeadbeef,
	}
	got, err := ParseQuery(string(AppendQuery([]byte("passkey=x&"), want)))
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	// As some write it: + as it is, lower-case digits, nothing but what is needed.
	got, err = ParseQuery("info_hash=%00%ff%20+%26%3d%25~aaaaaaaaaaaa&peer_id=-SO0001-abcdefghij+/&port=6881&key=none&event=empty&ip=10.0.0.1")
	want = Params{InfoHash: want.InfoHash, PeerID: want.PeerID, Port: 6881, Left: 1, NumWant: -1}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	const whole = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=aaaaaaaaaaaaaaaaaaaa&port=1"
	for query, text := range map[string]string{
		"":                                       "info_hash",
		strings.Replace(whole, "a", "", 1):       "info_hash",
		strings.Replace(whole, "port=1", "", 1):  "port",
		whole + "&port=0":                        "port",
		whole + "&port=65536":                    "port",
		whole + "&left=x":                        "left",
		whole + "&uploaded=99999999999999999999": "uploaded",
		whole + "&numwant=":                      "numwant",
		whole + "&peer_id=short":                 "peer_id",
		whole + "&x=%zz":                         "query",
	} {
		if p, err := ParseQuery(query); !errors.Is(err, ErrQuery) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %+v, %v", query, p, err)
		}
	}
}

func TestParseScrapeQuery(t *testing.T) {
	hashes := []infohash.Hash{{1}, {2, 3}}
	url := ScrapeQuery("http://t.example/scrape?k", hashes)
	_, query, _ := strings.Cut(url, "?")
	got, err := ParseScrapeQuery(query)
	if err != nil || len(got) != 2 || got[0] != hashes[0] || got[1] != hashes[1] {
		t.Errorf("%v, %v", got, err)
	}
	const one = "info_hash=aaaaaaaaaaaaaaaaaaaa&"
	for _, query := range []string{"", "x=y", "info_hash=a", strings.Repeat(one, MaxUDPHashes+1)} {
		if got, err := ParseScrapeQuery(query); !errors.Is(err, ErrQuery) {
			t.Errorf("%.40s: %v, %v", query, got, err)
		}
	}
}

// What a tracker writes, a client reads.
func TestAppendReplies(t *testing.T) {
	peers := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:6881"), netip.MustParseAddrPort("[2001:db8::1]:6881")}
	me := netip.MustParseAddr("::ffff:198.51.100.7")
	b := AppendResponse(nil, 30*time.Minute, Counts{Seeders: 4, Leechers: 5}, peers, me)
	r, err := ParseResponse(b)
	if err != nil || r.Interval != 30*time.Minute || r.Seeders != 4 || r.Leechers != 5 || r.ExternalIP != me.Unmap() ||
		strings.Join(texts(r.Peers), " ") != "192.0.2.1:6881 [2001:db8::1]:6881" {
		t.Errorf("%q: %+v, %v", b, r, err)
	}
	if b := AppendResponse(nil, time.Minute, Counts{}, nil, me); !strings.Contains(string(b), "5:peers0:") {
		t.Errorf("a reply without peers: %q", b)
	}
	hashes := []infohash.Hash{{1}, {2}}
	counts := []Counts{{1, 2, 3, 4}, {5, 6, 7, 8}}
	got, err := ParseScrape(AppendScrape(nil, hashes, counts), hashes)
	if err != nil || got[hashes[0]] != counts[0] || got[hashes[1]] != counts[1] {
		t.Errorf("%v, %v", got, err)
	}
	var failure *FailureError
	if _, err := ParseResponse(AppendFailure(nil, "no")); !errors.As(err, &failure) || failure.Reason != "no" {
		t.Errorf("%v", err)
	}
}

// Whatever is asked, what is taken can be asked again in our own words.
func FuzzParseQuery(f *testing.F) {
	f.Add(string(AppendQuery(nil, Params{Port: 1, Event: Started, NumWant: 5})))
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := ParseQuery(raw)
		if err != nil {
			if !errors.Is(err, ErrQuery) {
				t.Fatal(err)
			}
			return
		}
		p.Uploaded, p.Downloaded, p.Left = max(p.Uploaded, 0), max(p.Downloaded, 0), max(p.Left, 0)
		p.NumWant = max(p.NumWant, -1)
		if again, err := ParseQuery(string(AppendQuery(nil, p))); err != nil || again != p {
			t.Fatalf("%+v came back as %+v, %v", p, again, err)
		}
	})
}
