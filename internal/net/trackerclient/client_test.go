package trackerclient

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"shoal/bencode"
	"shoal/internal/format/tracker"
	"shoal/internal/net/netio"
	"shoal/internal/simnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The machines of the tests.
var (
	ours    = netip.MustParseAddr("9.9.9.1")
	public  = netip.MustParseAddr("9.9.9.2")
	public2 = netip.MustParseAddr("9.9.9.3")
	private = netip.MustParseAddr("192.168.1.4")
	ours6   = netip.MustParseAddr("2001:db8::1")
	public6 = netip.MustParseAddr("2001:db8::2")
)

// world is a network with one client and trackers.
type world struct {
	t      *testing.T
	net    *simnet.Net
	client *Client
	wg     sync.WaitGroup

	mu  sync.Mutex
	log []string // requests as they came: host, target
}

// play runs a test in fake time; at its end everything is closed and waited for.
func play(t *testing.T, body func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{Link: simnet.Link{Delay: 20 * time.Millisecond}})
		w := &world{t: t, net: n}
		w.client = &Client{Network: n.Host(ours, netip.MustParseAddr("192.168.1.1"), ours6), UserAgent: "shoal/0.1"}
		n.Name("tracker.example", public)
		n.Name("other.example", public2)
		n.Name("lan.example", private)
		body(t, w)
		w.client.Close()
		n.Close()
		w.wg.Wait()
	})
}

// serve answers every connection to addr with what answer writes.
func (w *world) serve(addr netip.Addr, port uint16, answer func(conn net.Conn, r *http.Request)) {
	w.t.Helper()
	l, err := w.net.Host(addr).Listen(netip.AddrPortFrom(addr, port))
	if err != nil {
		w.t.Fatal(err)
	}
	w.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			w.wg.Go(func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				w.mu.Lock()
				w.log = append(w.log, r.Host+" "+r.RequestURI)
				w.mu.Unlock()
				answer(conn, r)
			})
		}
	})
}

// says is a tracker that always answers with the same bytes.
func says(text string) func(net.Conn, *http.Request) {
	return func(c net.Conn, _ *http.Request) { io.WriteString(c, text) }
}

func ok(body string) func(net.Conn, *http.Request) {
	return says(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

func redirect(to string) func(net.Conn, *http.Request) {
	return says("HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n")
}

func (w *world) announce(url string) (tracker.Response, error) {
	return w.client.Announce(context.Background(), url, tracker.Params{Port: 6881, NumWant: 50, Event: tracker.Started}, nil)
}

const plenty = "d8:intervali1800e5:peers6:\x01\x02\x03\x04\x1a\xe1e"

func TestAnnounce(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		var seen *http.Request
		w.serve(public, 8080, func(c net.Conn, r *http.Request) {
			seen = r
			ok(plenty)(c, r)
		})
		r, err := w.announce("http://tracker.example:8080/a%2fb/announce?passkey=%7e+x")
		if err != nil {
			t.Fatal(err)
		}
		if r.Interval != 30*time.Minute || len(r.Peers) != 1 || r.Peers[0].Addr != netip.MustParseAddrPort("1.2.3.4:6881") {
			t.Errorf("got %+v", r)
		}
		want := "/a%2fb/announce?passkey=%7e+x&info_hash=" + strings.Repeat("%00", 20) + "&peer_id="
		if !strings.HasPrefix(seen.RequestURI, want) || !strings.Contains(seen.RequestURI, "&event=started&") {
			t.Errorf("asked %s", seen.RequestURI)
		}
		if seen.Method != "GET" || seen.Host != "tracker.example:8080" || seen.UserAgent() != "shoal/0.1" || !seen.Close {
			t.Errorf("asked %s %s as %q, close %v", seen.Method, seen.Host, seen.UserAgent(), seen.Close)
		}
	})
}

// Forms that trackers answer in.
func TestForms(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, plenty)
	z.Close()
	for name, text := range map[string]string{
		"until the end":  "HTTP/1.0 200 OK\r\n\r\n" + plenty,
		"chunked":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(plenty), plenty),
		"compressed":     "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + zipped.String(),
		"after a notice": "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + plenty,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				w.serve(public, 80, says(text))
				if r, err := w.announce("http://tracker.example"); err != nil || len(r.Peers) != 1 {
					t.Errorf("%+v, %v", r, err)
				}
			})
		})
	}
}

