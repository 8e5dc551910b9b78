// Package fetch gets one file by a URL that the user named, with bounds on everything:
// its size, the time it takes, the redirects on the way.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shoal/internal/netio"
)

// Bounds.
const (
	timeout      = 60 * time.Second // of the whole
	headTime     = 20 * time.Second
	dialTime     = 10 * time.Second
	maxRedirects = 5
	maxHead      = 64 << 10
	maxAddresses = 4 // of a name are tried
)

// Errors that callers choose by.
var (
	ErrURL       = errors.New("not a URL that can be fetched")
	ErrTooLarge  = errors.New("too large")
	ErrRedirect  = errors.New("a redirect that is not followed")
	ErrStatus    = errors.New("the server refuses")
	errForbidden = errors.New("it leads from the internet to a local address")
)

// Client gets files over a network.
type Client struct {
	Network   netio.Network
	UserAgent string
}

// Get gets the file at an http or https URL, of at most most bytes. Redirects are
// followed, but not from https to http, and not from an address of the internet to one of
// this machine or of the local network: a server elsewhere has nothing to fetch there.
func (c *Client) Get(ctx context.Context, raw string, most int64) ([]byte, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%w: it begins with neither http:// nor https://", ErrURL)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	way := &way{network: c.Network}
	transport := &http.Transport{
		DialContext: way.dial, DisableKeepAlives: true, DisableCompression: true,
		TLSHandshakeTimeout: headTime, ResponseHeaderTimeout: headTime, MaxResponseHeaderBytes: maxHead,
	}
	client := &http.Client{Transport: transport, CheckRedirect: checkRedirect}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	req.Header.Set("User-Agent", c.UserAgent)
	req.Header.Set("Accept", "application/x-bittorrent, */*;q=0.1")
	resp, err := client.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s", ErrStatus, resp.Status)
	}
	if resp.ContentLength > most {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are taken", ErrTooLarge, resp.ContentLength, most)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, plain(err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%w: over %d bytes", ErrTooLarge, most)
	}
	return b, nil
}

// plain takes the URL, which the caller names, off an error.
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

func checkRedirect(req *http.Request, via []*http.Request) error {
	switch last := via[len(via)-1]; {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: more than %d of them", ErrRedirect, maxRedirects)
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return fmt.Errorf("%w: to %s", ErrRedirect, req.URL.Scheme)
	case last.URL.Scheme == "https" && req.URL.Scheme == "http":
		return fmt.Errorf("%w: from https to http", ErrRedirect)
	case !strings.EqualFold(last.URL.Host, req.URL.Host):
		req.Header.Del("Authorization")
	}
	return nil
}

// way is where the requests of one Get have led.
type way struct {
	network netio.Network
	public  bool // an address of the internet was on it
}

// dial connects to the first address of a host that answers.
func (w *way) dial(ctx context.Context, _, hostPort string) (net.Conn, error) {
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
		if netio.IsLocal(a) && w.public {
			return nil, fmt.Errorf("%w: %w", ErrRedirect, errForbidden)
		}
		one, cancel := context.WithTimeout(ctx, dialTime)
		conn, err := w.network.Dial(one, netip.AddrPortFrom(a, uint16(port)))
		cancel()
		if err == nil {
			w.public = w.public || !netio.IsLocal(a)
			return conn, nil
		}
		if i == 0 {
			failed = err
		}
	}
	return nil, failed
}
