// Package trackerclient performs announces to HTTP and HTTPS trackers (BEP 3) and to UDP
// trackers (BEP 15): it resolves the tracker's name, asks, and reads the reply, all within
// one deadline and within bounds, through the one door to the network.
//
// Torrents are written by strangers, and so are the URLs in them. Requests therefore
// go to hosts of this machine or the local network only where a tracker would live,
// and never because a tracker on the internet sent us there.
//
// A tracker that is reached by IPv4 and IPv6 is told of us over both (BEP 7), at the same
// time: it sees our address by where the announce comes from, and gives peers of the same
// family.
//
// An exchange over HTTP is straight-line code on one connection that is closed at its
// end: it uses no environment, no proxy, no idle connections, and starts no goroutine that
// outlives the call. Cookies last as long as one chain of redirects. UDP trackers share one socket for each family, opened
// when it is first needed; its receiver, a goroutine, ends with Close.
package trackerclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http/cookiejar"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"shoal/internal/format/tracker"
	"shoal/internal/net/netio"
	"shoal/internal/value/infohash"
	"shoal/internal/value/ipscope"
)

const (
	// DefaultTimeout bounds an announce from its first look-up to its last byte.
	DefaultTimeout = 30 * time.Second

	maxRedirects = 5
	maxAddresses = 4                // of a tracker's name are tried
	dialTimeout  = 10 * time.Second // for each of them
	namesTimeout = 5 * time.Second  // for all peers given by name
)

// Client performs announces. Its fields are set before the first one and not changed
// after; it may then be used by many goroutines at once. Close ends it.
type Client struct {
	Network   netio.Network
	UserAgent string         // a header line's worth of printable ASCII
	Timeout   time.Duration  // of a whole announce; 0 means DefaultTimeout
	RootCAs   *x509.CertPool // whose certificates are trusted; nil means those of the system

	// Local are the addresses that we are reached at, one for each family: those that
	// are announced over, and the source of UDP packets. An unspecified one stands for
	// whichever the system takes. None means that of both families.
	Local []netip.Addr

	// LAN are hosts, addresses and networks of this machine or the local network that the
	// user allows: trackers there are asked at any path. See permitted.
	LAN []string

	mu      sync.Mutex
	sockets map[bool]*udpSocket // of UDP trackers; true for IPv6
	closed  bool
}

// Announce tells the tracker p and gives its answer. Peers given by name are resolved:
// every peer of the response has an address. Where the tracker is asked over two families
// the response is that of both; heard, if it is not nil, gets each as soon as it is there,
// one at a time, before Announce returns.
//
// The error is an *Error; it holds a *tracker.FailureError when the tracker said no, a
// *StatusError when an HTTP status did, ErrSilent when nothing came back over UDP,
// ErrForbidden when the URL leads where it must not. RetryIn tells when the other side
// wants to be asked again.
func (c *Client) Announce(ctx context.Context, announceURL string, p tracker.Params, heard func(tracker.Response)) (tracker.Response, error) {
	announceURL = tracker.CleanURL(announceURL)
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	to, ways, err := c.reach(ctx, announceURL)
	if err != nil {
		return noResponse, err
	}
	if heard == nil {
		heard = func(tracker.Response) {}
	}
	return byEach(ctx, ways, func(ctx context.Context, w way) (tracker.Response, error) {
		var a tracker.Response
		var err error
		p := p
		if w.local.Is6() && p.Port6 != 0 {
			p.Port = p.Port6
		}
		if to.udp {
			a, err = c.announceUDP(ctx, to, w, p)
		} else {
			a, err = c.announceHTTP(ctx, announceURL, w, p)
		}
		if err != nil {
			return noResponse, err
		}
		a.Peers = slices.DeleteFunc(c.resolvePeers(ctx, a.Peers), func(p tracker.Peer) bool {
			return !ipscope.Credible(a.From, p.Addr.Addr())
		})
		return a, nil
	}, heard)
}

// deadline bounds an exchange as a whole.
func (c *Client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	return context.WithTimeout(ctx, timeout)
}

