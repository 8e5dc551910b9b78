//go:build interop

package interop

import (
	"bufio"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// linkOf has shoal print the magnet link of a torrent.
func linkOf(t *testing.T, torrent string) string {
	t.Helper()
	return strings.TrimSpace(output(t, shoal, "show", "--magnet", torrent))
}

// From a magnet link, with the metadata from one client and to one client: BEP 9 both ways
// with everybody.
func TestMagnetLinks(t *testing.T) {
	p := small(t)
	torrent := filepath.Join(t.TempDir(), "magnet.torrent")
	// Small pieces, so that the metadata has several parts.
	libtorrent{}.create(t, p, torrent, 16<<10, netip.AddrPort{})
	link := linkOf(t, torrent)
	for _, c := range clients {
		t.Run("shoal from "+c.String(), func(t *testing.T) { byLink(t, p, torrent, link, c, shoalClient{}) })
		t.Run(c.String()+" from shoal", func(t *testing.T) { byLink(t, p, torrent, link, shoalClient{}, c) })
	}
	t.Run("shoal from shoal", func(t *testing.T) { byLink(t, p, torrent, link, shoalClient{}, shoalClient{}) })
}

// byLink has one client seed a torrent to another that has the link alone.
func byLink(t *testing.T, p *payload, torrent, link string, from, to client) {
	t.Helper()
	seedAt, getAt, dir := newAddr(), newAddr(), t.TempDir()
	get := job{torrent: link, dir: dir, listen: getAt}
	seed := job{torrent: torrent, listen: seedAt}
	if to.dials() {
		get.peers = []netip.AddrPort{seedAt}
		seedOf(t, from, p, seed)
		to.get(t, get).complete(t)
	} else {
		g := to.get(t, get)
		seed.peers = []netip.AddrPort{getAt}
		seedOf(t, from, p, seed)
		g.complete(t)
	}
	p.arrived(t, dir, lax(to))
}

// The .torrent file alone, from libtorrent.
func TestMetadataOnly(t *testing.T) {
	p := small(t)
	torrent := filepath.Join(t.TempDir(), "magnet.torrent")
	libtorrent{}.create(t, p, torrent, 16<<10, netip.AddrPort{})
	at := newAddr()
	seedOf(t, libtorrent{}, p, job{torrent: torrent, listen: at})
	got := filepath.Join(t.TempDir(), "got.torrent")
	output(t, shoal, "get", linkOf(t, torrent), "--metadata-only", "-o", got, "--peer", at.String(), "--no-dht", "--listen", newAddr().String())
	if infoHashOf(t, got) != infoHashOf(t, torrent) {
		t.Error("another torrent")
	}
}

// Two shoals know a third client, and nobody else: it tells them of each other (BEP 11).
// Transmission tells nobody of addresses of the loopback.
func TestPeerExchangeFrom(t *testing.T) {
	for _, c := range []client{libtorrent{}, aria2{}} {
		t.Run(c.String(), func(t *testing.T) {
			p := theBig(t)
			torrent := filepath.Join(t.TempDir(), "exchange.torrent")
			shoalClient{}.create(t, p, torrent)
			hub, first, second := newAddr(), newAddr(), newAddr()
			seedOf(t, c, p, job{torrent: torrent, listen: hub})
			trace := filepath.Join(t.TempDir(), "trace")
			slow := []string{"--limit-down", "200KiB", "--no-lsd"}
			shoalClient{}.run(t, "get", job{torrent: torrent, dir: t.TempDir(), listen: first, peers: []netip.AddrPort{hub}}, append(slow, "--trace", trace)...)
			shoalClient{}.run(t, "get", job{torrent: torrent, dir: t.TempDir(), listen: second, peers: []netip.AddrPort{hub}}, slow...)
			eventually(t, "the two have met", func() bool { return metIn(trace, second) })
		})
	}
}

// metIn reports whether a trace has a handshake with a peer that listens at an address: one
// that was dialled, or one that dialled from there.
func metIn(trace string, at netip.AddrPort) bool {
	f, err := os.Open(trace)
	if err != nil {
		return false
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		var r struct{ Peer, What string }
		if json.Unmarshal(in.Bytes(), &r) != nil || r.What != "handshake" {
			continue
		}
		if a, err := netip.ParseAddrPort(r.Peer); err == nil && a.Addr() == at.Addr() {
			return true
		}
	}
	return false
}

// Two sessions of libtorrent know shoal, and nobody else. They dial from 127.0.0.1 wherever
// they listen, so that is where they have to.
func TestPeerExchangeTo(t *testing.T) {
	p := theBig(t)
	torrent := filepath.Join(t.TempDir(), "exchange.torrent")
	shoalClient{}.create(t, p, torrent)
	hub, dir := newAddr(), t.TempDir()
	p.copyTo(t, dir)
	s := shoalClient{}.run(t, "seed", job{torrent: torrent, dir: dir, listen: hub}, "--limit-up", "200KiB", "--no-lsd")
	s.await(t, "up")
	session := func() ltSession {
		return ltSessionOf(job{torrent: torrent, dir: t.TempDir(), listen: loopback(false), peers: []netip.AddrPort{hub}}, 0)
	}
	both := libtorrent{}.run(t, session(), session())
	eventually(t, "each session has two peers", func() bool {
		return both.stats(t, 0).number("peers") >= 2 && both.stats(t, 1).number("peers") >= 2
	})
}
