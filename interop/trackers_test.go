//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// small is a torrent that arrives at once: here it is about who finds whom.
func small(t *testing.T) *payload {
	t.Helper()
	p, err := makePayload("tracked", map[string]int64{"a": 3<<20 + 1, "b/c": 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// loopback gives an address of 127.0.0.1, or of ::1, with a port that nobody else has.
func loopback(v6 bool) netip.AddrPort {
	a := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if v6 {
		a = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(a, newAddr().Port())
}

// announceURL is where a tracker at an address is announced to.
func announceURL(scheme string, at netip.AddrPort) string {
	return scheme + "://" + at.String() + "/announce"
}

// shoalTracker starts shoal tracker and waits until it is up.
func shoalTracker(t *testing.T, at netip.AddrPort, sources ...string) *process {
	t.Helper()
	p := start(t, "shoal tracker", shoal, append([]string{"tracker", "--listen", at.String(), "--interval", "1m", "--json"}, sources...)...)
	p.await(t, "up")
	return p
}

// opentracker starts opentracker, which serves the torrents of a list alone.
func opentracker(t *testing.T, at netip.AddrPort, hashes ...string) {
	t.Helper()
	dir := t.TempDir()
	list := ""
	for _, h := range hashes {
		list += h + "\n"
	}
	// It makes the folder its root and gives up being root before it reads the list.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "list"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(at.Port())
	p := start(t, "opentracker", "opentracker", "-i", at.Addr().String(), "-p", port, "-P", port, "-d", dir, "-w", "list")
	p.until(t, "listening", func() bool { return listening("tcp", at) && listening("udp", at) })
}

// awaitCounts asks a tracker until it knows so many seeds and leechers of a torrent.
func awaitCounts(t *testing.T, torrent string, seeds, leechers int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("the tracker knows %d seeds and %d leechers", seeds, leechers), func() bool {
		time.Sleep(100 * time.Millisecond) // each look is a program
		p := start(t, "shoal scrape", shoal, "scrape", torrent, "--json")
		p.exit(t)
		if e, _ := p.find(0, func(e event) bool { return e.is("scraped") }); e != nil {
			return e.number("seeds") == seeds && e.number("leechers") == leechers
		}
		e, _ := p.find(0, func(e event) bool { return e.is("complete") })
		return e != nil && seeds+leechers == 0 // a torrent without peers may not be known
	})
}

// meet has one client seed and another get a torrent, which find each other at a tracker
// and by nothing else. Of the clients shoal alone is known to say that it stops.
func meet(t *testing.T, p *payload, scheme string, at netip.AddrPort, tracker func(t *testing.T, torrent string), from, to client) {
	t.Helper()
	torrent := filepath.Join(t.TempDir(), "tracked.torrent")
	shoalClient{}.create(t, p, torrent, "--tracker", announceURL(scheme, at))
	tracker(t, torrent)
	// aria2 asks UDP trackers by the socket of its DHT.
	jobOf := func(c client, dir string) job {
		return job{torrent: torrent, dir: dir, listen: loopback(at.Addr().Is6()), dht: scheme == "udp" && c == aria2{}}
	}
	dir := t.TempDir()
	var get, seed peer
	if to == (transmission{}) {
		// It does not dial loopback addresses that a tracker names: the seed is told of it.
		get = to.get(t, jobOf(to, dir))
		awaitCounts(t, torrent, 0, 1)
		seed = seedOf(t, from, p, jobOf(from, ""))
	} else {
		seedJob := jobOf(from, "")
		seed = seedOf(t, from, p, seedJob)
		awaitCounts(t, torrent, 1, 0)
		look := start(t, "shoal announce", shoal, "announce", torrent, "--listen", loopback(at.Addr().Is6()).String(), "--json")
		look.awaitFrom(t, 0, "finds the seed", func(e event) bool { return e.is("peer") && e["addr"] == seedJob.listen.String() })
		look.exit(t)
		awaitCounts(t, torrent, 1, 0)
		get = to.get(t, jobOf(to, dir))
	}
	get.complete(t)
	p.arrived(t, dir, lax(from) || lax(to))
	if to == (shoalClient{}) {
		awaitCounts(t, torrent, 1, 0)
		seed.stop()
	}
	if from == (shoalClient{}) && to == (shoalClient{}) {
		awaitCounts(t, torrent, 0, 0)
	}
}

// Peers meet at opentracker, over HTTP and over UDP; shoal scrape and shoal announce see
// them, and shoal is gone from there when it has stopped.
func TestOpentracker(t *testing.T) {
	p := small(t)
	for _, scheme := range []string{"http", "udp"} {
		for _, pair := range [][2]client{{libtorrent{}, shoalClient{}}, {shoalClient{}, libtorrent{}}, {shoalClient{}, shoalClient{}}} {
			t.Run(fmt.Sprintf("%s %v to %v", scheme, pair[0], pair[1]), func(t *testing.T) {
				at := loopback(false)
				meet(t, p, scheme, at, func(t *testing.T, torrent string) {
					show := start(t, "shoal show", shoal, "show", torrent, "--json")
					opentracker(t, at, fmt.Sprint(show.await(t, "complete")["info_hash"]))
				}, pair[0], pair[1])
			})
		}
	}
}

// Other people's clients and shoal meet at our tracker, over HTTP and over UDP, in both
// directions; none is refused anything.
func TestTrackerOfShoal(t *testing.T) {
	p := small(t)
	for _, scheme := range []string{"http", "udp"} {
		for _, c := range clients {
			for _, pair := range [][2]client{{c, shoalClient{}}, {shoalClient{}, c}} {
				t.Run(fmt.Sprintf("%s %v to %v", scheme, pair[0], pair[1]), func(t *testing.T) {
					at := loopback(false)
					var tr *process
					meet(t, p, scheme, at, func(t *testing.T, torrent string) { tr = shoalTracker(t, at, torrent) }, pair[0], pair[1])
					tr.stop()
					if e := tr.await(t, "complete"); e.number("refused") != 0 || e.number("dropped") != 0 {
						t.Errorf("the tracker refused %d and dropped %d questions", e.number("refused"), e.number("dropped"))
					}
				})
			}
		}
	}
}

// Where there is IPv6 alone: tracker, seed and download are at ::1.
func TestTrackerOverIPv6(t *testing.T) {
	p := small(t)
	for _, scheme := range []string{"http", "udp"} {
		for _, pair := range [][2]client{{shoalClient{}, shoalClient{}}, {shoalClient{}, libtorrent{}}, {libtorrent{}, shoalClient{}}} {
			t.Run(fmt.Sprintf("%s %v to %v", scheme, pair[0], pair[1]), func(t *testing.T) {
				at := loopback(true)
				meet(t, p, scheme, at, func(t *testing.T, torrent string) { shoalTracker(t, at) }, pair[0], pair[1])
			})
		}
	}
}