// What trackers say instead of an answer, and what is made of it. No error shows the
// passkey.
func TestFailures(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 8<<20))
	z.Close()
	forever := func(head, unit string) func(net.Conn, *http.Request) {
		return func(c net.Conn, _ *http.Request) {
			io.WriteString(c, head)
			for {
				if _, err := io.WriteString(c, unit); err != nil {
					return
				}
			}
		}
	}
	failure := func(reason string, retry time.Duration) func(error) bool {
		return func(err error) bool {
			var f *tracker.FailureError
			return errors.As(err, &f) && f.Reason == reason && RetryIn(err) == retry
		}
	}
	status := func(code int, retry time.Duration) func(error) bool {
		return func(err error) bool {
			var s *StatusError
			return errors.As(err, &s) && s.Code == code && RetryIn(err) == retry
		}
	}
	is := func(target error) func(error) bool {
		return func(err error) bool { return errors.Is(err, target) && RetryIn(err) == 0 }
	}
	for name, c := range map[string]struct {
		answer func(net.Conn, *http.Request)
		want   func(error) bool
	}{
		"failure reason":            {ok("d14:failure reason5:go on8:retry ini7ee"), failure("go on", 7*time.Minute)},
		"failure reason and 400":    {says("HTTP/1.1 400 Bad\r\n\r\nd14:failure reason2:noe"), failure("no", 0)},
		"404":                       {says("HTTP/1.1 404 Not Found\r\n\r\n<html>"), status(404, 0)},
		"503 with a wait":           {says("HTTP/1.1 503 Busy\r\nRetry-After: 120\r\n\r\n"), status(503, 2*time.Minute)},
		"503 with an endless wait":  {says("HTTP/1.1 503 Busy\r\nRetry-After: 2000000000\r\n\r\n"), status(503, tracker.MaxInterval)},
		"redirect to nowhere":       {says("HTTP/1.1 302 Found\r\n\r\n"), status(302, 0)},
		"redirect to a file":        {redirect("file:///etc/passwd"), is(tracker.ErrURL)},
		"redirect to udp":           {redirect("udp://tracker.example:80/announce"), is(tracker.ErrURL)},
		"redirect to nonsense":      {redirect("http://[::1"), is(tracker.ErrURL)},
		"html":                      {ok("<html>"), is(bencode.ErrSyntax)},
		"empty":                     {ok(""), is(tracker.ErrEmpty)},
		"no content":                {says("HTTP/1.1 204 No Content\r\n\r\n"), is(tracker.ErrEmpty)},
		"not HTTP":                  {says("SSH-2.0-secret\r\n"), is(ErrReply)},
		"nothing at all":            {says(""), is(io.ErrUnexpectedEOF)},
		"cut short":                 {says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd8:inter"), is(io.ErrUnexpectedEOF)},
		"notices only":              {says(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100)), status(100, 0)},
		"not compressed, no answer": {says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nhello"), is(bencode.ErrSyntax)},
		"a page":                    {ok("<!DOCTYPE html><html>"), is(bencode.ErrSyntax)},
		"headers without an end":    {says("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"), is(ErrReply)},
		"a failure and a wait":      {says("HTTP/1.1 503 Busy\r\nRetry-After: 120\r\n\r\nd14:failure reason2:noe"), failure("no", 2*time.Minute)},
		"compression bomb":          {says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + bomb.String()), is(ErrTooLong)},
		"endless body":              {forever("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 10000)), is(ErrTooLong)},
		"endless chunks":            {forever("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\nx\r\n", 1000)), is(ErrTooLong)},
		"endless header":            {forever("HTTP/1.1 200 OK\r\n", strings.Repeat("X-Y: z\r\n", 1000)), is(ErrTooLong)},
		"endless header line":       {forever("HTTP/1.1 200 OK\r\nX: ", strings.Repeat("x", 1000)), is(ErrTooLong)},
		"silence":                   {func(c net.Conn, _ *http.Request) { io.Copy(io.Discard, c) }, is(context.DeadlineExceeded)},
		"a trickle": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nd1:x9999999:")
			for {
				time.Sleep(time.Second)
				if _, err := io.WriteString(c, "x"); err != nil {
					return
				}
			}
		}, is(context.DeadlineExceeded)},
		"reset": {func(c net.Conn, _ *http.Request) {
			c.(interface{ SetLinger(int) error }).SetLinger(0)
		}, func(err error) bool { var e *net.OpError; return errors.As(err, &e) }},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				w.serve(public, 80, c.answer)
				start := time.Now()
				_, err := w.announce("http://user:secret@tracker.example/secret/announce?passkey=secret")
				if !c.want(err) {
					t.Errorf("got %v", err)
				}
				var e *Error
				if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "announce to tracker.example: ") || strings.Contains(err.Error(), "secret") {
					t.Errorf("the error reads %q", err)
				}
				if d := time.Since(start); d > DefaultTimeout {
					t.Errorf("it took %v", d)
				}
			})
		})
	}
}

