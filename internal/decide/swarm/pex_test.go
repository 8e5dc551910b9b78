package swarm

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/wire"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/metainfo"
)

// A peer of the local link has an address with a zone. Nobody is told of it, whoever they
// are; it is dialled, told of others and served like any peer.
func TestLinkLocalPeers(t *testing.T) {
	now := mono.Start
	g := metainfo.Geometry{Total: 4 * block.Size, PieceLength: block.Size, Pieces: 4}
	s := New(Config{PeerID: me, Geometry: g, Client: "shoal", Port: 6881}, now, rand.New(rand.NewPCG(1, 1)))
	s.Start(now)
	link := netip.MustParseAddrPort("[fe80::1%eth0]:6881")
	same := netip.MustParseAddrPort("[fe80::2%eth0]:6881")
	lan := netip.MustParseAddrPort("192.168.1.5:6881")
	s.External(now, netip.MustParseAddr("2001:db8::7"))
	s.Found(now, peerbook.LSD, []netip.AddrPort{link, same, lan}, nil)
	s.Flush(func(PeerKey, Out) {})
	dialled := map[netip.AddrPort]bool{}
	for _, e := range s.Effects() {
		if e.Kind == Dial {
			dialled[e.Addr] = true
		}
	}
	if len(dialled) != 3 {
		t.Fatalf("dialled are %v", dialled)
	}
	told := map[PeerKey][]netip.AddrPort{}
	flush := func() {
		s.Flush(func(key PeerKey, out Out) {
			for b := out.Bytes; len(b) > 0; b = b[4+binary.BigEndian.Uint32(b):] {
				m, err := wire.Parse(b[4 : 4+binary.BigEndian.Uint32(b)])
				if err != nil || m.ID != wire.Extended || m.Ext != theirIDs[wire.UTPex] {
					continue
				}
				pex, err := wire.ParsePex(m.Body)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range pex.Added {
					told[key] = append(told[key], p.Addr)
				}
			}
		})
		s.Effects()
	}
	for i, addr := range []netip.AddrPort{link, same, lan} {
		key := PeerKey(i + 1)
		h := wire.Handshake{PeerID: peerID(string('A' + rune(i)))}
		h.Reserved = h.Reserved.WithExtensions().WithFast()
		s.Joined(now, key, Arrival{Addr: addr, Dialled: true, Handshake: h})
		s.Message(now, key, wire.Message{ID: wire.HaveNone}, nil)
		s.Message(now, key, wire.Message{ID: wire.Extended, Body: []byte(theirAll)}, nil)
		flush()
	}
	for now < mono.Start.Add(pexWait) {
		now = max(now, s.Deadline())
		s.Tick(now)
		flush()
	}
	for key, addrs := range told {
		for _, a := range addrs {
			if a != lan {
				t.Errorf("peer %d is told of %v", key, a)
			}
		}
	}
	if len(told[1]) != 1 || len(told[2]) != 1 || len(told[3]) != 0 {
		t.Errorf("told is %v", told)
	}
	// One that a message names can't be dialled: of which link is it?
	s.Message(now, 3, wire.Message{ID: wire.Extended, Ext: ourID(wire.UTPex), Body: wire.AppendPex(nil, 1, wire.Pex{
		Added: []wire.PexPeer{{Addr: netip.MustParseAddrPort("[fe80::9]:6881")}, {Addr: netip.MustParseAddrPort("[fe80::9%eth0]:6882")}},
	})[6:]}, nil)
	s.Flush(func(PeerKey, Out) {})
	for _, e := range s.Effects() {
		if e.Kind == Dial {
			t.Errorf("%v is dialled", e.Addr)
		}
	}
	if err := s.CheckInvariants(); err != nil {
		t.Error(err)
	}
}

// pexWait is when everybody was told once.
const pexWait = 2 * silentAfter / 3
