package shoal

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
)

// ListenAlso adds to Listen, and means nothing alone.
func TestListenAlsoAlone(t *testing.T) {
	if _, err := New(Config{ListenAlso: []netip.AddrPort{{}}}); !errors.Is(err, ErrConfig) {
		t.Errorf("ListenAlso alone: %v", err)
	}
}

// Two loopback addresses are still the loopback, and get one port.
func TestListenAlso(t *testing.T) {
	e, err := New(Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), ListenAlso: []netip.AddrPort{netip.MustParseAddrPort("[::1]:0")},
	})
	if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Skip("no IPv6 here:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	addrs := e.Addrs()
	if len(addrs) != 2 || addrs[0].Port() != addrs[1].Port() || !slices.Contains(addrs, e.Addr()) {
		t.Errorf("it listens on %v", addrs)
	}
	if e.ExternalAddrs() != nil {
		t.Errorf("it takes itself for %v", e.ExternalAddrs())
	}
}