// reach parses a tracker's URL and finds the ways to the tracker.
func (c *Client) reach(ctx context.Context, url string) (to target, ways []way, err error) {
	if to, err = parseAny(url); err != nil {
		return to, nil, &Error{Host: hostOf(url), Op: "read the announce URL", Err: err}
	}
	addrs, err := c.Network.Resolve(ctx, to.host)
	if err == nil {
		if ways = c.ways(addrs); len(ways) == 0 {
			err = ErrFamily
		}
	}
	if err != nil {
		return to, nil, &Error{Host: to.authority, Op: "resolve", Err: cause(ctx, err)}
	}
	return to, ways, nil
}

func (c *Client) announceUDP(ctx context.Context, to target, w way, p tracker.Params) (tracker.Response, error) {
	r, from, err := c.askUDP(ctx, to, w, tracker.ActionAnnounce, func(conn uint64, tid uint32) []byte {
		return tracker.AppendUDPAnnounce(nil, conn, tid, p, to.urlData())
	})
	if err != nil {
		return noResponse, err
	}
	a := r.Response(w.local.Is6())
	a.From = from
	return a, nil
}

func (c *Client) announceHTTP(ctx context.Context, announceURL string, w way, p tracker.Params) (tracker.Response, error) {
	full, err := tracker.URL(announceURL, p)
	if err != nil {
		return noResponse, &Error{Host: hostOf(announceURL), Op: "read the announce URL", Err: err}
	}
	body, from, err := c.fetch(ctx, full, w)
	if err != nil {
		return noResponse, err
	}
	r, err := tracker.ParseResponse(body)
	if err != nil {
		return noResponse, &Error{Host: hostOf(announceURL), Op: "read the reply", Err: err}
	}
	r.From = from
	return r, nil
}

// Scrape asks a tracker for the counts of torrents (BEP 48). Which of them it knows, it
// says; the others are missing. More than fit into one question are asked in several. The
// error is as that of Announce; besides, ErrNoScrape when there is no such question to
// this tracker.
func (c *Client) Scrape(ctx context.Context, announceURL string, hashes []infohash.Hash) (map[infohash.Hash]tracker.Counts, error) {
	counts, err := c.scrape(ctx, announceURL, hashes)
	var e *Error
	if errors.As(err, &e) {
		e.scrape = true
	}
	return counts, err
}

func (c *Client) scrape(ctx context.Context, announceURL string, hashes []infohash.Hash) (map[infohash.Hash]tracker.Counts, error) {
	announceURL = tracker.CleanURL(announceURL)
	url, ok := tracker.ScrapeURL(announceURL)
	if !ok {
		return nil, &Error{Host: hostOf(announceURL), Op: "read the announce URL", Err: ErrNoScrape}
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	to, ways, err := c.reach(ctx, url)
	if err != nil {
		return nil, err
	}
	most := tracker.MaxHTTPHashes
	if to.udp {
		most = tracker.MaxUDPHashes
	}
	counts := make(map[infohash.Hash]tracker.Counts)
	for part := range slices.Chunk(hashes, most) {
		var got map[infohash.Hash]tracker.Counts
		for _, w := range ways { // one is enough: a tracker counts both families
			if got, err = c.scrapePart(ctx, to, url, w, part); err == nil {
				break
			}
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(counts, got)
	}
	return counts, nil
}

func (c *Client) scrapePart(ctx context.Context, to target, url string, w way, hashes []infohash.Hash) (map[infohash.Hash]tracker.Counts, error) {
	if !to.udp {
		body, _, err := c.fetch(ctx, tracker.ScrapeQuery(url, hashes), w)
		if err != nil {
			return nil, err
		}
		counts, err := tracker.ParseScrape(body, hashes)
		if err != nil {
			return nil, &Error{Host: to.authority, Op: "read the reply", Err: err}
		}
		return counts, nil
	}
	r, _, err := c.askUDP(ctx, to, w, tracker.ActionScrape, func(conn uint64, tid uint32) []byte {
		return tracker.AppendUDPScrape(nil, conn, tid, hashes)
	})
	if err != nil {
		return nil, err
	}
	counts := make(map[infohash.Hash]tracker.Counts)
	for i, n := range r.Counts(len(hashes)) {
		counts[hashes[i]] = n
	}
	return counts, nil
}

// fetch gets a URL by one way, following redirects, and says which address answered.
func (c *Client) fetch(ctx context.Context, rawURL string, w way) ([]byte, netip.Addr, error) {
	to, err := parseTarget(rawURL)
	if err != nil {
		return nil, netip.Addr{}, &Error{Host: hostOf(rawURL), Op: "read the announce URL", Err: err}
	}
	public := false // an answer came from the internet
	addrs := w.addrs
	jar, _ := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List}) // some servers send a client round until it shows their cookie
	for hop := range maxRedirects + 1 {
		if hop > 0 {
			if addrs, err = c.Network.Resolve(ctx, to.host); err == nil {
				if addrs = w.keep(addrs); len(addrs) == 0 {
					err = ErrFamily
				}
			}
			if err != nil {
				return nil, netip.Addr{}, &Error{Host: to.authority, Op: "resolve", Err: cause(ctx, err)}
			}
		}
		addrs = c.permitted(to, addrs, public)
		if len(addrs) == 0 {
			return nil, netip.Addr{}, &Error{Host: to.authority, Op: "connect", Err: forbidden(to)}
		}
		reply, err := c.get(ctx, to, addrs, jar.Cookies(to.origin()))
		if err != nil {
			return nil, netip.Addr{}, err
		}
		if reply.location == "" {
			return reply.body, reply.from, nil
		}
		jar.SetCookies(to.origin(), reply.cookies)
		public = public || !ipscope.Internal(reply.from)
		if to, err = to.redirect(reply.location); err != nil {
			return nil, netip.Addr{}, &Error{Host: reply.host, Op: "follow a redirect", Err: err}
		}
	}
	return nil, netip.Addr{}, &Error{Host: to.authority, Op: "follow redirects", Err: ErrRedirects}
}

