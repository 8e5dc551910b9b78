//go:build interop

package interop

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"
)

// The DHT of IPv6, made of libtorrent nodes on ::1: shoal finds a seed there and is found,
// over IPv6 alone, and as a node that is in both DHTs.
func TestDHTOverIPv6(t *testing.T) {
	p := theBig(t)
	dht, conf := make([]netip.AddrPort, dhtSize), make([]ltSession, dhtSize)
	for i := range dht {
		dht[i] = newAddr6()
		conf[i] = ltSession{Listen: dht[i].String(), DHT: true}
		if i > 0 {
			conf[i].DHTNodes = strs(dht[:1])
		}
	}
	nodes := libtorrent{}.run(t, conf...)
	nodes.until(t, "the nodes know each other", func() bool {
		return nodes.stats(t, 0).number("nodes") >= dhtSize-1 && nodes.stats(t, dhtSize-1).number("nodes") >= dhtSize/2
	})

	t.Run("shoal finds libtorrent", func(t *testing.T) {
		torrent := filepath.Join(t.TempDir(), "a.torrent")
		libtorrent{}.create(t, p, torrent, 512<<10, netip.AddrPort{})
		seed := newAddr6()
		seedOf(t, libtorrent{}, p, job{torrent: torrent, listen: seed, dht: true, dhtNodes: dht[2:3]})
		awaitAnnounced(t, nodes, seed)
		dir := t.TempDir()
		shoalClient{}.get(t, job{torrent: torrent, dir: dir, listen: newAddr6(), dht: true, dhtNodes: dht[5:6]}).complete(t)
		p.arrived(t, dir, false)
	})
	t.Run("libtorrent finds shoal", func(t *testing.T) {
		torrent := filepath.Join(t.TempDir(), "b.torrent")
		shoalClient{}.create(t, p, torrent, "--piece-length", "512KiB")
		seed := newAddr6()
		seedOf(t, shoalClient{}, p, job{torrent: torrent, listen: seed, dht: true, dhtNodes: dht[3:4]})
		awaitAnnounced(t, nodes, seed)
		dir := t.TempDir()
		libtorrent{}.get(t, job{torrent: torrent, dir: dir, listen: newAddr6(), dht: true, dhtNodes: dht[6:7]}).complete(t)
		p.arrived(t, dir, false)
	})
	// One engine in both DHTs: whoever speaks one family alone finds it in that one.
	t.Run("both families", func(t *testing.T) {
		torrent := filepath.Join(t.TempDir(), "c.torrent")
		shoalClient{}.create(t, p, torrent, "--piece-length", "512KiB")
		four, six, entry := newAddr(), newAddr6(), newAddr()
		libtorrent{}.run(t, ltSession{Listen: entry.String(), DHT: true})
		dir := t.TempDir()
		p.copyTo(t, dir)
		shoalClient{}.run(t, "seed", job{
			torrent: torrent, dir: dir, listen: four, dht: true, dhtNodes: []netip.AddrPort{entry, dht[4]},
		}, "--listen", six.String()).await(t, "up")
		for _, c := range []struct{ listen, way netip.AddrPort }{{newAddr(), entry}, {newAddr6(), dht[1]}} {
			dir := t.TempDir()
			libtorrent{}.get(t, job{torrent: torrent, dir: dir, listen: c.listen, dht: true, dhtNodes: []netip.AddrPort{c.way}}).complete(t)
			p.arrived(t, dir, false)
		}
	})
}

// On the local network, here the loopback, shoal and libtorrent find each other without any
// other way (BEP 14).
func TestLocalNetwork(t *testing.T) {
	p := theBig(t)
	torrent := filepath.Join(t.TempDir(), "local.torrent")
	shoalClient{}.create(t, p, torrent, "--piece-length", "512KiB")
	t.Run("shoal finds libtorrent", func(t *testing.T) {
		dir := t.TempDir()
		p.copyTo(t, dir)
		s := ltSessionOf(job{torrent: torrent, dir: dir, listen: newAddr()}, 0)
		s.LSD = true
		libtorrent{}.run(t, s).complete(t)
		dir = t.TempDir()
		shoalClient{}.run(t, "get", job{torrent: torrent, dir: dir, listen: newAddr()}, "--lsd").complete(t)
		p.arrived(t, dir, false)
	})
	t.Run("libtorrent finds shoal", func(t *testing.T) {
		dir := t.TempDir()
		p.copyTo(t, dir)
		shoalClient{}.run(t, "seed", job{torrent: torrent, dir: dir, listen: newAddr()}, "--lsd").await(t, "up")
		dir = t.TempDir()
		s := ltSessionOf(job{torrent: torrent, dir: dir, listen: newAddr()}, 0)
		s.LSD = true
		libtorrent{}.run(t, s).complete(t)
		p.arrived(t, dir, false)
	})
}

// Of a private torrent no datagram tells: with the DHT and the local network at hand, of
// both clients, its info-hash goes over nothing but the connection of the two, and they do
// not offer to exchange peers (BEP 27). The same with a public torrent shows that the
// capture sees what there is.
func TestPrivateInACapture(t *testing.T) {
	p := theBig(t)
	entry := newAddr()
	libtorrent{}.run(t, ltSession{Listen: entry.String(), DHT: true})
	for _, private := range []bool{false, true} {
		torrent := filepath.Join(t.TempDir(), "a.torrent")
		more := []string{"--piece-length", "512KiB", "--tracker", "http://127.0.0.1:9/announce"} // nobody is there
		if private {
			more = append(more, "--private")
		}
		shoalClient{}.create(t, p, torrent, more...)
		hash := infoHashOf(t, torrent)
		c := capture(t)
		dir, seed := t.TempDir(), newAddr()
		p.copyTo(t, dir)
		s := ltSessionOf(job{torrent: torrent, dir: dir, listen: seed, dht: true, dhtNodes: []netip.AddrPort{entry}}, 0)
		s.LSD = true
		libtorrent{}.run(t, s).complete(t)
		dir = t.TempDir()
		j := job{torrent: torrent, dir: dir, listen: newAddr(), peers: []netip.AddrPort{seed}, dht: true, dhtNodes: []netip.AddrPort{entry}}
		get := shoalClient{}.run(t, "get", j, "--lsd", "--seed")
		get.await(t, "complete")
		time.Sleep(2 * time.Second) // for whatever would be said, were it to be said
		get.stop()
		p.arrived(t, dir, false)
		seen := c.stop(hash)
		switch {
		case seen.connections == 0:
			t.Errorf("private %v: the capture has seen no handshake: %+v", private, seen)
		case private && (seen.datagrams > 0 || seen.exchanges > 0):
			t.Errorf("a private torrent: %+v", seen)
		case !private && seen.datagrams == 0:
			t.Errorf("a public torrent: %+v", seen)
		}
	}
}
