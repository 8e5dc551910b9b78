// Package trackerclient announces to HTTP and HTTPS trackers (BEP 3) and to UDP trackers (BEP 15).
// It resolves the tracker's name, sends the announce and reads the reply, all within one deadline
// and within bounds, through internal/net/netio, the only way to the network.
//
// Strangers write torrents, and so the URLs in them. We therefore send requests to hosts of this
// machine or the local network only where a tracker would live, and never because a tracker on the
// internet redirected us there.
//
// We announce to a tracker that is reachable over IPv4 and IPv6 over both at the same time (BEP 7):
// it takes our address from the source of the announce, and returns peers of the same family.
//
// An exchange over HTTP is straight-line code on one connection (decision 0008), which is closed at
// its end unless the caller says that others wait for the same tracker (decision 0215). It uses no
// environment and no proxy, and starts no goroutine that outlives the call. Cookies last for one
// chain of redirects. UDP trackers share one socket per family, opened when it is first needed; its
// receiver, a goroutine, ends with Close (decision 0080).
package trackerclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
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
	// DefaultTimeout bounds an announce from its first lookup to its last byte.
	DefaultTimeout = 30 * time.Second

	maxRedirects = 5
	maxAddresses = 4                // addresses tried for a tracker's name
	dialTimeout  = 10 * time.Second // for each address
	namesTimeout = 5 * time.Second  // for all peers given by name
)

// Client performs announces. Set its fields before the first announce and do not change them later;
// it is then safe for concurrent use. Close ends it.
type Client struct {
	Network   netio.Network
	UserAgent string         // printable ASCII that fits a header line
	Timeout   time.Duration  // bound on a whole announce; 0 means DefaultTimeout
	RootCAs   *x509.CertPool // trusted certificate authorities; nil means the system's

	// Local are our own addresses, one for each family: we announce over these families, and send
	// UDP packets from these addresses. An unspecified address lets the system choose one. None
	// means both families.
	Local []netip.Addr

	// LAN are hosts, addresses and networks of this machine or the local network that the user
	// allows: we announce to trackers there at any path. See permitted.
	LAN []string

	lines lines

	mu      sync.Mutex
	sockets map[bool]*udpSocket // sockets for UDP trackers; true for IPv6
	closed  bool
}

// Announce announces p to the tracker and returns its answer. It resolves peers given by name:
// every peer of the response has an address. When it announces over two families, the response
// combines both answers. heard, if not nil, is called with each answer as soon as it arrives, one
// at a time, before Announce returns.
//
// The error is an *Error. It wraps a *tracker.FailureError when the tracker refused, a *StatusError
// for an HTTP status, ErrSilent when no answer came over UDP, and ErrForbidden when the URL leads
// to a forbidden address. RetryIn returns when the tracker wants the next announce.
func (c *Client) Announce(ctx context.Context, announceURL string, p tracker.Params, heard func(tracker.Response)) (tracker.Response, error) {
	return c.AnnounceAmong(ctx, announceURL, p, heard, false)
}