// resolvePeers turns peers given by name into peers with an address. A name that does
// not resolve in time is left out.
func (c *Client) resolvePeers(ctx context.Context, peers []tracker.Peer) []tracker.Peer {
	ctx, cancel := context.WithTimeout(ctx, namesTimeout)
	defer cancel()
	resolved := peers[:0]
	for _, p := range peers {
		if p.Host != "" {
			addrs, err := c.Network.Resolve(ctx, p.Host)
			if err != nil || len(addrs) == 0 {
				continue
			}
			p.Addr = netip.AddrPortFrom(addrs[0], p.Port)
			p.Host, p.Port = "", 0
		}
		resolved = append(resolved, p)
	}
	return resolved
}

// What may be wrong with an announce, besides what the network and the tracker say.
var (
	ErrNoScrape  = errors.New("its URL does not say where to ask for counts")
	ErrForbidden = errors.New("a local address, where trackers are asked only at /announce unless they are allowed")
	ErrFamily    = errors.New("none of its addresses is of a family (IPv4, IPv6) that we listen in")
	ErrRedirects = fmt.Errorf("more than %d redirects", maxRedirects)
	ErrTooLong   = errors.New("the reply is too long")
	ErrReply     = errors.New("not a well-formed HTTP reply")
)

// Error says what was attempted with which tracker. It names the host alone: paths and
// queries hold passkeys.
type Error struct {
	Host string // with its port if the URL has one
	Op   string
	Err  error

	scrape bool
}

// Error gives the whole story.
func (e *Error) Error() string {
	what := "announce to "
	if e.scrape {
		what = "scrape "
	}
	var dial *net.OpError
	var call *os.SyscallError
	if errors.As(e.Err, &dial) && dial.Op == "dial" && dial.Addr != nil && errors.As(dial.Err, &call) { // which says "connect" too
		return fmt.Sprintf("%s%s: %s to %v: %v", what, e.Host, e.Op, dial.Addr, call.Err)
	}
	return fmt.Sprintf("%s%s: %s: %v", what, e.Host, e.Op, e.Err)
}

// Unwrap gives what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// A StatusError is a reply with an HTTP status that is not a success.
type StatusError struct {
	Code    int
	RetryIn time.Duration // by its Retry-After; 0 when it has none
}

// Error gives the status.
func (e *StatusError) Error() string { return fmt.Sprintf("HTTP status %d", e.Code) }

// RetryIn gives the wait that the tracker asked for with err: 0 when it did not,
// tracker.Never when it wants to be left alone.
func RetryIn(err error) time.Duration {
	var failure *tracker.FailureError
	var status *StatusError
	switch {
	case errors.As(err, &failure):
		return failure.RetryIn
	case errors.As(err, &status):
		return status.RetryIn
	}
	return 0
}

// cause prefers the reason why ctx ended to what the end brought about.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
