package swarm

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/value/mono"
	"shoal/metainfo"
)

// A network with many vacant peers loses a place to any newcomer of another; it gets one of
// its own, and none of others.
func TestVacantPlacesByNetwork(t *testing.T) {
	now := mono.Start
	s := New(Config{
		PeerID:   [20]byte{1},
		Geometry: metainfo.Geometry{Total: 64 << 10, PieceLength: 32 << 10, Pieces: 2}, MaxPeers: 4,
	}, now, rand.New(rand.NewPCG(1, 2)))
	s.Start(now)
	key := PeerKey(0)
	join := func(addr string) PeerKey {
		key++
		a := Arrival{Addr: netip.MustParseAddrPort(addr)}
		a.Handshake = wire.Handshake{PeerID: [20]byte{2, byte(key)}}
		s.Joined(now, key, a)
		s.Flush(func(PeerKey, Out) {})
		return key
	}
	dropped := func() (keys []PeerKey) {
		for _, e := range s.Effects() {
			if e.Kind == Drop {
				keys = append(keys, e.Peer)
			}
		}
		return keys
	}
	expect := func(what string, want ...PeerKey) {
		t.Helper()
		got := dropped()
		if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("%s: dropped %v, want %v", what, got, want)
		}
		if err := s.CheckInvariants(); err != nil {
			t.Error(err)
		}
	}
	join("198.51.100.1:1")
	first := join("203.0.113.1:1")
	second := join("203.0.113.2:1")
	third := join("203.0.113.3:1")
	expect("four come")
	now = now.Add(time.Second)
	early := join("192.0.2.9:1")
	expect("too early", early)
	now = now.Add(2 * time.Second)
	join("192.0.2.1:1")
	expect("another network", first)
	join("203.0.113.4:1")
	expect("the same network", second)
	now = now.Add(3 * time.Second)
	join("[2001:db8::1]:1")
	expect("of the largest network again", third)
}

// A party with a /48 that fills a swarm with vacant peers, one of each /64, loses its places to
// anybody else's newcomer, and takes none of others with its own.
func TestVacantPlacesBySite(t *testing.T) {
	now := mono.Start
	const places = 16
	s := New(Config{
		PeerID:   [20]byte{1},
		Geometry: metainfo.Geometry{Total: 64 << 10, PieceLength: 32 << 10, Pieces: 2}, MaxPeers: places,
	}, now, rand.New(rand.NewPCG(1, 2)))
	s.Start(now)
	key := PeerKey(0)
	join := func(addr string) (dropped []PeerKey) {
		key++
		a := Arrival{Addr: netip.MustParseAddrPort(addr)}
		a.Handshake = wire.Handshake{PeerID: [20]byte{2, byte(key)}}
		s.Joined(now, key, a)
		s.Flush(func(PeerKey, Out) {})
		for _, e := range s.Effects() {
			if e.Kind == Drop {
				dropped = append(dropped, e.Peer)
			}
		}
		return dropped
	}
	honest := PeerKey(4)
	for i := range int(honest) {
		join(fmt.Sprintf("203.0.%d.1:1", i))
	}
	for i := range places - int(honest) {
		join(fmt.Sprintf("[2001:db8:1:%x::1]:1", i))
	}
	now = now.Add(3 * time.Second)
	for i := range 8 { // more of the same: they take their own places
		if out := join(fmt.Sprintf("[2001:db8:1:%x::1]:1", 100+i)); len(out) != 1 || out[0] <= honest {
			t.Errorf("newcomer %d of the /48: dropped %v", i, out)
		}
	}
	if out := join("198.51.100.1:1"); len(out) != 1 || out[0] <= honest {
		t.Errorf("another network: dropped %v", out)
	}
}
