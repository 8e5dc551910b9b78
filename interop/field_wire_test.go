//go:build interop

package interop

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// A sloppy server reads requests and answers each with bytes as they are given: nothing of
// HTTP is between them and the socket.
type sloppy struct {
	at netip.AddrPort

	mu       sync.Mutex
	requests []string // the head of each, as it came
}

// startSloppy answers every request by a function of its head. After an answer it closes the
// connection, but where the answer ends in keepOpen.
func startSloppy(t *testing.T, answer func(request string) []byte) *sloppy {
	t.Helper()
	s := &sloppy{at: newAddr()}
	l, err := net.Listen("tcp", s.at.String())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	stop := make(chan struct{})
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				s.serve(c, answer, stop)
			})
		}
	})
	t.Cleanup(func() {
		close(stop)
		l.Close()
		all.Wait()
	})
	return s
}

// keepOpen at the end of an answer leaves the connection open.
const keepOpen = "\x00keep open"

func (s *sloppy) serve(c net.Conn, answer func(string) []byte, stop chan struct{}) {
	c.SetDeadline(time.Now().Add(5 * time.Second))
	var head bytes.Buffer
	for one := make([]byte, 1); !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")) && head.Len() < 16<<10; head.Write(one) {
		if _, err := io.ReadFull(c, one); err != nil {
			return
		}
	}
	s.mu.Lock()
	s.requests = append(s.requests, head.String())
	s.mu.Unlock()
	text, keep := bytes.CutSuffix(answer(head.String()), []byte(keepOpen))
	c.Write(text)
	if keep {
		c.SetDeadline(time.Time{})
		select {
		case <-stop:
		case <-time.After(20 * time.Second):
		}
		return
	}
	// Reading to the end keeps a reset from overtaking the answer.
	c.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, c)
}

// asked gives the requests so far.
func (s *sloppy) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// ok is an answer as it should be, with more lines in its head.
func ok(body string, lines ...string) []byte {
	head := "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	for _, l := range lines {
		head += l + "\r\n"
	}
	return []byte(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body))
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

func zlibbed(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

func deflated(s string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

// A doorbell listens where a peer would be, and notes when somebody comes.
type doorbell struct {
	at   netip.AddrPort
	mu   sync.Mutex
	rung bool
}

func startDoorbell(t *testing.T) *doorbell {
	t.Helper()
	d := &doorbell{at: newAddr()}
	l, err := net.Listen("tcp", d.at.String())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.mu.Lock()
			d.rung = true
			d.mu.Unlock()
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return d
}

func (d *doorbell) rang() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rung
}

// compact gives the compact form of addresses of IPv4.
func compact(all ...netip.AddrPort) string {
	var b strings.Builder
	for _, a := range all {
		four := a.Addr().As4()
		b.Write(four[:])
		b.WriteByte(byte(a.Port() >> 8))
		b.WriteByte(byte(a.Port()))
	}
	return b.String()
}
