package trackerclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"shoal/internal/format/tracker"
	"shoal/internal/value/infohash"
)

// A hundred torrents are asked for in as many questions as it takes; what the tracker
// does not know is missing.
func TestScrape(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		var hashes []infohash.Hash
		for i := range 100 {
			hashes = append(hashes, infohash.Hash{0: 0xff, 19: byte(i)})
		}
		w.serve(public, 80, func(c net.Conn, r *http.Request) {
			var b strings.Builder
			for _, h := range r.URL.Query()["info_hash"] {
				if h[19] != 7 {
					fmt.Fprintf(&b, "20:%sd8:completei%dee", h, h[19])
				}
			}
			ok("d5:filesd"+b.String()+"ee")(c, r)
		})
		got, err := w.client.Scrape(context.Background(), "http://tracker.example/announce?key=1", hashes)
		if err != nil || len(got) != 99 || got[hashes[42]].Seeders != 42 || got[hashes[42]].Leechers != -1 {
			t.Errorf("%d counts, %v", len(got), err)
		}
		if len(w.log) != 3 || !strings.HasPrefix(w.log[0], "tracker.example /scrape?key=1&info_hash=%FF%00") {
			t.Errorf("it was asked %.80q", w.log)
		}
		u := w.udp(at4)
		if got, err = w.client.Scrape(context.Background(), "udp://tracker.example:6969", hashes); err != nil || len(got) != 100 {
			t.Errorf("%d counts, %v", len(got), err)
		}
		u.check(t, "connect 0s", "scrape 0s", "scrape 0s")
	})
}

func TestScrapeFailures(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.serve(public, 80, ok("d14:failure reason2:noe"))
		hashes := []infohash.Hash{{}}
		_, err := w.client.Scrape(context.Background(), "http://tracker.example/announce/secret", hashes)
		if !errors.Is(err, ErrNoScrape) || err.Error() != "scrape tracker.example: read the announce URL: "+ErrNoScrape.Error() {
			t.Errorf("got %v", err)
		}
		_, err = w.client.Scrape(context.Background(), "http://tracker.example/announce", hashes)
		var failure *tracker.FailureError
		if !errors.As(err, &failure) || err.Error() != "scrape tracker.example: read the reply: the tracker said: no" {
			t.Errorf("got %v", err)
		}
	})
}
