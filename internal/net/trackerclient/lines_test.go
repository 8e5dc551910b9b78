package trackerclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"shoal/internal/format/tracker"
)

// among announces while others wait for the same tracker.
func (w *world) among(url string) (tracker.Response, error) {
	return w.client.AnnounceAmong(context.Background(), url, tracker.Params{Port: 6881, NumWant: 50}, nil, true)
}

// patient serves many requests over each connection, up to so many. It counts connections.
func (w *world) patient(each int, head string) *atomic.Int64 {
	w.t.Helper()
	n := new(atomic.Int64)
	l, err := w.net.Host(public).Listen(netip.AddrPortFrom(public, 80))
	if err != nil {
		w.t.Fatal(err)
	}
	w.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			w.wg.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for range each {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					const body = "d8:intervali1800e5:peers0:e"
					fmt.Fprintf(conn, head, len(body))
					io.WriteString(conn, body)
					if r.Close {
						return
					}
				}
			})
		}
	})
	return n
}

// kept returns how many connections wait for the next announce.
func (w *world) kept() int {
	w.client.lines.mu.Lock()
	defer w.client.lines.mu.Unlock()
	return len(w.client.lines.idle)
}

const keeps = "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"

// While others wait, announces go over one connection; the last one says that it is the last.
func TestConnectionIsKeptWhileOthersWait(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		n := w.patient(100, keeps)
		for range 5 {
			if r, err := w.among("http://tracker.example/announce"); err != nil || r.Took != 40*time.Millisecond {
				t.Fatal(r.Took, err)
			}
		}
		if _, err := w.announce("http://tracker.example/announce"); err != nil {
			t.Fatal(err)
		}
		if n.Load() != 1 || w.kept() != 0 {
			t.Errorf("%d connections, %d of them kept", n.Load(), w.kept())
		}
	})
}

// A tracker that closed a kept connection is asked again over a new one.
func TestClosedConnectionIsReplaced(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		n := w.patient(2, keeps)
		for range 6 {
			if _, err := w.among("http://tracker.example/announce"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n.Load() != 3 {
			t.Errorf("%d connections", n.Load())
		}
	})
}

// A connection is not kept when the tracker does not want it, or when its end is not clear.
func TestConnectionIsNotKept(t *testing.T) {
	for name, head := range map[string]string{
		"said":       "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: %d\r\n\r\n",
		"old":        "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n",
		"no length":  "HTTP/1.1 200 OK\r\nX-Length: %d\r\n\r\n",
		"too short":  "HTTP/1.1 200 OK\r\nX: %d\r\nContent-Length: 26\r\n\r\n",
		"two blanks": "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n  ",
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				n := w.patient(100, head)
				for range 3 {
					if _, err := w.among("http://tracker.example/announce"); err != nil {
						t.Fatal(err)
					}
				}
				if n.Load() != 3 {
					t.Errorf("%d connections", n.Load())
				}
			})
		})
	}
}

// A kept connection that nobody needs is closed soon.
func TestKeptConnectionEnds(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.patient(100, keeps)
		for range 3 {
			if _, err := w.among("http://tracker.example/announce"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(lineLife + time.Second)
		if n := w.kept(); n != 0 {
			t.Errorf("%d are kept", n)
		}
	})
}

// What asks for fewer announces is told apart from what refuses one.
func TestBusy(t *testing.T) {
	for text, busy := range map[string]bool{
		"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nslow":                               true,
		"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n":                                         true,
		"HTTP/1.1 429 Too Many\r\nContent-Length: 27\r\n\r\nd14:failure reason4:slowe":                  true,
		"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\nd14:failure reason4:slowe":                        false,
		"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n":                                                false,
		"HTTP/1.1 404 Not Found\r\nContent-Length: 25\r\n\r\nd14:failure reason4:slowe":                 false,
		"HTTP/1.1 403 No\r\nRetry-After: 60\r\nContent-Length: 25\r\n\r\nd14:failure reason4:slowe":     false,
		"HTTP/1.1 503 Later\r\nRetry-After: 600\r\nContent-Length: 25\r\n\r\nd14:failure reason4:slowe": true,
	} {
		play(t, func(t *testing.T, w *world) {
			w.serve(public, 80, says(text))
			_, err := w.announce("http://tracker.example/announce")
			if err == nil || IsBusy(err) != busy {
				t.Errorf("%q: %v, busy %v", text, err, IsBusy(err))
			}
			if failure, ok := errors.AsType[*tracker.FailureError](err); ok && RetryIn(err) != failure.RetryIn {
				t.Errorf("%q: again in %v", text, RetryIn(err))
			}
		})
	}
}
