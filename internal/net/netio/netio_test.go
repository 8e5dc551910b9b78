package netio_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/net/netio"
	"shoal/internal/net/netio/netiotest"
)

var loopback = netip.MustParseAddr("127.0.0.1")

func TestConformance(t *testing.T) {
	for name, p := range map[string]netio.Policy{"any": {}, "loopback only": {LoopbackOnly: true}} {
		t.Run(name, func(t *testing.T) {
			netiotest.Run(t, netiotest.Plain, func(*testing.T) netiotest.Pair {
				n := netio.New(p)
				return netiotest.Pair{A: n, B: n, AddrA: loopback, AddrB: loopback, Name: "localhost"}
			})
		})
	}
}

// Nothing reaches beyond loopback, not even a question to a name server.
func TestLoopbackOnly(t *testing.T) {
	n := netio.New(netio.Policy{LoopbackOnly: true})
	ctx := context.Background()
	c, err := n.ListenPacket(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	far := netip.MustParseAddrPort("192.0.2.1:6881")
	attempts := map[string]func() error{
		"dial":              func() error { _, err := n.Dial(ctx, far); return err },
		"dial mapped":       func() error { _, err := n.Dial(ctx, netip.MustParseAddrPort("[::ffff:192.0.2.1]:1")); return err },
		"listen":            func() error { _, err := n.Listen(netip.MustParseAddrPort("0.0.0.0:0")); return err },
		"listen packet":     func() error { _, err := n.ListenPacket(netip.MustParseAddrPort("[::]:0")); return err },
		"send":              func() error { return c.WriteTo([]byte("x"), far) },
		"resolve":           func() error { _, err := n.Resolve(ctx, "tracker.example"); return err },
		"resolve a literal": func() error { _, err := n.Resolve(ctx, "192.0.2.1"); return err },
		"resolve a look-alike": func() error {
			_, err := n.Resolve(ctx, "localhost.example")
			return err
		},
	}
	for name, attempt := range attempts {
		err := attempt()
		var pe *netio.PolicyError
		if !errors.Is(err, netio.ErrPolicy) || !errors.As(err, &pe) {
			t.Errorf("%s: %v, want a policy error", name, err)
		}
	}
}

// Both families can hold one port: neither socket hears the other's.
func TestFamiliesApart(t *testing.T) {
	n := netio.New(netio.Policy{})
	l, c, err := netio.ListenBoth(n, netip.MustParseAddrPort("0.0.0.0:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer c.Close()
	six := netip.AddrPortFrom(netip.IPv6Unspecified(), c.LocalAddr().Port())
	l6, c6, err := netio.ListenBoth(n, six)
	if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
		// This machine has no IPv6: then the IPv4 sockets must refuse it.
		if err := c.WriteTo([]byte("x"), netip.MustParseAddrPort("[::1]:1")); err == nil {
			t.Error("an IPv4 socket sent to an IPv6 address")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l6.Close()
	defer c6.Close()
	if err := c6.WriteTo([]byte("x"), netip.AddrPortFrom(loopback, 1)); err == nil {
		t.Error("an IPv6 socket sent to an IPv4 address")
	}
}

// Streams come as what the system gives, so that its fast paths stay in reach.
func TestStreamsAreTCPConns(t *testing.T) {
	n := netio.New(netio.Policy{LoopbackOnly: true})
	l, err := n.Listen(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := n.Dial(context.Background(), netio.AddrPort(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := c.(*net.TCPConn); !ok {
		t.Errorf("a dialled stream is a %T", c)
	}
}

// takenPacket has every datagram port in use.
type takenPacket struct {
	netio.Network
	tries int
}

func (n *takenPacket) ListenPacket(netip.AddrPort) (netio.PacketConn, error) {
	n.tries++
	return nil, syscall.EADDRINUSE
}

func TestListenBothGivesUp(t *testing.T) {
	n := &takenPacket{Network: netio.New(netio.Policy{LoopbackOnly: true})}
	_, _, err := netio.ListenBoth(n, netip.AddrPortFrom(loopback, 0))
	if !errors.Is(err, syscall.EADDRINUSE) || n.tries != 16 {
		t.Errorf("after %d tries: %v", n.tries, err)
	}
	n.tries = 0
	_, _, err = netio.ListenBoth(n, netip.AddrPortFrom(loopback, freePort(t)))
	if !errors.Is(err, syscall.EADDRINUSE) || n.tries != 1 {
		t.Errorf("a port that was asked for: %d tries, %v", n.tries, err)
	}
}

func freePort(t *testing.T) uint16 {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netio.AddrPort(l.Addr()).Port()
}

func TestDatagramsDoNotAllocate(t *testing.T) {
	n := netio.New(netio.Policy{LoopbackOnly: true})
	c, err := n.ListenPacket(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 1500)
	allocs := testing.AllocsPerRun(100, func() {
		if err := c.WriteTo(b[:100], c.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for a datagram there and back", allocs)
	}
}

// A chosen source is the address that every stream comes from, and what cannot
// be reached from it is refused rather than reached from another.
func TestSource(t *testing.T) {
	src := netip.MustParseAddr("127.0.0.3")
	n := netio.New(netio.Policy{Sources: []netip.Addr{src}})
	l, err := n.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := n.Dial(t.Context(), netio.AddrPort(l.Addr()))
	if err != nil {
		if runtime.GOOS != "linux" {
			return // only Linux has more than one loopback address by itself
		}
		t.Fatal(err)
	}
	defer c.Close()
	if got := netio.AddrPort(c.LocalAddr()).Addr(); got != src {
		t.Errorf("dialled from %v, want %v", got, src)
	}
	if _, err := n.Dial(t.Context(), netip.MustParseAddrPort("[::1]:1")); !errors.Is(err, netio.ErrPolicy) {
		t.Errorf("dialled IPv6 although an IPv4 source was chosen: %v", err)
	}
}

// What a program listens on says what it may do and where it leaves from.
func TestPolicyFor(t *testing.T) {
	for _, c := range []struct {
		listen, sources string
		loopback        bool
	}{
		{"", "", false},
		{"0.0.0.0:1", "", false},
		{"0.0.0.0:1 [::]:1", "", false},
		{"127.0.0.1:1", "127.0.0.1", true},
		{"127.0.0.1:1 [::1]:1", "127.0.0.1 ::1", true},
		{"192.0.2.7:1", "192.0.2.7", false},
		{"192.0.2.7:1 192.0.2.8:1", "192.0.2.7", false},
		{"127.0.0.1:1 192.0.2.7:1", "192.0.2.7", false},
		{"192.0.2.7:1 [::]:1", "192.0.2.7 ::", false},
		{"127.0.0.1:1 0.0.0.0:2", "", false},
		{"[::ffff:192.0.2.7]:1", "192.0.2.7", false},
		{"127.0.0.1:1 [2001:db8::7]:1", "127.0.0.1 2001:db8::7", false},
	} {
		var listen []netip.AddrPort
		for _, l := range strings.Fields(c.listen) {
			listen = append(listen, netip.MustParseAddrPort(l))
		}
		p := netio.PolicyFor(listen)
		var sources []string
		for _, s := range p.Sources {
			sources = append(sources, s.String())
		}
		if got := strings.Join(sources, " "); got != c.sources || p.LoopbackOnly != c.loopback {
			t.Errorf("%q: from %q, loopback only %v", c.listen, got, p.LoopbackOnly)
		}
	}
}

// Of several addresses with a port to be picked all get the same one; a family whose source
// was left to the system is reached beside one that was chosen.
func TestListenAll(t *testing.T) {
	n := netio.New(netio.Policy{LoopbackOnly: true, Sources: []netip.Addr{loopback, netip.IPv6Unspecified()}})
	addrs := []netip.AddrPort{netip.AddrPortFrom(loopback, 0), netip.MustParseAddrPort("[::1]:0")}
	doors, err := netio.ListenAll(n, addrs, func(i int) bool { return i == 1 })
	if err != nil {
		t.Skip("no IPv6 here:", err)
	}
	for i, d := range doors {
		if d.Addr().Addr() != addrs[i].Addr() || d.Addr().Port() != doors[0].Addr().Port() || (d.Packets != nil) != (i == 1) {
			t.Errorf("%d: %v, datagrams %v", i, d.Addr(), d.Packets)
		}
		c, err := n.Dial(t.Context(), d.Addr())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if p := doors[1].Packets.LocalAddr(); p != doors[1].Addr() {
		t.Errorf("datagrams at %v, streams at %v", p, doors[1].Addr())
	}
	// What is taken is told, and nothing of the rest stays open.
	if _, err := netio.ListenAll(n, []netip.AddrPort{addrs[0], doors[1].Addr()}, func(int) bool { return false }); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a taken port: %v", err)
	}
	for _, d := range doors {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
