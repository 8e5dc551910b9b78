package simnet_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/net/netio/netiotest"
	"shoal/internal/simnet"
)

// Groups do here what they do on the system's network.
func TestGroup(t *testing.T) {
	six := netip.MustParseAddr("fd00::6")
	for _, c := range []struct {
		a, b  netip.Addr
		group string
	}{
		{addrA, addrA.Next(), "239.192.152.143:6771"},
		{addrA, addrA, "239.192.152.143:6771"},
		{six, six.Next(), "[ff15::efc0:988f]:6771"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(simnet.Options{Link: simnet.Link{Delay: 3 * time.Millisecond}})
			if !netiotest.Group(t, n.Host(c.a), n.Host(c.b), netip.MustParseAddrPort(c.group)) {
				t.Errorf("%v: nothing was heard", c.group)
			}
			n.Close()
		})
	}
}
