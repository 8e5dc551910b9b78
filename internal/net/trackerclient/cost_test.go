package trackerclient

import (
	"context"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"shoal/internal/net/netio"
)

// canned is a network whose only host answers each request at once. Its replies cost no memory, so
// what a test counts is the client's.
type canned struct {
	netio.Network
	reply []byte
	calls map[string]int
}

func (c *canned) Dial(context.Context, netip.AddrPort) (net.Conn, error) {
	c.calls["dial"]++
	return &cannedConn{c: c}, nil
}

func (c *canned) Resolve(context.Context, string) ([]netip.Addr, error) { return cannedHost, nil }

var cannedHost = []netip.Addr{netip.MustParseAddr("192.0.2.1")}

// cannedConn is a connection to it.
type cannedConn struct {
	net.Conn
	c    *canned
	left []byte
}

func (c *cannedConn) Write(b []byte) (int, error) {
	c.c.calls["write"]++
	c.left = c.c.reply
	return len(b), nil
}

func (c *cannedConn) Read(b []byte) (int, error) {
	c.c.calls["read"]++
	if len(c.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.left)
	c.left = c.left[n:]
	return n, nil
}

func (c *cannedConn) SetDeadline(time.Time) error {
	c.c.calls["deadline"]++
	return nil
}

func (c *cannedConn) Close() error { return nil }

// An engine with thousands of torrents makes thousands of announces over few connections: what one
// of them costs counts.
func TestCostOfAnAnnounce(t *testing.T) {
	network := &canned{
		reply: []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 27\r\n\r\nd8:intervali1800e5:peers0:e"),
		calls: make(map[string]int),
	}
	c := &Client{Network: network, UserAgent: "shoal"}
	defer c.Close()
	announce := func() {
		if _, err := c.AnnounceAmong(t.Context(), "http://tracker.example/announce", params, nil, true); err != nil {
			t.Fatal(err)
		}
	}
	announce()
	clear(network.calls)
	const n = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		announce()
	}
	runtime.ReadMemStats(&after)
	allocs, bytes := (after.Mallocs-before.Mallocs)/n, (after.TotalAlloc-before.TotalAlloc)/n
	t.Logf("%d allocations of %d bytes, calls %v", allocs, bytes, network.calls)
	if allocs > mostAllocs || bytes > mostBytes {
		t.Errorf("an announce makes %d allocations of %d bytes in all, more than %d of %d", allocs, bytes, mostAllocs, mostBytes)
	}
	for call, most := range map[string]int{"dial": 0, "write": n, "read": n, "deadline": n} {
		if network.calls[call] > most {
			t.Errorf("%d calls of %s for %d announces, more than %d", network.calls[call], call, n, most)
		}
	}
}

// Bounds on the memory of an announce, with room for what the runtime does meanwhile.
const (
	mostAllocs = 60
	mostBytes  = 12 << 10
)
