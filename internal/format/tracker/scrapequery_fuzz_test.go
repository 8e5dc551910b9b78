package tracker

import (
	"errors"
	"testing"

	"shoal/internal/value/infohash"
)

// Whatever is asked, an error is one for the sender, and hashes are asked again as they came.
func FuzzParseScrapeQuery(f *testing.F) {
	f.Add("info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=%00%01bbbbbbbbbbbbbbbbbb&passkey=x")
	f.Add("info_hash=short")
	f.Fuzz(func(t *testing.T, raw string) {
		hashes, err := ParseScrapeQuery(raw)
		if err != nil {
			if !errors.Is(err, ErrQuery) {
				t.Fatal(err)
			}
			return
		}
		query := ""
		for _, h := range hashes {
			query += "&info_hash="
			for _, b := range h {
				query += "%" + string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15])
			}
		}
		again, err := ParseScrapeQuery(query)
		if len(hashes) > 0 && (err != nil || !equal(again, hashes)) {
			t.Fatalf("%v came back as %v, %v", hashes, again, err)
		}
	})
}

func equal(a, b []infohash.Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
