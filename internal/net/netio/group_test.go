package netio_test

import (
	"errors"
	"net/netip"
	"runtime"
	"testing"

	"shoal/internal/net/netio"
	"shoal/internal/net/netio/netiotest"
)

// The loopback is a link, too. The groups are our own, so that no other program on this
// machine is concerned. Not every system has IPv6 groups there.
func TestGroup(t *testing.T) {
	n := netio.New(netio.Policy{LoopbackOnly: true}).(netio.Multicaster)
	for _, group := range []string{"239.255.77.77", "ff15::7777"} {
		heard := netiotest.Group(t, n, n, netip.AddrPortFrom(netip.MustParseAddr(group), freePort(t)))
		if !heard && group == "239.255.77.77" && runtime.GOOS == "linux" {
			t.Error("nothing was heard of a group of IPv4")
		}
	}
}

// What is no group, and a family that was not chosen, are refused.
func TestGroupRefused(t *testing.T) {
	n := netio.New(netio.Policy{LoopbackOnly: true, Sources: []netip.Addr{loopback}}).(netio.Multicaster)
	for _, no := range []string{"127.0.0.1:6771", "239.192.152.143:0", "[::1]:1"} {
		if c, err := n.JoinGroup(netip.MustParseAddrPort(no)); !errors.Is(err, netio.ErrAddress) {
			t.Errorf("%s: %v, %v", no, c, err)
		}
	}
	if c, err := n.JoinGroup(netip.MustParseAddrPort("[ff15::7777]:7777")); !errors.Is(err, netio.ErrPolicy) {
		t.Errorf("IPv6: %v, %v", c, err)
	}
	// An address that no link has.
	n = netio.New(netio.Policy{Sources: []netip.Addr{netip.MustParseAddr("192.0.2.7")}}).(netio.Multicaster)
	if c, err := n.JoinGroup(netip.MustParseAddrPort("239.255.77.77:7777")); !errors.Is(err, netio.ErrNoLink) {
		t.Errorf("no such address: %v, %v", c, err)
	}
}
