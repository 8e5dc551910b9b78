package tracker

import (
	"encoding/hex"
	"errors"
	"maps"
	"strings"
	"testing"

	"shoal/bencode"
	"shoal/internal/value/infohash"
)

func TestScrapeURL(t *testing.T) {
	for announce, want := range map[string]string{
		"http://t.example/announce":             "http://t.example/scrape",
		"http://t.example/x/announce":           "http://t.example/x/scrape",
		"http://t.example/announce.php":         "http://t.example/scrape.php",
		"https://t.example/announce?x2%0644":    "https://t.example/scrape?x2%0644",
		"http://t.example/announce?x=announce/": "http://t.example/scrape?x=announce/",
		"http://t.example/announce#here":        "http://t.example/scrape",
		"http://t.example/scrape?x":             "http://t.example/scrape?x",
		"udp://t.example:80/a?b":                "udp://t.example:80/a?b",
		"udp://t.example:80":                    "udp://t.example:80",
		"http://t.example/a":                    "",
		"http://t.example/announce/k":           "",
		"http://t.example/x%064announce":        "",
		"http://t.example":                      "",
		"http://announce":                       "",
		"wss://t.example/announce":              "",
	} {
		if got, ok := ScrapeURL(announce); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", announce, got, ok, want)
		}
	}
}

func TestScrapeQuery(t *testing.T) {
	a, b := infohash.Hash([]byte("aaaaaaaaaaaaaaaaaaa ")), infohash.Hash([]byte("bbbbbbbbbbbbbbbbbbbb"))
	const query = "info_hash=aaaaaaaaaaaaaaaaaaa%20&info_hash=bbbbbbbbbbbbbbbbbbbb"
	for url, want := range map[string]string{
		"http://t.example/scrape":   "http://t.example/scrape?" + query,
		"http://t.example/scrape?k": "http://t.example/scrape?k&" + query,
		"http://t.example/scrape?":  "http://t.example/scrape?" + query,
	} {
		if got := ScrapeQuery(url, []infohash.Hash{a, b}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := ScrapeQuery("http://t.example/scrape", make([]infohash.Hash, 100)); strings.Count(got, "info_hash=") != MaxHTTPHashes {
		t.Errorf("%d bytes", len(got))
	}
}

func TestScrapeVector(t *testing.T) {
	type vector struct {
		ID       string
		Body     string `json:"body_hex"`
		Expected struct {
			Files map[string][3]int64 // complete, downloaded, incomplete
		}
	}
	for _, v := range vectors[vector](t, "http-tracker.json") {
		if v.ID != "scrape" {
			continue
		}
		want := map[infohash.Hash]Counts{}
		hashes := []infohash.Hash{{1, 2, 3}}
		for text, n := range v.Expected.Files {
			b, _ := hex.DecodeString(text)
			hashes = append(hashes, infohash.Hash(b))
			want[infohash.Hash(b)] = Counts{Seeders: n[0], Downloaded: n[1], Leechers: n[2], Downloaders: -1}
		}
		got, err := ParseScrape(unhex(t, v.Body), hashes)
		if err != nil || len(want) != 2 || !maps.Equal(got, want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
		if got, err := ParseScrape(unhex(t, v.Body), hashes[:1]); err != nil || len(got) != 0 {
			t.Errorf("of what was not asked for: %v, %v", got, err)
		}
		return
	}
	t.Error("no vector")
}

func TestScrapeReplies(t *testing.T) {
	h := infohash.Hash([]byte("aaaaaaaaaaaaaaaaaaaa"))
	ask := []infohash.Hash{h}
	got, err := ParseScrape([]byte("d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei-1e11:downloadersi7e10:incomplete1:xeee<!-- -->"), ask)
	if want := (Counts{-1, -1, -1, 7}); err != nil || got[h] != want {
		t.Errorf("%v, %v", got, err)
	}
	var failure *FailureError
	if _, err := ParseScrape([]byte("d14:failure reason2:noe"), ask); !errors.As(err, &failure) {
		t.Errorf("got %v", err)
	}
	for body, want := range map[string]error{
		"": ErrEmpty, "le": ErrMalformed, "d5:filesi1ee": ErrMalformed, "de": ErrMalformed, "<html>": bencode.ErrSyntax,
		"d1:x3000000:" + strings.Repeat("x", 3_000_000) + "e":                          ErrTooLong,
		"d5:files" + strings.Repeat("d1:x", 50) + "le" + strings.Repeat("e", 50) + "e": bencode.ErrDepth,
	} {
		if _, err := ParseScrape([]byte(body), ask); !errors.Is(err, want) {
			t.Errorf("%.20q: %v, want %v", body, err, want)
		}
	}
}

// Whatever comes, nothing but what was asked for comes out of it.
func FuzzParseScrape(f *testing.F) {
	f.Add([]byte("d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1eeee"))
	h := infohash.Hash([]byte("aaaaaaaaaaaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseScrape(b, []infohash.Hash{h})
		if err == nil && (len(got) > 1 || got[h].Seeders < -1) {
			t.Fatalf("%v", got)
		}
	})
}
