package trackerclient

import (
	"bytes"
	"strings"
	"testing"

	"shoal/internal/format/tracker"
)

// Whatever URL a torrent or a redirect gives, the request has the lines it should
// have and no others.
func FuzzTarget(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw, location string) {
		to, err := parseTarget(raw)
		if err != nil {
			return
		}
		check := func(to target) {
			c := &Client{UserAgent: "shoal"}
			lines := strings.Split(string(c.request(to, nil, false)), "\r\n")
			want := 8 // request, Host, User-Agent, Accept, Accept-Encoding, Connection, the end
			if to.user != nil {
				want++
			}
			if len(lines) != want || strings.Count(lines[0], " ") != 2 || strings.ContainsAny(lines[0], "\r\n\x00") {
				t.Fatalf("%q\n%q", raw, lines)
			}
			if to.port == 0 || to.host == "" || !strings.HasPrefix(to.path, "/") {
				t.Fatalf("%q: %+v", raw, to)
			}
		}
		check(to)
		if next, err := to.redirect(location); err == nil {
			check(next)
			if next.user != nil && (next.host != to.host && !strings.EqualFold(next.host, to.host) || next.port != to.port || next.secure != to.secure) {
				t.Fatalf("credentials of %q go to %q", raw, location)
			}
		}
	})
}

// Whatever a tracker sends, the reply keeps its bounds.
func FuzzReply(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := read(bytes.NewReader(b), nil)
		if err == nil && (len(r.body) > tracker.MaxBody || len(r.location) > tracker.MaxURL) {
			t.Fatalf("%d bytes, location of %d", len(r.body), len(r.location))
		}
		if err != nil && len(err.Error()) > 2000 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
	})
}
