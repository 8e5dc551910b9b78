package netio_test

import (
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"

	"shoal/internal/net/netio"
)

// The system tells what has arrived at the other end, and how long the way is.
func TestPath(t *testing.T) {
	n := netio.New(netio.Policy{LoopbackOnly: true})
	l, err := n.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const size = 1 << 20
	got := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- 0
			return
		}
		defer c.Close()
		n, _ := io.CopyN(io.Discard, c, size)
		c.Write([]byte("!"))
		got <- n
	}()
	c, err := n.Dial(t.Context(), l.Addr().(*net.TCPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	route, ok := netio.RouteOf(c)
	if !ok {
		t.Skipf("%s tells nothing", runtime.GOOS)
	}
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n != size {
		t.Fatalf("%d bytes came", n)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil { // what was acknowledged before it is known
		t.Fatal(err)
	}
	p, ok := route.Path()
	if !ok || p.RTT <= 0 {
		t.Errorf("%+v, %v", p, ok)
	}
	if runtime.GOOS == "linux" && (p.Acked < size || p.Acks == 0 || p.Least <= 0 || p.Unsent != 0) {
		t.Errorf("%+v", p)
	}
	netio.AckNow(c)
	c.Close()
	if _, ok := route.Path(); ok {
		t.Error("a closed stream has a path")
	}
}
