//go:build interop

package interop

import (
	"net/netip"
	"path/filepath"
	"testing"
)

// The clients among themselves, on a small torrent: when this fails, it is this
// machine or these tests that are broken, and not shoal.
func TestClientsAmongThemselves(t *testing.T) {
	p, err := makePayload("small", map[string]int64{"a": 3<<20 + 1, "b/c": 1 << 20, "b/empty": 0})
	if err != nil {
		t.Fatal(err)
	}
	torrent := filepath.Join(t.TempDir(), "small.torrent")
	libtorrent{}.create(t, p, torrent, 32<<10, netip.AddrPort{})
	for _, pair := range [][2]client{
		{libtorrent{}, libtorrent{}},
		{libtorrent{}, aria2{}},
		{libtorrent{}, transmission{}},
		{aria2{}, libtorrent{}},
		{transmission{}, libtorrent{}},
	} {
		t.Run(pair[0].String()+" to "+pair[1].String(), func(t *testing.T) {
			exchange(t, p, torrent, pair[:1], pair[1:])
		})
	}
}

func TestGetFrom(t *testing.T) {
	p := theBig(t)
	torrent := filepath.Join(t.TempDir(), "shoal.torrent")
	shoalClient{}.create(t, p, torrent)
	for _, c := range clients {
		t.Run(c.String(), func(t *testing.T) { exchange(t, p, torrent, []client{c}, []client{shoalClient{}}) })
	}
	t.Run("all at once", func(t *testing.T) { exchange(t, p, torrent, clients, []client{shoalClient{}}) })
}

func TestSeedTo(t *testing.T) {
	p := theBig(t)
	torrent := filepath.Join(t.TempDir(), "libtorrent.torrent")
	libtorrent{}.create(t, p, torrent, 1<<20, netip.AddrPort{})
	for _, c := range clients {
		t.Run(c.String(), func(t *testing.T) { exchange(t, p, torrent, []client{shoalClient{}}, []client{c}) })
	}
	t.Run("all at once", func(t *testing.T) { exchange(t, p, torrent, []client{shoalClient{}}, clients) })
}

// One client has the torrent; shoal stands between it and the others, and
// serves what it has while it gets the rest.
func TestRelay(t *testing.T) {
	p := theBig(t)
	torrent := filepath.Join(t.TempDir(), "transmission.torrent")
	transmission{}.create(t, p, torrent, 256) // it leaves the empty file out

	source := newAddr()
	limit := p.size / 8 // about eight seconds: the others arrive while shoal downloads
	dir := t.TempDir()
	p.copyTo(t, dir)
	libtorrent{}.run(t, ltSessionOf(job{torrent: torrent, dir: dir, listen: source}, limit)).complete(t)

	var dirs []string
	var gets []peer
	var addrs []netip.AddrPort
	for _, c := range []client{transmission{}, aria2{}} {
		dirs, addrs = append(dirs, t.TempDir()), append(addrs, newAddr())
		gets = append(gets, c.get(t, job{torrent: torrent, dir: dirs[len(dirs)-1], listen: addrs[len(addrs)-1]}))
	}
	middle := t.TempDir()
	relay := shoalClient{}.run(t, "get", job{torrent: torrent, dir: middle, listen: newAddr(), peers: append(addrs, source)}, "--seed")
	for _, g := range gets {
		g.complete(t)
	}
	relay.await(t, "complete")
	relay.stop()
	for _, dir := range append(dirs, middle) {
		p.arrived(t, dir, true)
	}
}

// Runs last: no client may have changed what it was given to seed.
func TestSeedsAreAsTheyWere(t *testing.T) {
	p := theBig(t)
	p.arrived(t, p.parent, false)
}

// exchange lets some clients seed a torrent to others and checks what arrives.
// The ones that download connect to the seeds when they can be told to; else
// the seeds connect to them.
func exchange(t *testing.T, p *payload, torrent string, from, to []client) {
	t.Helper()
	seedAddrs, getAddrs := make([]netip.AddrPort, len(from)), make([]netip.AddrPort, len(to))
	for i := range from {
		seedAddrs[i] = newAddr()
	}
	for i := range to {
		getAddrs[i] = newAddr()
	}
	gets := make([]peer, len(to))
	dirs := make([]string, len(to))
	get := func(i int) {
		dirs[i] = t.TempDir()
		j := job{torrent: torrent, dir: dirs[i], listen: getAddrs[i]}
		if to[i].dials() {
			j.peers = seedAddrs
		}
		gets[i] = to[i].get(t, j)
	}
	var waiting []netip.AddrPort // those that must be dialled, so they are there first
	for i, c := range to {
		if !c.dials() {
			get(i)
			waiting = append(waiting, getAddrs[i])
		}
	}
	seeds := make([]peer, len(from))
	for i, c := range from {
		seeds[i] = seedOf(t, c, p, job{torrent: torrent, listen: seedAddrs[i], peers: waiting})
	}
	for i, c := range to {
		if c.dials() {
			get(i)
		}
	}
	for i, c := range to {
		gets[i].complete(t)
		gets[i].stop()
		p.arrived(t, dirs[i], lax(c))
	}
	for _, s := range seeds {
		s.stop()
	}
}
