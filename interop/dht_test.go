//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

const dhtSize = 8 // nodes, as many as a bucket holds

// A trackerless torrent is found through a DHT of libtorrent nodes: by the
// nodes that the torrent names, and by those on the command line.
func TestGetThroughDHTOfLibtorrent(t *testing.T) {
	p := theBig(t)
	dht, conf := make([]netip.AddrPort, dhtSize), make([]ltSession, dhtSize)
	for i := range dht {
		dht[i] = newAddr()
		conf[i] = ltSession{Listen: dht[i].String(), DHT: true}
		if i > 0 {
			conf[i].DHTNodes = strs(dht[:1])
		}
	}
	nodes := libtorrent{}.run(t, conf...)
	nodes.until(t, "the nodes know each other", func() bool {
		return nodes.stats(t, 0).number("nodes") >= dhtSize-1 && nodes.stats(t, dhtSize-1).number("nodes") >= dhtSize/2
	})

	// One torrent names a node, made by shoal; the other names none.
	named, unnamed := filepath.Join(t.TempDir(), "named.torrent"), filepath.Join(t.TempDir(), "unnamed.torrent")
	shoalClient{}.create(t, p, named, "--node", dht[5].String(), "--comment", "named")
	unnamedHash := libtorrent{}.create(t, p, unnamed, 512<<10, netip.AddrPort{})

	// The seeds stay: a node that leaves is asked in vain by the others for a while.
	seeds := map[string]netip.AddrPort{named: newAddr(), unnamed: newAddr()}
	for torrent, addr := range seeds {
		seedOf(t, libtorrent{}, p, job{torrent: torrent, listen: addr, dht: true, dhtNodes: dht[2:3]})
		awaitAnnounced(t, nodes, addr)
	}
	for torrent, entry := range map[string][]netip.AddrPort{named: nil, unnamed: dht[6:7]} {
		t.Run(strings.TrimSuffix(filepath.Base(torrent), ".torrent"), func(t *testing.T) {
			dir := t.TempDir()
			shoalClient{}.get(t, job{torrent: torrent, dir: dir, listen: newAddr(), dht: true, dhtNodes: entry}).complete(t)
			p.arrived(t, dir, false)
		})
	}

	t.Run("shoal asks", func(t *testing.T) {
		ask := func(args ...string) *process {
			p := start(t, "shoal dht", shoal, append([]string{"dht", "--json", "--listen", newAddr().String()}, args...)...)
			if code := p.exit(t); code != 0 {
				t.Fatalf("%v: exit code %d", args, code)
			}
			return p
		}
		if e := ask("ping", dht[4].String()).await(t, "complete"); e["addr"] != dht[4].String() {
			t.Errorf("ping %v was answered by %v", dht[4], e["addr"])
		}
		if e := ask("find-node", unnamedHash, "--dht-node", dht[5].String()).await(t, "complete"); e.number("found") != dhtSize {
			t.Errorf("find-node found %d nodes, want the %d closest", e.number("found"), dhtSize)
		}
		ask("get-peers", unnamedHash, "--dht-node", dht[6].String()).awaitFrom(t, 0, "finds the seed", func(e event) bool {
			return e.is("peer") && e["addr"] == seeds[unnamed].String()
		})
	})

	// The other way: shoal seeds and announces itself, libtorrent finds it.
	t.Run("shoal is found", func(t *testing.T) {
		torrent := filepath.Join(t.TempDir(), "seeded.torrent")
		libtorrent{}.create(t, p, torrent, 2<<20, dht[1])
		seed := newAddr()
		seedOf(t, shoalClient{}, p, job{torrent: torrent, listen: seed, dht: true})
		awaitAnnounced(t, nodes, seed)
		dir := t.TempDir()
		libtorrent{}.get(t, job{torrent: torrent, dir: dir, listen: newAddr(), dht: true, dhtNodes: dht[4:5]}).complete(t)
		p.arrived(t, dir, false)
	})
}

// awaitAnnounced waits until some node has stored the announce of a peer.
func awaitAnnounced(t *testing.T, nodes ltPeer, by netip.AddrPort) {
	t.Helper()
	nodes.awaitFrom(t, 0, fmt.Sprintf("told that %v has the torrent", by), func(e event) bool {
		return e.is("announced") && e["by"] == by.String()
	})
}

// The DHT is made of shoal nodes alone: each is a seed of some small torrent,
// and all but the first were told only of the first. Other clients bootstrap
// from any of them, announce to them, and find each other and shoal.
func TestDHTOfShoal(t *testing.T) {
	p := theBig(t)
	dht := make([]netip.AddrPort, dhtSize)
	for i := range dht {
		dht[i] = newAddr()
		small, err := makePayload(fmt.Sprintf("node %d", i), map[string]int64{fmt.Sprint(i): 40000})
		if err != nil {
			t.Fatal(err)
		}
		torrent := filepath.Join(t.TempDir(), "small.torrent")
		shoalClient{}.create(t, small, torrent)
		seedOf(t, shoalClient{}, small, job{torrent: torrent, listen: dht[i], dht: true, dhtNodes: dht[:min(i, 1)]})
	}

	t.Run("libtorrent finds libtorrent", func(t *testing.T) {
		torrent := filepath.Join(t.TempDir(), "a.torrent")
		libtorrent{}.create(t, p, torrent, 256<<10, netip.AddrPort{})
		throughDHT(t, p, torrent, libtorrent{}, libtorrent{}, dht[3], dht[6])
	})
	t.Run("libtorrent finds shoal", func(t *testing.T) {
		torrent := filepath.Join(t.TempDir(), "b.torrent")
		shoalClient{}.create(t, p, torrent, "--node", dht[2].String(), "--piece-length", "512KiB")
		throughDHT(t, p, torrent, shoalClient{}, libtorrent{}, netip.AddrPort{}, dht[7])
	})
	t.Run("shoal finds libtorrent", func(t *testing.T) {
		torrent := filepath.Join(t.TempDir(), "c.torrent")
		libtorrent{}.create(t, p, torrent, 4<<20, dht[1])
		throughDHT(t, p, torrent, libtorrent{}, shoalClient{}, dht[4], netip.AddrPort{})
	})
	t.Run("aria2 finds shoal", func(t *testing.T) {
		torrent := filepath.Join(t.TempDir(), "d.torrent")
		shoalClient{}.create(t, p, torrent, "--piece-length", "1MiB")
		throughDHT(t, p, torrent, shoalClient{}, aria2{}, dht[0], dht[5])
	})
}

// throughDHT lets one client seed and another download; each enters the DHT by
// a node of its own, or by those that the torrent names.
func throughDHT(t *testing.T, p *payload, torrent string, from, to client, seedEntry, getEntry netip.AddrPort) {
	t.Helper()
	entry := func(a netip.AddrPort) []netip.AddrPort {
		if !a.IsValid() {
			return nil
		}
		return []netip.AddrPort{a}
	}
	seedOf(t, from, p, job{torrent: torrent, listen: newAddr(), dht: true, dhtNodes: entry(seedEntry)})
	dir := t.TempDir()
	to.get(t, job{torrent: torrent, dir: dir, listen: newAddr(), dht: true, dhtNodes: entry(getEntry)}).complete(t)
	p.arrived(t, dir, lax(to))
}
