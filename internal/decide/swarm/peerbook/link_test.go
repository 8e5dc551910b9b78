package peerbook

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"shoal/internal/value/mono"
)

// Peers of the local link: their address has a zone, and all of them share one network. A
// ban is of one of them.
func TestLinkLocal(t *testing.T) {
	b := New(Config{}, rand.New(rand.NewPCG(1, 1)))
	now := mono.Start
	one := netip.MustParseAddrPort("[fe80::1%eth0]:6881")
	two := netip.MustParseAddrPort("[fe80::2%eth0]:6881")
	elsewhere := netip.MustParseAddrPort("[fe80::1%eth1]:6881")
	b.External(netip.MustParseAddrPort("[fe80::1%eth0]:6882"))
	for _, a := range []netip.AddrPort{one, two, elsewhere} {
		if !b.Add(now, LSD, a, nil) {
			t.Errorf("%v is refused", a)
		}
	}
	if b.Add(now, PEX, netip.MustParseAddrPort("[fe80::1]:6881"), nil) {
		t.Error("an address of no link is taken")
	}
	b.Connected(now, one)
	b.Closed(now, one, false)
	if !b.SeenRecently(now, one) || b.SeenRecently(now, two) || b.SeenRecently(now, elsewhere) {
		t.Error("who was seen is mistaken for others of the link, or of another one")
	}
	b.Ban(now, one)
	if !b.Banned(one) || b.Banned(two) || b.Banned(elsewhere) {
		t.Error("a ban is of others of the link, or of another one, too")
	}
	dialled := map[netip.AddrPort]bool{}
	for c, ok := b.Next(now); ok; c, ok = b.Next(now) {
		dialled[c.Addr] = true
	}
	if len(dialled) != 2 || !dialled[two] || !dialled[elsewhere] {
		t.Errorf("dialled are %v", dialled)
	}
	if err := b.CheckInvariants(); err != nil {
		t.Error(err)
	}
}
