package trackerclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/format/tracker"
	"shoal/internal/net/netio"
)

// start serves on real loopback sockets with the standard library's server.
func start(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	l, err := netio.New(netio.Policy{LoopbackOnly: true}).Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that the tests make fail
	t.Cleanup(s.Close)
	return s
}

// tell is a tracker that answers what it was told.
func tell(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	text := q.Get("port") + " " + q.Get("left") + " " + q.Get("event") + " " + q.Get("passkey")
	if q.Get("info_hash") != "\x00 +&=%\xffaaaaaaaaaaaaa" {
		text = "wrong hash " + q.Get("info_hash")
	}
	fmt.Fprintf(w, "d8:intervali60e15:warning message%d:%se", len(text), text)
}

var params = tracker.Params{InfoHash: [20]byte([]byte("\x00 +&=%\xffaaaaaaaaaaaaa")), Port: 6881, Left: 77, Event: tracker.Completed}

func TestOverLoopback(t *testing.T) {
	s := start(t, tell)
	s.Start()
	c := &Client{Network: netio.New(netio.Policy{LoopbackOnly: true})}
	r, err := c.Announce(context.Background(), s.URL+"/announce?passkey=k", params, nil)
	if err != nil || r.Warning != "6881 77 completed k" {
		t.Errorf("%q, %v", r.Warning, err)
	}
}

// Certificates are verified: against the roots given, and for the host in the URL.
func TestOverTLS(t *testing.T) {
	s := start(t, tell)
	s.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	n := netio.New(netio.Policy{LoopbackOnly: true})

	trusting := &Client{Network: n, RootCAs: roots}
	r, err := trusting.Announce(context.Background(), s.URL+"/announce?passkey=k", params, nil)
	if err != nil || r.Warning != "6881 77 completed k" {
		t.Errorf("%q, %v", r.Warning, err)
	}
	for name, c := range map[string]struct {
		client *Client
		url    string
	}{
		"unknown authority": {&Client{Network: n, RootCAs: x509.NewCertPool()}, s.URL},
		"another host":      {trusting, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)},
	} {
		_, err := c.client.Announce(context.Background(), c.url+"/announce", params, nil)
		if err == nil || !strings.Contains(err.Error(), "secure the connection: tls: failed to verify certificate") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Where nobody listens, that is said once.
func TestNobodyListens(t *testing.T) {
	s := start(t, tell)
	s.Start()
	at := strings.TrimPrefix(s.URL, "http://")
	s.Close()
	c := &Client{Network: netio.New(netio.Policy{LoopbackOnly: true})}
	_, err := c.Announce(context.Background(), "http://"+at+"/announce", params, nil)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	if want := "announce to " + at + ": connect to " + at + ": " + syscall.ECONNREFUSED.Error(); err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}
