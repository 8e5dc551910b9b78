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

// Content is what a file or a URL holds: a torrent or magnet links.
type Content struct {
	Metainfo []byte   // a torrent file, out of its wrapping; nil when there is none
	Links    []string // magnet links, when there is no torrent
}

// A ContentError says what a file is that holds neither a torrent nor a magnet link. It is
// an ErrNotTorrent.
type ContentError struct {
	What string // such as "a web page"
	Hint string // what to do about it; may be empty
}

// Error names what it is.
func (e *ContentError) Error() string { return e.What + ", not a torrent" }

// Is reports whether target is ErrNotTorrent.
func (e *ContentError) Is(target error) bool { return target == ErrNotTorrent }

// ErrDowngrade is returned for a redirect from https to http that FetchOptions do not allow.
var ErrDowngrade = fetch.ErrDowngrade

// ErrLogin is returned for a URL that wants a login.
var ErrLogin = fetch.ErrLogin

// Unwrap tells what the bytes of a file are, and takes the torrent out of what is around it:
// gzip, zlib, a zip archive with one torrent, blanks, a byte order mark. A text may hold
// magnet links and info-hashes. What inflates to more than a torrent may have is refused.
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

// FetchOptions are how Fetch gets what it gets.
type FetchOptions struct {
	// From are addresses as in Config.Listen. A particular one is also where connections
	// come from, and one of the loopback keeps them there.
	From []netip.AddrPort
	// RootCAs are the authorities whose certificates are trusted; nil means those of the
	// system.
	RootCAs *x509.CertPool
	// Downgrade allows redirects from https to http: what is fetched is then whatever
	// somebody on the way makes of it. A .torrent file has nothing that vouches for it.
	Downgrade bool
}

// Fetch gets a torrent from a web server, or a magnet link that the server redirects to.
// Sizes, times and redirects are bounded.
func Fetch(ctx context.Context, url string, o FetchOptions) (Content, error) {
	c := fetch.Client{Network: netio.New(netio.PolicyFor(o.From)), UserAgent: wire.UserAgent(Version), RootCAs: o.RootCAs, Downgrade: o.Downgrade}
	at := "fetch " + printable.Of(url)
	got, err := c.Get(ctx, url, metainfo.MaxSize)
	if got.Link != "" {
		return Content{Links: []string{got.Link}}, nil
	}
	if err != nil {
		// A server that is wrong about the length has still sent all of it.
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

// FetchTorrent is Fetch for a URL that leads to a .torrent file and to nothing else.
func FetchTorrent(ctx context.Context, url string, from ...netip.AddrPort) ([]byte, error) {
	found, err := Fetch(ctx, url, FetchOptions{From: from})
	if err == nil && found.Metainfo == nil {
		err = clean(fmt.Errorf("fetch %s: %w", printable.Of(url), errors.New("it leads to a magnet link: "+strings.Join(found.Links, ", "))))
	}
	return found.Metainfo, err
}
