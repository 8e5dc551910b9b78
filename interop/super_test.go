//go:build interop

package interop

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Five libtorrents arrive together at a slow super-seed (BEP 16): what it sends is hardly
// more than one copy, since they give each other the rest.
func TestSuperSeedAmongLibtorrents(t *testing.T) {
	p, err := makePayload("dealt", map[string]int64{"a": 12<<20 + 1, "b/c": 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	torrent := filepath.Join(t.TempDir(), "dealt.torrent")
	shoalClient{}.create(t, p, torrent, "--piece-length", "64KiB")
	dir, at, record := t.TempDir(), newAddr(), filepath.Join(t.TempDir(), "trace")
	p.copyTo(t, dir)
	seed := shoalClient{}.run(t, "seed", job{torrent: torrent, dir: dir, listen: at},
		"--super-seed", "always", "--limit-up", "2MiB", "--trace", record)
	seed.await(t, "up")

	const crowd = 5
	var sessions []ltSession
	var dirs []string
	known := []netip.AddrPort{at}
	for range crowd {
		j := job{torrent: torrent, dir: t.TempDir(), listen: newAddr(), peers: known}
		sessions = append(sessions, ltSessionOf(j, 8<<20))
		dirs, known = append(dirs, j.dir), append(known, j.listen)
	}
	leechers := libtorrent{}.run(t, sessions...)
	for i := range crowd {
		leechers.awaitFrom(t, 0, "complete", func(e event) bool {
			return e.is("complete") && e.number("session") == int64(i)
		})
	}
	leechers.stop()
	seed.stop()
	for _, dir := range dirs {
		p.arrived(t, dir, false)
	}
	sent := int64(0)
	if e, i := seed.find(0, func(e event) bool { return e.is("complete") }); i >= 0 {
		sent = e.number("uploaded")
	}
	if sent < p.size || sent > p.size*3/2 {
		t.Errorf("the seed sent %.2f copies to %d leechers", float64(sent)/float64(p.size), crowd)
	} else {
		t.Logf("the seed sent %.2f copies to %d leechers", float64(sent)/float64(p.size), crowd)
	}
	// And all of it in the words of the fast extension (BEP 6): to nobody was it said at once what it has.
	said := messages(t, record)
	if said["sent have none"] < crowd || said["received have none"] < crowd {
		t.Errorf("said: %v", said)
	}
	if n := said["sent bitfield"] + said["sent have all"]; n > 0 {
		t.Errorf("%d were told at once what the seed has: %v", n, said)
	}
}

// messages counts those of the peer protocol in a trace, by their way and name.
func messages(t *testing.T, record string) map[string]int {
	t.Helper()
	b, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	said := make(map[string]int)
	for line := range strings.Lines(string(b)) {
		var r struct{ Proto, Way, What string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if r.Proto == "peer" {
			said[r.Way+" "+r.What]++
		}
	}
	return said
}