// AnnounceAmong is Announce for one of many announces. With more, others to the same tracker wait:
// the connection is kept for one of them.
func (c *Client) AnnounceAmong(ctx context.Context, announceURL string, p tracker.Params, heard func(tracker.Response), more bool) (tracker.Response, error) {
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
	return byEach(ctx, ways, func(ctx context.Context, w family) (tracker.Response, error) {
		var a tracker.Response
		var err error
		p := p
		if w.local.Is6() && p.Port6 != 0 {
			p.Port = p.Port6
		}
		if to.udp {
			a, err = c.announceUDP(ctx, to, w, p)
		} else {
			a, err = c.announceHTTP(ctx, announceURL, w, p, more)
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

// deadline bounds a whole exchange.
func (c *Client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	return context.WithTimeout(ctx, timeout)
}

// reach parses a tracker's URL and finds the ways to the tracker.
func (c *Client) reach(ctx context.Context, url string) (to target, ways []family, err error) {
	if to, err = parseAny(url); err != nil {
		return to, nil, &Error{Host: hostOf(url), Op: "read the announce URL", Err: err}
	}
	addrs, err := c.Network.Resolve(ctx, to.host)
	if err == nil {
		if ways = c.families(addrs); len(ways) == 0 {
			err = ErrFamily
		}
	}
	if err != nil {
		return to, nil, &Error{Host: to.authority, Op: "resolve", Err: cause(ctx, err)}
	}
	return to, ways, nil
}

func (c *Client) announceUDP(ctx context.Context, to target, w family, p tracker.Params) (tracker.Response, error) {
	begun := time.Now()
	r, from, err := c.askUDP(ctx, to, w, tracker.ActionAnnounce, func(conn uint64, tid uint32) []byte {
		return tracker.AppendUDPAnnounce(nil, conn, tid, p, to.urlData())
	})
	if err != nil {
		return noResponse, err
	}
	a := r.Response(w.local.Is6())
	a.From, a.Took = from, time.Since(begun)
	return a, nil
}

func (c *Client) announceHTTP(ctx context.Context, announceURL string, w family, p tracker.Params, keep bool) (tracker.Response, error) {
	full, err := tracker.URL(announceURL, p)
	if err != nil {
		return noResponse, &Error{Host: hostOf(announceURL), Op: "read the announce URL", Err: err}
	}
	answer, err := c.fetch(ctx, full, w, keep)
	if err != nil {
		return noResponse, err
	}
	r, err := tracker.ParseResponse(answer.body)
	if err != nil {
		return noResponse, &Error{Host: hostOf(announceURL), Op: "read the reply", Err: err}
	}
	r.From, r.Took = answer.from, answer.took
	return r, nil
}

// Scrape asks a tracker for the counts of torrents (BEP 48). The result lacks torrents that the
// tracker does not know. Scrape splits a list that is too long for one request. The error is as in
// Announce, or ErrNoScrape when the tracker's URL has no scrape form.
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
		for _, w := range ways { // one suffices: a tracker counts both families
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

func (c *Client) scrapePart(ctx context.Context, to target, url string, w family, hashes []infohash.Hash) (map[infohash.Hash]tracker.Counts, error) {
	if !to.udp {
		answer, err := c.fetch(ctx, tracker.ScrapeQuery(url, hashes), w, false)
		if err != nil {
			return nil, err
		}
		counts, err := tracker.ParseScrape(answer.body, hashes)
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

// fetch gets a URL by one way, following redirects. With keep it leaves the last connection for the
// next announce.
func (c *Client) fetch(ctx context.Context, rawURL string, w family, keep bool) (reply, error) {
	to, err := parseTarget(rawURL)
	if err != nil {
		return reply{}, &Error{Host: hostOf(rawURL), Op: "read the announce URL", Err: err}
	}
	public := false // an answer came from the internet
	addrs := w.addrs
	var jar *cookiejar.Jar // some servers redirect until the client sends their cookie
	var cookies []*http.Cookie
	for hop := range maxRedirects + 1 {
		if hop > 0 {
			if addrs, err = c.Network.Resolve(ctx, to.host); err == nil {
				if addrs = w.keep(addrs); len(addrs) == 0 {
					err = ErrFamily
				}
			}
			if err != nil {
				return reply{}, &Error{Host: to.authority, Op: "resolve", Err: cause(ctx, err)}
			}
		}
		addrs = c.permitted(to, addrs, public)
		if len(addrs) == 0 {
			return reply{}, &Error{Host: to.authority, Op: "connect", Err: forbidden(to)}
		}
		answer, err := c.get(ctx, to, addrs, cookies, keep)
		if err != nil {
			return reply{}, err
		}
		if answer.location == "" {
			return answer, nil
		}
		if jar == nil {
			jar, _ = cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
		}
		jar.SetCookies(to.origin(), answer.cookies)
		public = public || !ipscope.Internal(answer.from)
		if to, err = to.redirect(answer.location); err != nil {
			return reply{}, &Error{Host: answer.host, Op: "follow a redirect", Err: err}
		}
		cookies = jar.Cookies(to.origin())
	}
	return reply{}, &Error{Host: to.authority, Op: "follow redirects", Err: ErrRedirects}
}

// resolvePeers turns peers given by name into peers with an address. It omits a name that does not
// resolve in time.
func (c *Client) resolvePeers(ctx context.Context, peers []tracker.Peer) []tracker.Peer {
	if !slices.ContainsFunc(peers, func(p tracker.Peer) bool { return p.Host != "" }) {
		return peers
	}
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

// What can go wrong with an announce, besides errors of the network and the tracker.
var (
	ErrNoScrape  = errors.New("its URL has no scrape form: the path must end in /announce")
	ErrForbidden = errors.New("a local address, where shoal announces only to the path /announce unless allowed")
	ErrFamily    = errors.New("none of its addresses has a family (IPv4, IPv6) that shoal listens on")
	ErrRedirects = fmt.Errorf("more than %d redirects", maxRedirects)
	ErrTooLong   = errors.New("the reply is too long")
	ErrReply     = errors.New("not a well-formed HTTP reply")
)

// Error says what failed with which tracker. It names only the host: paths and queries contain
// passkeys.
type Error struct {
	Host string // with the port, if the URL has one
	Op   string
	Err  error

	scrape bool
}

// Error returns text such as "announce to host: read the reply: cause".
func (e *Error) Error() string {
	what := "announce to "
	if e.scrape {
		what = "scrape "
	}
	var dial *net.OpError
	var call *os.SyscallError
	if errors.As(e.Err, &dial) && dial.Op == "dial" && dial.Addr != nil && errors.As(dial.Err, &call) { // that text says "connect", too
		return fmt.Sprintf("%s%s: %s to %v: %v", what, e.Host, e.Op, dial.Addr, call.Err)
	}
	return fmt.Sprintf("%s%s: %s: %v", what, e.Host, e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A StatusError is a reply with an HTTP status that is not a success.
type StatusError struct {
	Code    int
	RetryIn time.Duration // from its Retry-After; 0 without one
}

// Error returns the status.
func (e *StatusError) Error() string { return fmt.Sprintf("HTTP status %d", e.Code) }

// RetryIn returns the wait that the tracker requested with err: 0 when it requested none,
// tracker.Never when it wants no further announces.
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

// busyError is a refusal that came with the status of a server that has too much to do.
type busyError struct{ error }

func (e busyError) Unwrap() error { return e.error }

// isBusy reports whether an HTTP status asks for fewer requests.
func isBusy(code int) bool { return code == 429 || code == 503 }

// IsBusy reports whether the tracker asks with err for fewer announces.
func IsBusy(err error) bool {
	status, ok := errors.AsType[*StatusError](err)
	if ok && isBusy(status.Code) {
		return true
	}
	_, ok = errors.AsType[busyError](err)
	return ok
}

// cause prefers the reason why ctx ended to an error that this caused.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
