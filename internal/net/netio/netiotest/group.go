package netiotest

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"shoal/internal/net/netio"
)

// lostAfter is when what was sent to a group counts as lost.
const lostAfter = 5 * time.Second

// Group is the suite of what netio.Multicaster has to do: a and b, which may be the same,
// are on one link. It reports whether anything came: some systems can't send to groups over
// the loopback, or take what is sent there and lose it. Then there is nothing more to see.
func Group(t *testing.T, a, b netio.Multicaster, group netip.AddrPort) (heard bool) {
	t.Helper()
	for _, no := range []string{"127.0.0.1:6771", "[::1]:6771"} {
		if c, err := a.JoinGroup(netip.MustParseAddrPort(no)); !errors.Is(err, netio.ErrAddress) {
			t.Errorf("%s was joined: %v, %v", no, c, err)
		}
	}
	x, err := a.JoinGroup(group)
	if err != nil {
		t.Logf("%v: %v", group, err)
		return false
	}
	defer x.Close()
	y, err := b.JoinGroup(group)
	if err != nil {
		t.Errorf("a second time: %v", err)
		return false
	}
	defer y.Close()
	sent := []byte("hello")
	if err := x.Send(sent); err != nil {
		t.Logf("%v: %v", group, err)
		return false
	}
	copy(sent, "other") // Send keeps no hold on it
	lost := time.AfterFunc(lostAfter, func() {
		x.Close()
		y.Close()
	})
	defer lost.Stop()
	for i, c := range []netio.GroupConn{x, y} { // the sender hears itself, too
		var room [100]byte
		n, from, err := c.ReadFrom(room[:])
		if errors.Is(err, net.ErrClosed) {
			t.Logf("%v: nothing came", group)
			return false
		}
		if err != nil || string(room[:n]) != "hello" || from.Port() != group.Port() || from.Addr().Is4() != group.Addr().Is4() {
			t.Errorf("socket %d: %q from %v, %v", i, room[:n], from, err)
		}
		near := false
		for _, l := range c.Links() {
			near = near || l.Contains(from.Addr().WithZone(""))
		}
		if !near {
			t.Errorf("%v is in none of %v", from, c.Links())
		}
	}
	lost.Stop()
	done := make(chan error, 1)
	go func() {
		_, _, err := x.ReadFrom(make([]byte, 1))
		done <- err
	}()
	time.Sleep(time.Millisecond) // most likely it waits by now; correct if it does not
	x.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v, want net.ErrClosed", err)
	}
	if err := x.Send([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("send: %v, want net.ErrClosed", err)
	}
	return true
}
