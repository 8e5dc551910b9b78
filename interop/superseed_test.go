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

// Four clients of libtorrent get a torrent from shoal that super-seeds: none of them ever sees a
// seed, and they have most of it from each other.
func TestSuperSeed(t *testing.T) {
	p, err := makePayload("dealt", map[string]int64{"a": 12<<20 + 1, "b/c": 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	torrent := filepath.Join(t.TempDir(), "dealt.torrent")
	libtorrent{}.create(t, p, torrent, 64<<10, netip.AddrPort{})
	seed := job{torrent: torrent, dir: t.TempDir(), listen: newAddr()}
	p.copyTo(t, seed.dir)
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	s := shoalClient{}.run(t, "seed", seed, "--super-seed", "always", "--limit-up", "2MiB", "--trace", trace)
	s.await(t, "up")

	// Each leecher dials those before it, and all of them the seed.
	var sessions []ltSession
	var before []netip.AddrPort
	var dirs []string
	for range 4 {
		j := job{torrent: torrent, dir: t.TempDir(), listen: newAddr(), peers: append([]netip.AddrPort{seed.listen}, before...)}
		before = append(before, j.listen)
		dirs = append(dirs, j.dir)
		sessions = append(sessions, ltSessionOf(j, 0))
	}
	l := libtorrent{}.run(t, sessions...)
	var given int64
	for i := range sessions {
		l.awaitFrom(t, 0, "complete", func(e event) bool {
			return e.is("complete") && e.number("session") == int64(i)
		})
		given += l.stats(t, i).number("uploaded")
	}
	for _, dir := range dirs {
		p.arrived(t, dir, false)
	}
	s.stop()
	size := int64(16<<20 + 1)
	sent, told := int64(0), map[string]int{}
	for _, r := range records(t, trace) {
		if r.Way != "sent" {
			continue
		}
		told[r.What]++
		if r.What == "piece" {
			sent += r.N
		}
	}
	t.Logf("the seed sent %.2f copies, the others %.2f; it said %v", float64(sent)/float64(size), float64(given)/float64(size), told)
	// One copy has to leave; at the end, when each piece is with somebody, it serves like any seed.
	if sent > size*3/2 || given < 2*size {
		t.Error("the seed sent more than was needed")
	}
	if told["bitfield"]+told["have all"] != 0 {
		t.Error("it showed itself as a seed")
	}
}

// The fast extension with libtorrent, both ways: what is said instead of
// bitfields is understood.
func TestFastExtension(t *testing.T) {
	p, err := makePayload("fast", map[string]int64{"a": 8<<20 + 1})
	if err != nil {
		t.Fatal(err)
	}
	torrent := filepath.Join(t.TempDir(), "fast.torrent")
	libtorrent{}.create(t, p, torrent, 64<<10, netip.AddrPort{})
	traces := [2]string{filepath.Join(t.TempDir(), "get.jsonl"), filepath.Join(t.TempDir(), "seed.jsonl")}

	at := newAddr()
	lt := seedOf(t, libtorrent{}, p, job{torrent: torrent, listen: at})
	get := job{torrent: torrent, dir: t.TempDir(), listen: newAddr(), peers: []netip.AddrPort{at}}
	shoalClient{}.run(t, "get", get, "--trace", traces[0]).complete(t)
	p.arrived(t, get.dir, false)
	lt.stop()

	seed := job{torrent: torrent, dir: t.TempDir(), listen: newAddr()}
	p.copyTo(t, seed.dir)
	s := shoalClient{}.run(t, "seed", seed, "--trace", traces[1])
	s.await(t, "up")
	there := job{torrent: torrent, dir: t.TempDir(), listen: newAddr(), peers: []netip.AddrPort{seed.listen}}
	libtorrent{}.get(t, there).complete(t)
	p.arrived(t, there.dir, false)
	s.stop()

	for i, want := range [][]string{
		{"sent have none", "received have all"},
		{"sent have all", "received have none"},
	} {
		seen := map[string]int{}
		for _, r := range records(t, traces[i]) {
			seen[r.Way+" "+r.What]++
		}
		for _, w := range want {
			if seen[w] == 0 {
				t.Errorf("nobody has %s: %v", w, seen)
			}
		}
	}
}

// record is a line of a trace.
type record struct {
	Way, What, Why string
	N              int64
}

func records(t *testing.T, path string) (all []record) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}