func TestNoTracker(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.net.Host(public2) // it is there and does not listen
		for url, want := range map[string]string{
			"http://other.example/announce":   "announce to other.example: connect to 9.9.9.3:80: connection refused",
			"http://nobody.example/announce":  "announce to nobody.example: resolve: ",
			"http://tracker.example/announce": "announce to tracker.example: connect: context deadline exceeded",
			"udp://tracker.example/announce":  "announce to tracker.example: ask: context deadline exceeded",
			"wss://tracker.example/announce":  "announce to tracker.example: read the announce URL: ",
			"http://träcker.example/announce": "announce to xn--trcker-cua.example: resolve: ",
			"http://trä_!cker.example/secret": "announce to tracker: read the announce URL: ",
			"http://a.example:0/announce":     "announce to a.example:0: read the announce URL: ",
			"http://a.example:99999/announce": "announce to a.example:99999: read the announce URL: ",
			"http://a b@c.example/x/secret":   "announce to c.example: resolve: ",
			"secret":                          "announce to tracker: read the announce URL: ",
		} {
			w.client.Timeout = 5 * time.Second
			_, err := w.announce(url)
			if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", url, err)
			}
		}
	})
}

// A name with several addresses: one that does not answer does not stop the announce.
func TestNextAddress(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.net.Name("many.example", public, public2)
		w.serve(public2, 80, ok(plenty))
		if _, err := w.announce("http://many.example/announce"); err != nil {
			t.Error(err)
		}
	})
}

func TestCancel(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.serve(public, 80, func(c net.Conn, _ *http.Request) { io.Copy(io.Discard, c) })
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := w.client.Announce(ctx, "http://tracker.example/announce", tracker.Params{}, nil)
		if !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestRedirects(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		var auth []string
		w.serve(public, 80, func(c net.Conn, r *http.Request) {
			auth = append(auth, r.Header.Get("Authorization"))
			switch {
			case strings.HasPrefix(r.RequestURI, "/loop"):
				redirect("/loop/again")(c, r)
			case strings.HasPrefix(r.RequestURI, "/a/one"):
				redirect("two?x")(c, r)
			case strings.HasPrefix(r.RequestURI, "/cookie"):
				if one, err := r.Cookie("seen"); err != nil || one.Value != "1" {
					says("HTTP/1.1 307 Again\r\nset-cookie: seen=1; Path=/\r\nLocation:  /cookie?x y\r\n\r\n")(c, r)
					return
				}
				ok(plenty)(c, r)
			case strings.HasPrefix(r.RequestURI, "/a/two"):
				redirect("http://evil:word@other.example:81/three")(c, r)
			}
		})
		w.serve(public2, 81, func(c net.Conn, r *http.Request) {
			auth = append(auth, r.Header.Get("Authorization"))
			ok(plenty)(c, r)
		})
		if _, err := w.announce("http://me:pass@tracker.example/a/one"); err != nil {
			t.Error(err)
		}
		if got := strings.Join(w.log[1:], ", "); got != "tracker.example /a/two?x, other.example:81 /three" {
			t.Errorf("went to %s", got)
		}
		if auth[0] == "" || auth[1] != auth[0] || auth[2] != "" {
			t.Errorf("credentials given: %q; they belong to the first host alone", auth)
		}
		w.log = nil
		if _, err := w.announce("http://tracker.example/cookie"); err != nil || len(w.log) != 2 {
			t.Errorf("with a cookie, after %q: %v", w.log, err)
		}
		w.log = nil
		if _, err := w.announce("http://tracker.example/loop"); !errors.Is(err, ErrRedirects) || len(w.log) != 6 {
			t.Errorf("after %d requests: %v", len(w.log), err)
		}
	})
}

