package webseed

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/files/disk"
	"shoal/internal/net/netio"
	"shoal/internal/value/block"
	"shoal/metainfo"
)

// canned is a network where every server says the same.
type canned struct {
	netio.Network
	say   []byte
	dials int
}

func (c *canned) Resolve(context.Context, string) ([]netip.Addr, error) {
	return []netip.Addr{server}, nil
}

func (c *canned) Dial(context.Context, netip.AddrPort) (net.Conn, error) {
	c.dials++
	return &cannedConn{r: bytes.NewReader(c.say)}, nil
}

type cannedConn struct {
	net.Conn
	r *bytes.Reader
}

func (c *cannedConn) Read(b []byte) (int, error)  { return c.r.Read(b) }
func (c *cannedConn) Write(b []byte) (int, error) { return len(b), nil }
func (c *cannedConn) Close() error                { return nil }
func (c *cannedConn) SetDeadline(time.Time) error { return nil }

// Whatever a server says: a fetch ends, in so many connections; where it went well every block
// came; no buffer is lost, and none is written twice.
func FuzzAnswer(f *testing.F) {
	body := string(bytes.Repeat([]byte{'x'}, 40_000))
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + body,
		"HTTP/1.1 206 x\r\nContent-Range: bytes 16384-39999/40000\r\n\r\n" + body[16384:],
		"HTTP/1.1 206 x\r\nContent-Range: bytes 16384-39999/40000\r\nTransfer-Encoding: chunked\r\n\r\n5c40\r\n" + body[16384:] + "\r\n0\r\n\r\n",
		"HTTP/1.1 302 x\r\nLocation: http://w/\r\n\r\n",
		"HTTP/1.1 503 x\r\nRetry-After: 1\r\n\r\n10",
		"HTTP/1.1 100 x\r\n\r\nHTTP/1.1 404 x\r\n\r\n",
	} {
		for mode := range byte(4) {
			f.Add(mode, []byte(s))
		}
	}
	draft, err := metainfo.NewDraft("name", []metainfo.NewFile{{Length: 40_000}}, pieceLength)
	if err != nil {
		f.Fatal(err)
	}
	info, err := draft.Info(make([]byte, 20))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, mode byte, say []byte) {
		budget := disk.NewBudget(4 * block.Size)
		network := &canned{say: say}
		var group sync.WaitGroup
		var got int64
		end := make(chan webplan.Result, 1)
		conn := (&Client{Network: network}).New(context.Background(), &Torrent{
			Info: info, Buffers: budget, Group: &group,
			Deliver: func(b *Batch) bool {
				for _, it := range b.Items {
					got += int64(len(it.Block.Data))
					budget.Put(it.Block)
				}
				if b.End != nil {
					end <- *b.End
				}
				return true
			},
		}, Source{URL: "http://w/f", Pieces: mode&3 == 3})
		a := &webplan.Act{ID: 1, Run: webplan.Run{Blocks: 3}, Segments: []webplan.Segment{{Length: 40_000}}}
		size := int64(40_000)
		if mode&1 == 1 {
			size -= block.Size
			a.Run = webplan.Run{Block: 1, Blocks: 2}
			a.Segments[0] = webplan.Segment{Offset: block.Size, Length: size}
		}
		if mode&3 == 2 {
			a.Whole = true
		}
		conn.Fetch(a)
		r := <-end
		conn.Close()
		group.Wait()
		if r.Outcome == webplan.Done && got != size || got > size {
			t.Fatalf("%v, with %d bytes of %d", r.Outcome, got, size)
		}
		if network.dials > 2*(maxRedirects+1) {
			t.Fatalf("%d connections", network.dials)
		}
		if n := budget.InUse(); n != 0 {
			t.Fatalf("%d buffers were not given back", n)
		}
	})
}
