package httpserve_test

import (
	"errors"
	"net/http"
	"net/netip"
	"testing"

	"shoal/httpserve"
)

// A port that is open can be reached at the addresses that are named, until the server ends.
func TestListenAndServe(t *testing.T) {
	l, err := httpserve.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if at := httpserve.Reachable(l.Addr()); len(at) != 1 || at[0] != l.Addr() || at[0].Port() == 0 {
		t.Errorf("reachable at %v", at)
	}
	all := httpserve.Reachable(netip.MustParseAddrPort("0.0.0.0:80"))
	if last := all[len(all)-1]; last != netip.MustParseAddrPort("127.0.0.1:80") {
		t.Errorf("reachable at %v", all)
	}
	answers(t, l, http.NotFoundHandler())
}

// A server without a handler answers with http.DefaultServeMux, as it does without this package.
func TestServeWithoutHandler(t *testing.T) {
	l, err := httpserve.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	answers(t, l, nil)
}

// answers serves a handler that answers 404, until the server is closed.
func answers(t *testing.T, l *httpserve.Listener, h http.Handler) {
	t.Helper()
	s := &http.Server{Handler: h}
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(s, 2) }()
	r, err := http.Get("http://" + l.Addr().String() + "/") //nolint:noctx
	if err != nil || r.StatusCode != http.StatusNotFound {
		t.Errorf("%v, %v", r, err)
	}
	if err == nil {
		r.Body.Close()
	}
	s.Close()
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
