package netio_test

import (
	"net/netip"
	"testing"

	"shoal/internal/net/netio"
)

// What is printed can be typed: no unspecified address, the port as it is, the loopback last.
func TestReachable(t *testing.T) {
	one := netip.MustParseAddrPort("192.0.2.1:80")
	if all := netio.Reachable(one); len(all) != 1 || all[0] != one {
		t.Errorf("%v", all)
	}
	for _, at := range []string{"0.0.0.0:8080", "[::]:8080"} {
		addr := netip.MustParseAddrPort(at)
		all := netio.Reachable(addr)
		if len(all) == 0 || !all[len(all)-1].Addr().IsLoopback() {
			t.Errorf("%s: %v", at, all)
		}
		for _, a := range all {
			if a.Port() != 8080 || a.Addr().IsUnspecified() || a.Addr().Is4() != addr.Addr().Is4() || a.Addr().Zone() != "" {
				t.Errorf("%s: %v", at, a)
			}
		}
	}
}
