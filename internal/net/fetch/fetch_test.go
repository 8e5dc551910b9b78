package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"shoal/internal/net/netio"
)

// world has every name and address lead to one test server, whatever they are.
type world struct {
	netio.Network
	server string
	names  map[string]netip.Addr
	dialed []netip.AddrPort
}

func (w *world) Resolve(_ context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if a, ok := w.names[host]; ok {
		return []netip.Addr{a}, nil
	}
	return nil, fmt.Errorf("no such host: %s", host)
}

func (w *world) Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	w.dialed = append(w.dialed, addr)
	var d net.Dialer
	return d.DialContext(ctx, "tcp", w.server)
}

func TestGet(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/file", func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a password was sent")
		}
		fmt.Fprint(rw, "content")
	})
	mux.HandleFunc("/endless", func(rw http.ResponseWriter, _ *http.Request) {
		for range 100 {
			fmt.Fprint(rw, strings.Repeat("x", 1000))
		}
	})
	redirect := func(path, to string) { mux.Handle(path, http.RedirectHandler(to, http.StatusFound)) }
	redirect("/here", "/file")
	redirect("/loop", "/loop")
	redirect("/local", "http://127.0.0.1/file")
	redirect("/private", "http://inside.example/file")
	redirect("/carrier", "http://carrier.example/file")
	redirect("/mapped", "http://mapped.example/file")
	redirect("/elsewhere", "http://other.example:81/file")
	redirect("/odd", "ftp://other.example/file")
	mux.HandleFunc("/cookie", func(rw http.ResponseWriter, r *http.Request) {
		if one, err := r.Cookie("seen"); err != nil || one.Value != "1" {
			http.SetCookie(rw, &http.Cookie{Name: "seen", Value: "1", Path: "/"})
			http.Redirect(rw, r, "/cookie", http.StatusFound)
			return
		}
		fmt.Fprint(rw, "content")
	})
	mux.HandleFunc("/blanks", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Location", " /file?a b ")
		rw.WriteHeader(307)
	})
	mux.HandleFunc("/login", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(403) })
	redirect("/out", "http://other.example/local")
	server := httptest.NewServer(mux)
	defer server.Close()

	for _, c := range []struct {
		url  string
		want error // nil: the content
	}{
		{"http://a.example/file", nil},
		{"http://a.example/here", nil},
		{"http://127.0.0.1/file", nil}, // the user may name what he likes
		{"http://127.0.0.1/local", nil},
		{"http://a.example/elsewhere", nil},
		{"http://a.example/cookie", nil},
		{"http://a.example/blanks", nil},
		{"http://a.example/login", ErrLogin},
		{"http://a.example/loop", ErrRedirect},
		{"http://a.example/local", ErrRedirect},
		{"http://a.example/private", ErrRedirect},
		{"http://a.example/carrier", ErrRedirect},
		{"http://a.example/mapped", ErrRedirect},
		{"http://127.0.0.1/out", ErrRedirect},
		{"http://a.example/odd", ErrRedirect},
		{"http://a.example/none", ErrStatus},
		{"http://a.example/endless", ErrTooLarge},
		{"ftp://a.example/file", ErrURL},
		{"http://", ErrURL},
	} {
		w := &world{server: server.Listener.Addr().String(), names: map[string]netip.Addr{
			"a.example":      netip.MustParseAddr("203.0.113.1"),
			"other.example":  netip.MustParseAddr("203.0.113.2"),
			"inside.example": netip.MustParseAddr("10.0.0.1"),
			// Addresses that look like those of the internet and are not.
			"carrier.example": netip.MustParseAddr("100.64.0.1"),
			"mapped.example":  netip.MustParseAddr("64:ff9b::10.0.0.1"),
		}}
		client := &Client{Network: w, UserAgent: "shoal/test"}
		got, err := client.Get(t.Context(), c.url, 100)
		b := got.Body
		switch {
		case c.want == nil && (err != nil || string(b) != "content"):
			t.Errorf("%s: %q, %v", c.url, b, err)
		case c.want != nil && !errors.Is(err, c.want):
			t.Errorf("%s: %q, %v", c.url, b, err)
		}
		if c.want == ErrRedirect && len(w.dialed) > maxRedirects+1 {
			t.Errorf("%s: %d connections", c.url, len(w.dialed))
		}
	}
	if _, err := (&Client{Network: &world{}}).Get(t.Context(), "http://unknown.example/", 100); err == nil || strings.Contains(err.Error(), "http://") {
		t.Errorf("%v", err)
	}
}

