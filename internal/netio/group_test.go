package netio_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"shoal/internal/netio"
)

// Two sockets in one group hear each other and themselves; all of it on the loopback. The
// group is one of our own, so that no other program on this machine is concerned.
func TestGroup(t *testing.T) {
	n := netio.New(netio.Policy{LoopbackOnly: true}).(netio.Multicaster)
	for _, group := range []netip.AddrPort{netip.MustParseAddrPort("239.255.77.77:0"), netip.MustParseAddrPort("[ff15::7777]:0")} {
		group = netip.AddrPortFrom(group.Addr(), freePort(t))
		a, err := n.JoinGroup(group)
		if err != nil {
			t.Logf("%v: %v", group, err) // no multicast on this loopback
			continue
		}
		b, err := n.JoinGroup(group)
		if err != nil {
			t.Fatalf("a second time: %v", err)
		}
		if err := a.Send([]byte("hello")); err != nil {
			t.Logf("%v: %v", group, err)
			a.Close()
			b.Close()
			continue
		}
		// Some systems take what is sent to a group over the loopback and lose it.
		lost := time.AfterFunc(5*time.Second, func() {
			a.Close()
			b.Close()
		})
		for _, c := range []netio.GroupConn{a, b} {
			var room [100]byte
			size, from, err := c.ReadFrom(room[:])
			if errors.Is(err, net.ErrClosed) {
				t.Logf("%v: nothing came", group)
				break
			}
			if err != nil || string(room[:size]) != "hello" || !from.Addr().IsLoopback() {
				t.Errorf("%v: %q from %v, %v", group, room[:size], from, err)
			}
			near := false
			for _, l := range c.Links() {
				near = near || l.Contains(from.Addr())
			}
			if !near {
				t.Errorf("%v is not in %v", from, c.Links())
			}
		}
		if !lost.Stop() {
			continue
		}
		done := make(chan error, 1)
		go func() {
			_, _, err := a.ReadFrom(make([]byte, 1))
			done <- err
		}()
		time.Sleep(time.Millisecond) // most likely it waits by now; correct if it does not
		a.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("read: %v, want net.ErrClosed", err)
		}
		b.Close()
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
