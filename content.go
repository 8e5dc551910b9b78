package shoal

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"shoal/internal/format/unwrap"
	"shoal/internal/format/wire"
	"shoal/internal/net/fetch"
	"shoal/internal/net/netio"
	"shoal/internal/value/printable"
	"shoal/magnet"
	"shoal/metainfo"
)

// Content is what a file or a URL has: a torrent, or magnet links.
type Content struct {
	Metainfo []byte   // content of a .torrent file, unwrapped; nil when there is none
	Links    []string // magnet links, when there is no torrent
}

// A ContentError is returned for data with neither a torrent nor a magnet link. It is an
// ErrNotTorrent.
type ContentError struct {
	What string // what the data is, such as "a web page"
	Hint string // what to do; can be empty
}

// Error says what the data is.
func (e *ContentError) Error() string { return e.What + ", not a torrent" }

// Is reports whether target is ErrNotTorrent.
func (e *ContentError) Is(target error) bool { return target == ErrNotTorrent }

// ErrDowngrade is returned for a redirect from https to http without FetchOptions.Downgrade.
var ErrDowngrade = fetch.ErrDowngrade

// ErrLogin is returned for a URL that requires a login.
var ErrLogin = fetch.ErrLogin

// Unwrap finds the torrent in the bytes of a file, which can be compressed (gzip, zlib, a zip
// archive with one torrent) or begin with blanks or a byte order mark. In a text it finds magnet
// links and info-hashes. The error is a *ContentError, or says that the data is damaged or that
// the torrent is too large.
func Unwrap(b []byte) (Content, error) {
	c, err := unwrap.Read(b, metainfo.MaxSize)
	switch {
	case err != nil:
		return Content{}, err
	case c.Torrent != nil:
		return Content{Metainfo: c.Torrent}, nil
	}
	if c.What == "a text" || c.What == "a web page" {
		links := magnet.Find(c.Text)
		if c.What == "a text" && len(links) > 0 {
			return Content{Links: links}, nil
		}
		if len(links) == 1 {
			c.Hint = "it has a magnet link: " + links[0]
		}
	}
	return Content{}, &ContentError{c.What, c.Hint}
}

// FetchOptions are the options of Fetch.
type FetchOptions struct {
	// From are local addresses as in Config.Listen: a particular address is the source of
	// connections, and a loopback address keeps them on the loopback.
	From []netip.AddrPort
	// RootCAs are the authorities that we trust; nil means those of the system.
	RootCAs *x509.CertPool
	// Downgrade allows redirects from https to http. Anybody on the path can replace the torrent
	// then: a .torrent file has no signature.
	Downgrade bool
}

// Fetch downloads a torrent from a web server (http, https), or returns the magnet link that the
// server redirects to. Sizes, times and redirects are bounded. The error is that of ctx,
// ErrNotTorrent, ErrDowngrade, ErrLogin, or that of the network.
func Fetch(ctx context.Context, url string, o FetchOptions) (Content, error) {
	c := fetch.Client{Network: netio.New(netio.PolicyFor(o.From)), UserAgent: wire.UserAgent(Version), RootCAs: o.RootCAs, Downgrade: o.Downgrade}
	at := "fetch " + printable.Of(url)
	got, err := c.Get(ctx, url, metainfo.MaxSize)
	if got.Link != "" {
		return Content{Links: []string{got.Link}}, nil
	}
	if err != nil {
		// A server that sends a wrong length can still have sent the whole torrent.
		if found, uerr := Unwrap(got.Body); uerr == nil && whole(found.Metainfo) {
			return found, nil
		}
		return Content{}, clean(fmt.Errorf("%s: %w", at, err))
	}
	found, err := Unwrap(got.Body)
	if err != nil {
		return Content{}, clean(fmt.Errorf("%s: %w", at, err))
	}
	return found, nil
}

func whole(torrent []byte) bool {
	if torrent == nil {
		return false
	}
	_, err := metainfo.Parse(torrent)
	return err == nil
}

// FetchTorrent is Fetch for a URL that must lead to a .torrent file.
func FetchTorrent(ctx context.Context, url string, from ...netip.AddrPort) ([]byte, error) {
	found, err := Fetch(ctx, url, FetchOptions{From: from})
	if err == nil && found.Metainfo == nil {
		err = clean(fmt.Errorf("fetch %s: %w", printable.Of(url), errors.New("it leads to a magnet link: "+strings.Join(found.Links, ", "))))
	}
	return found.Metainfo, err
}