// A redirect to a magnet link, in any form, is the end of the way.
func TestRedirectToLink(t *testing.T) {
	const link = "magnet:?xt=urn:btih:b257af45fbc9f52d0e728490f2c2da9e4f66647e"
	to := ""
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Location", to)
		rw.WriteHeader(302)
	}))
	defer server.Close()
	client := &Client{Network: &world{server: server.Listener.Addr().String()}}
	for _, to = range []string{
		link, " " + link, strings.Replace(link, "magnet:?", "magnet://?", 1), "magnet%3A%3Fxt%3Durn%3Abtih%3Ab257af45fbc9f52d0e728490f2c2da9e4f66647e",
		"MAGNET:?xt=urn:btih:b257af45fbc9f52d0e728490f2c2da9e4f66647e",
	} {
		if got, err := client.Get(t.Context(), "http://203.0.113.1/", 100); err != nil || got.Link != link {
			t.Errorf("%s: %+v, %v", to, got, err)
		}
	}
}

// From https to http only where that is allowed. A certificate of one's own is trusted
// where it is named.
func TestDowngradeAndCertificates(t *testing.T) {
	open := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a password was sent on")
		}
		fmt.Fprint(rw, "content")
	}))
	defer open.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(open.URL, http.StatusFound))
	defer secure.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	c := &Client{Network: netio.New(netio.Policy{LoopbackOnly: true})}
	at := strings.Replace(secure.URL, "https://", "https://me:secret@", 1)
	if _, err := c.Get(t.Context(), at, 100); err == nil || errors.Is(err, ErrDowngrade) {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	c.RootCAs = roots
	if _, err := c.Get(t.Context(), at, 100); !errors.Is(err, ErrDowngrade) {
		t.Errorf("a downgrade: %v", err)
	}
	c.Downgrade = true
	if got, err := c.Get(t.Context(), at, 100); err != nil || string(got.Body) != "content" {
		t.Errorf("one that is allowed: %q, %v", got.Body, err)
	}
}

// A cookie goes to the site that set it, and not to another one that shares its country's
// ending.
func TestCookiesStayWithTheirSite(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		got = append(got, r.Host+" "+r.Header.Get("Cookie"))
		switch r.Host {
		case "www.a.co.uk":
			rw.Header().Add("Set-Cookie", "all=1; Domain=co.uk; Path=/")
			rw.Header().Add("Set-Cookie", "site=2; Domain=a.co.uk; Path=/")
			rw.Header().Add("Set-Cookie", "host=3; Path=/")
			http.Redirect(rw, r, "http://a.co.uk/", http.StatusFound)
		case "a.co.uk":
			http.Redirect(rw, r, "http://b.co.uk/", http.StatusFound)
		}
	}))
	defer server.Close()
	w := &world{server: server.Listener.Addr().String(), names: map[string]netip.Addr{}}
	for i, name := range []string{"www.a.co.uk", "a.co.uk", "b.co.uk"} {
		w.names[name] = netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})
	}
	if _, err := (&Client{Network: w}).Get(t.Context(), "http://www.a.co.uk/", 100); err != nil {
		t.Fatal(err)
	}
	if want := "www.a.co.uk  a.co.uk site=2 b.co.uk "; strings.Join(got, " ") != want {
		t.Errorf("%q, not %q", got, want)
	}
}
