package netio_test

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"

	"shoal/internal/netio"
)

// A connection that many goroutines close at once gives one place back, and none of the
// calls waits.
func TestLimitClosedByMany(t *testing.T) {
	n := netio.New(netio.Policy{LoopbackOnly: true})
	inner, err := n.Listen(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	l := netio.Limit(inner, 1)
	defer l.Close()
	for range 20 {
		peer, err := n.Dial(t.Context(), netio.AddrPort(l.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept() // waits forever where an earlier place was lost
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { c.Close() })
		}
		wg.Wait()
		peer.Close()
	}
}

// A full listener that is closed does not keep its Accept waiting.
func TestLimitFullAndClosed(t *testing.T) {
	n := netio.New(netio.Policy{LoopbackOnly: true})
	inner, err := n.Listen(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	l := netio.Limit(inner, 1)
	peer, err := n.Dial(t.Context(), netio.AddrPort(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ended := make(chan error)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed again: %v", err)
	}
}
