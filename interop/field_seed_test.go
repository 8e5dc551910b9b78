//go:build interop

package interop

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A giver is a seed without files: it has a torrent's bytes, whatever the files are
// called, and counts what it gives. It dials a client until that answers.
type giver struct {
	m      *made
	sent   atomic.Int64
	stop   chan struct{}
	pause  atomic.Bool // answers nothing while set
	slower atomic.Bool // gives a tenth of limit while set
	limit  int         // bytes a second; 0 means no limit
	meta   bool        // gives the metadata too
	lack   map[int]bool

	mu   sync.Mutex
	conn net.Conn
}

// give starts a seed that dials a client for the rest of the test.
func give(t *testing.T, m *made, to netip.AddrPort, set ...func(*giver)) *giver {
	g := &giver{m: m, stop: make(chan struct{})}
	for _, s := range set {
		s(g)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if c, err := net.DialTimeout("tcp", to.String(), 2*time.Second); err == nil {
				g.mu.Lock()
				g.conn = c
				g.mu.Unlock()
				g.serve(c)
				c.Close()
			}
			select {
			case <-g.stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		g.end()
		<-ended
	})
	return g
}

// end makes the seed leave. It may be called again.
func (g *giver) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.stop:
	default:
		close(g.stop)
	}
	if g.conn != nil {
		g.conn.Close()
	}
}

func (g *giver) serve(c net.Conn) {
	select {
	case <-g.stop:
		return
	default:
	}
	reserved := make([]byte, 8)
	if g.meta {
		reserved[5] = 0x10
	}
	c.Write([]byte("\x13BitTorrent protocol" + string(reserved) + string(g.m.hash[:]) + "-XX0001-field-giver!"))
	head := make([]byte, 68)
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(c, head); err != nil {
		return
	}
	c.SetReadDeadline(time.Time{})
	n := (len(g.m.data) + g.m.piece - 1) / g.m.piece
	have := make([]byte, (n+7)/8)
	for i := range n {
		if !g.lack[i] {
			have[i/8] |= 0x80 >> (i % 8)
		}
	}
	theirs := byte(0)
	if g.meta && head[25]&0x10 != 0 {
		tell(c, 20, "\x00"+bencoded(dict{{"m", dict{{"ut_metadata", 7}}}, {"metadata_size", len(g.m.infoRaw)}}))
	}
	tell(c, 5, string(have))
	tell(c, 1, "")
	size := make([]byte, 4)
	for {
		if _, err := io.ReadFull(c, size); err != nil {
			return
		}
		length := binary.BigEndian.Uint32(size)
		if length == 0 {
			continue
		}
		if length > 1<<20 {
			return
		}
		msg := make([]byte, length)
		if _, err := io.ReadFull(c, msg); err != nil {
			return
		}
		for g.pause.Load() {
			select {
			case <-g.stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
		switch {
		case msg[0] == 2: // interested
			tell(c, 1, "")
		case msg[0] == 6 && len(msg) == 13:
			if !g.block(c, msg[1:]) {
				return
			}
		case msg[0] == 20 && len(msg) > 2 && msg[1] == 0:
			_, id, found := strings.Cut(string(msg), "11:ut_metadatai")
			if found {
				fmt.Sscan(strings.SplitN(id, "e", 2)[0], &theirs)
			}
		case msg[0] == 20 && len(msg) > 2 && msg[1] == 7 && g.meta:
			_, of, found := strings.Cut(string(msg), "5:piecei")
			var piece int
			if _, err := fmt.Sscan(strings.SplitN(of, "e", 2)[0], &piece); found && err == nil && piece*16384 < len(g.m.infoRaw) {
				part := g.m.infoRaw[piece*16384 : min((piece+1)*16384, len(g.m.infoRaw))]
				tell(c, 20, string(theirs)+bencoded(dict{{"msg_type", 1}, {"piece", piece}, {"total_size", len(g.m.infoRaw)}})+part)
			}
		}
	}
}

// block answers one request; false where it is not one that can be answered.
func (g *giver) block(c net.Conn, request []byte) bool {
	index, begin, length := binary.BigEndian.Uint32(request), binary.BigEndian.Uint32(request[4:]), binary.BigEndian.Uint32(request[8:])
	at := int(index)*g.m.piece + int(begin)
	if length > 1<<17 || at < 0 || at+int(length) > len(g.m.data) {
		return false
	}
	if limit := g.limit; limit > 0 {
		if g.slower.Load() {
			limit /= 10
		}
		select {
		case <-g.stop:
			return false
		case <-time.After(time.Duration(int(length)) * time.Second / time.Duration(limit)):
		}
	}
	g.sent.Add(int64(length))
	tell(c, 7, string(request[:8])+string(g.m.data[at:at+int(length)]))
	return true
}

func tell(c net.Conn, id byte, body string) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(body)))
	_, err := c.Write(append(append(b, id), body...))
	return err
}
