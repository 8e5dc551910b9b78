package shoal

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
)

// Where nothing was chosen both families are listened on, or the one there is; a port that
// is taken is no want of a family.
func TestFamiliesByDefault(t *testing.T) {
	lacks := func(v6 bool, errno syscall.Errno) func([]netip.Addr) (int, error) {
		return func(all []netip.Addr) (int, error) {
			for _, a := range all {
				if a.Is6() == v6 {
					return 0, &net.OpError{Op: "listen", Err: os.NewSyscallError("socket", errno)}
				}
			}
			return len(all), nil
		}
	}
	if n, err := ofFamilies(func(all []netip.Addr) (int, error) { return len(all), nil }); n != 2 || err != nil {
		t.Errorf("both: %d, %v", n, err)
	}
	for _, v6 := range []bool{false, true} {
		if n, err := ofFamilies(lacks(v6, syscall.EAFNOSUPPORT)); n != 1 || err != nil {
			t.Errorf("without one (IPv6: %v): %d, %v", v6, n, err)
		}
	}
	tries := 0
	_, err := ofFamilies(func([]netip.Addr) (int, error) {
		tries++
		return 0, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	})
	if !errors.Is(err, syscall.EADDRINUSE) || tries != 1 {
		t.Errorf("taken: %d tries, %v", tries, err)
	}
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
