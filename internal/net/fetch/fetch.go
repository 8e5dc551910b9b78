// Package fetch downloads one file from a URL that the user named, with bounds on its size, the
// time and the redirects.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"shoal/internal/net/netio"
	"shoal/internal/value/ipscope"
	"shoal/magnet"
)

// Bounds of a download.
const (
	timeout      = 60 * time.Second // bound on the whole download
	headTime     = 20 * time.Second
	dialTime     = 10 * time.Second
	maxRedirects = 5
	maxHead      = 64 << 10
	maxAddresses = 4 // addresses tried for a name
)

// Errors that callers distinguish.
var (
	ErrURL       = errors.New("not a URL that shoal can fetch")
	ErrTooLarge  = errors.New("too large")
	ErrRedirect  = errors.New("a redirect that shoal does not follow")
	ErrDowngrade = fmt.Errorf("%w: from https to http", ErrRedirect)
	ErrStatus    = errors.New("the server refuses")
	ErrLogin     = fmt.Errorf("%w: it wants a login", ErrStatus)
	errForbidden = errors.New("it leads from the internet to a local address")
)

// Client downloads files over a network.
type Client struct {
	Network   netio.Network
	UserAgent string
	RootCAs   *x509.CertPool // trusted certificate authorities; nil means the system's
	Downgrade bool           // follow redirects from https to http
}

// Got is the result of a download.
type Got struct {
	Body []byte // content of the file; with an error, the part before the error
	Link string // magnet link that a redirect led to; Body is then empty
}

// Get downloads the file at an http or https URL, of at most `most` bytes. It follows redirects, with
// the cookies set on the way. It does not follow one from https to http unless Downgrade allows
// that, nor one from an address on the internet to one of this machine or of the local network,
// where a server elsewhere has nothing to fetch. A redirect to a magnet link ends the download.
func (c *Client) Get(ctx context.Context, raw string, most int64) (Got, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Got{}, fmt.Errorf("%w: it begins with neither http:// nor https://", ErrURL)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	way := &transport{network: c.Network}
	transport := &http.Transport{
		DialContext: way.dial, DisableKeepAlives: true, DisableCompression: true,
		TLSHandshakeTimeout: headTime, ResponseHeaderTimeout: headTime, MaxResponseHeaderBytes: maxHead,
		TLSClientConfig: &tls.Config{RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12},
	}
	jar, _ := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	client := &http.Client{
		Transport: transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for hop := 0; ; hop++ {
		resp, err := c.ask(ctx, client, u)
		if err != nil {
			return Got{}, plain(err)
		}
		location := resp.Header.Get("Location")
		if resp.StatusCode < 300 || resp.StatusCode > 399 || location == "" {
			return body(resp, most)
		}
		resp.Body.Close()
		if magnet.Is(location) {
			link, _ := magnet.Clean(location)
			return Got{Link: link}, nil
		}
		if hop == maxRedirects {
			return Got{}, fmt.Errorf("%w: more than %d of them", ErrRedirect, maxRedirects)
		}
		if u, err = c.follow(u, location); err != nil {
			return Got{}, err
		}
	}
}

func (c *Client) ask(ctx context.Context, client *http.Client, u *url.URL) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	req.Header.Set("User-Agent", c.UserAgent)
	req.Header.Set("Accept", "application/x-bittorrent, */*;q=0.1")
	return client.Do(req)
}

// body reads the file from an answer.
func body(resp *http.Response, most int64) (Got, error) {
	defer resp.Body.Close()
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return Got{}, fmt.Errorf("%w: %s", ErrLogin, resp.Status)
	case code < 200 || code > 299:
		return Got{}, fmt.Errorf("%w: %s", ErrStatus, resp.Status)
	}
	if resp.ContentLength > most {
		return Got{}, fmt.Errorf("%w: %d bytes; the limit is %d bytes", ErrTooLarge, resp.ContentLength, most)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if int64(len(b)) > most {
		return Got{}, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
	}
	if err != nil {
		return Got{Body: b}, plain(err)
	}
	return Got{Body: b}, nil
}

// plain removes the URL from an error, because the caller names it.
func plain(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("it took longer than %v: %w", timeout, err)
	}
	return err
}

// follow returns the target of a Location of u. Credentials stay with their host.
func (c *Client) follow(u *url.URL, location string) (*url.URL, error) {
	ref, err := url.Parse(strings.ReplaceAll(strings.TrimSpace(location), " ", "%20"))
	if err != nil {
		return nil, fmt.Errorf("%w: its target is not a URL", ErrRedirect)
	}
	to := u.ResolveReference(ref)
	switch {
	case to.Scheme != "http" && to.Scheme != "https" || to.Host == "":
		return nil, fmt.Errorf("%w: to %s", ErrRedirect, to.Scheme)
	case u.Scheme == "https" && to.Scheme == "http" && !c.Downgrade:
		return nil, ErrDowngrade
	}
	to.User = nil
	if strings.EqualFold(u.Host, to.Host) && u.Scheme == to.Scheme {
		to.User = u.User
	}
	return to, nil
}

// transport is the path of redirects of one Get.
type transport struct {
	network netio.Network
	public  bool // the path contains an address on the internet
}

// dial connects to the first address of a host that answers.
func (w *transport) dial(ctx context.Context, _, hostPort string) (net.Conn, error) {
	host, text, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("%w: no port %q", ErrURL, text)
	}
	addrs, err := w.network.Resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	failed := fmt.Errorf("%s has no address", host)
	for i, a := range addrs[:min(len(addrs), maxAddresses)] {
		if ipscope.Internal(a) && w.public {
			return nil, fmt.Errorf("%w: %w", ErrRedirect, errForbidden)
		}
		one, cancel := context.WithTimeout(ctx, dialTime)
		conn, err := w.network.Dial(one, netip.AddrPortFrom(a, uint16(port)))
		cancel()
		if err == nil {
			w.public = w.public || !ipscope.Internal(a)
			return conn, nil
		}
		if i == 0 {
			failed = err
		}
	}
	return nil, failed
}