// Who may be sent where.
func TestLocalAddresses(t *testing.T) {
	for _, c := range []struct {
		url, location string
		allowed       bool
	}{
		{"http://127.0.0.1:7000/announce", "", true},
		{"http://127.0.0.1:7000/announce.php?passkey=x", "", true},
		{"http://localhost:7000/announce/x", "", true},
		{"http://lan.example:7000/announce", "", true},
		{"http://127.0.0.1:7000/", "", false},
		{"http://127.0.0.1:7000/admin/announce", "", false},
		{"http://127.0.0.1:7000/announce/../admin", "", false},
		{"http://127.0.0.1:7000/announce/%2E./admin", "", false},
		{"http://localhost:7000/shutdown", "", false},
		{"http://[::ffff:127.0.0.1]:7000/shutdown", "", false},
		{"http://lan.example:7000/reboot?now", "", false},
		{"http://192.168.1.4:7000/reboot", "", false},
		{"http://tracker.example/announce", "http://other.example:7000/anything", true},
		{"http://tracker.example/announce", "http://127.0.0.1:7000/announce", false},
		{"http://tracker.example/announce", "http://lan.example:7000/announce", false},
		{"http://tracker.example/announce", "http://localhost:7000/", false},
		{"http://lan.example/announce", "http://127.0.0.1:7000/announce", true},
		{"http://lan.example/announce", "http://127.0.0.1:7000/admin", false},
		{"http://lan.example/announce", "http://other.example:7000/x", true},
	} {
		t.Run(c.url+" "+c.location, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				reached := false
				target := func(conn net.Conn, r *http.Request) {
					reached = true
					ok(plenty)(conn, r)
				}
				serveLocal(w, target)
				w.serve(private, 7000, target)
				w.serve(public2, 7000, target)
				w.serve(public, 80, redirect(c.location))
				w.serve(private, 80, redirect(c.location))
				_, err := w.announce(c.url)
				if c.allowed && (err != nil || !reached) {
					t.Errorf("refused: %v", err)
				}
				if !c.allowed && (!errors.Is(err, ErrForbidden) || reached) {
					t.Errorf("reached %v, error %v", reached, err)
				}
			})
		})
	}
}

// What the user allows is asked at any path, whoever led there; and nothing else is.
func TestLANAllowed(t *testing.T) {
	for _, c := range []struct {
		lan, url, location string
		allowed            bool
	}{
		{"lan.example", "http://lan.example:7000/t.php?passkey=x", "", true},
		{"LAN.example.", "http://lan.example:7000/t.php", "", true},
		{"192.168.1.4", "http://lan.example:7000/t.php", "", true},
		{"192.168.0.0/16", "http://192.168.1.4:7000/", "", true},
		{"192.168.1.4", "http://tracker.example/announce", "http://192.168.1.4:7000/t.php", true},
		{"10.0.0.0/8", "http://lan.example:7000/t.php", "", false},
		{"other.example", "http://lan.example:7000/t.php", "", false},
		{"lan.example", "http://192.168.1.4:7000/t.php", "", false},
		{"", "http://lan.example:7000/t.php", "", false},
	} {
		t.Run(c.lan+" "+c.url, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				w.client.LAN = []string{c.lan}
				w.serve(private, 7000, ok(plenty))
				w.serve(public, 80, redirect(c.location))
				_, err := w.announce(c.url)
				if c.allowed != (err == nil) {
					t.Errorf("allowed %v: %v", c.allowed, err)
				}
				if err != nil && (!errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), "--allow-lan-trackers ")) {
					t.Errorf("the error reads %v", err)
				}
			})
		})
	}
}

// serveLocal listens on the client's own loopback.
func serveLocal(w *world, answer func(net.Conn, *http.Request)) {
	host := w.client.Network.(*simnet.Host)
	l, err := host.Listen(netip.MustParseAddrPort("127.0.0.1:7000"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.wg.Go(func() { serveOn(l, answer) })
}

func serveOn(l net.Listener, answer func(net.Conn, *http.Request)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			answer(c, r)
		}
		c.Close()
	}
}

// Peers given by name come with an address, or not at all.
func TestPeersByName(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.net.Name("peer.example", public2)
		w.serve(public, 80, ok("d5:peersl"+
			"d2:ip12:peer.example7:peer id20:abcdefghijklmnopqrst4:porti7eed2:ip12:nope.example4:porti8eed2:ip7:9.9.9.94:porti9eeee"))
		r, err := w.announce("http://tracker.example/announce")
		if err != nil || len(r.Peers) != 2 {
			t.Fatalf("%+v, %v", r.Peers, err)
		}
		if p := r.Peers[0]; p.Addr != netip.AddrPortFrom(public2, 7) || p.Host != "" || !p.HasID {
			t.Errorf("got %+v", p)
		}
		if p := r.Peers[1]; p.Addr != netip.MustParseAddrPort("9.9.9.9:9") {
			t.Errorf("got %+v", p)
		}
	})
}

// The network's policy has the last word.
func TestPolicy(t *testing.T) {
	c := &Client{Network: netio.New(netio.Policy{LoopbackOnly: true})}
	_, err := c.Announce(context.Background(), "http://tracker.example/announce", tracker.Params{}, nil)
	if !errors.Is(err, netio.ErrPolicy) {
		t.Errorf("got %v", err)
	}
}
