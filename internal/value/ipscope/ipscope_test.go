package ipscope

import (
	"net/netip"
	"testing"
)

func TestCredible(t *testing.T) {
	for _, c := range []struct {
		giver, addr string
		want        bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "192.168.1.5", true},
		{"::1", "203.0.113.1", true},
		{"203.0.113.1", "127.0.0.1", false},
		{"203.0.113.1", "::1", false},
		{"203.0.113.1", "::ffff:127.0.0.1", false},
		{"203.0.113.1", "192.168.1.5", false},
		{"203.0.113.1", "100.64.3.2", false},
		{"203.0.113.1", "169.254.3.2", false},
		{"203.0.113.1", "fd00::1", false},
		{"203.0.113.1", "198.51.100.1", true},
		{"192.168.1.2", "192.168.1.5", true},
		{"::ffff:192.168.1.2", "10.0.0.5", true},
		{"192.168.1.2", "127.0.0.1", false},
		{"192.168.1.2", "198.51.100.1", true},
		{"2001:db8::1", "2001:db8::2", true},
		{"203.0.113.1", "fe80::1%eth0", false},
		{"2001:db8::1", "fe80::1", false},
		{"fe80::2%eth0", "fe80::1%eth0", true},
		{"192.168.0.1", "fe80::1%eth0", true},
	} {
		if got := Credible(netip.MustParseAddr(c.giver), netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%s names %s: credible is %v, want %v", c.giver, c.addr, got, c.want)
		}
	}
}

func TestInternal(t *testing.T) {
	for text, want := range map[string]bool{
		"127.8.8.8": true, "10.1.1.1": true, "172.16.0.1": true, "192.168.0.1": true, "169.254.169.254": true,
		"100.64.0.1": true, "0.0.0.0": true, "0.1.2.3": true, "::": true, "::1": true, "fd00::1": true, "fe80::1%x": true,
		"fec0::1": true, "::ffff:10.0.0.1": true, "64:ff9b::7f00:1": true, "239.1.1.1": true, "198.18.0.1": true,
		"9.9.9.9": false, "172.32.0.1": false, "2a00::1": false, "64:ff9b::909:909": false, "100.128.0.1": false,
	} {
		if got := Internal(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestOwn(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "10.0.0.9": true, "192.168.1.1": true, "169.254.7.7": true, "::ffff:172.16.0.1": true,
		"::1": true, "fe80::1": true, "fd00::1": true, "9.9.9.9": false, "172.32.0.1": false, "2001:db8::1": false,
	} {
		if got := Own(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is our own: %v", addr, got)
		}
	}
}

// What is our own is private or this machine; what is private is internal.
func TestScopesContainEachOther(t *testing.T) {
	for _, text := range []string{
		"127.0.0.1", "::1", "10.0.0.9", "192.168.1.1", "169.254.7.7", "100.64.0.1", "198.18.0.1", "0.1.2.3", "fd00::1",
		"fe80::1%x", "::ffff:172.16.0.1", "9.9.9.9", "2001:db8::1", "239.1.1.1",
	} {
		a := netip.MustParseAddr(text)
		if Own(a) && !Private(a) && !a.IsLoopback() || Private(a) && !Internal(a) {
			t.Errorf("%s: own %v, private %v, internal %v", text, Own(a), Private(a), Internal(a))
		}
	}
}
