package trackerclient

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"shoal/internal/format/tracker"
	"shoal/internal/value/ipscope"
)

// A target is a URL, parsed as far as an exchange needs. It keeps the path and query byte for byte.
type target struct {
	udp       bool
	secure    bool
	authority string // host and port as written, for the Host header
	host      string // without brackets and port
	port      uint16
	path      string // path and query; begins with a slash
	user      *url.Userinfo
}

// parseTarget parses the URL of an HTTP or HTTPS tracker.
func parseTarget(raw string) (target, error) {
	t, err := parseAny(raw)
	if err == nil && t.udp {
		return target{}, fmt.Errorf("%w: a UDP URL where an HTTP one is needed", tracker.ErrURL)
	}
	return t, err
}

// parseAny parses a URL that tracker.CheckURL accepts.
func parseAny(raw string) (target, error) {
	if err := tracker.CheckURL(raw); err != nil {
		return target{}, err
	}
	scheme, rest, _ := strings.Cut(raw, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	// Only this part goes to package url, which rejects some paths that trackers use.
	u, err := url.Parse(strings.ToLower(scheme) + "://" + rest[:end])
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the URL
		}
		return target{}, fmt.Errorf("%w: %w", tracker.ErrURL, err)
	}
	t := target{
		udp: u.Scheme == "udp", secure: u.Scheme == "https",
		authority: u.Host, host: u.Hostname(), user: u.User, port: 80,
	}
	if t.secure {
		t.port = 443
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return target{}, fmt.Errorf("%w: the port is not a number from 1 to 65535", tracker.ErrURL)
		}
		t.port = uint16(n)
	}
	if err := checkHost(t.host); err != nil {
		return target{}, err
	}
	t.path, _, _ = strings.Cut(rest[end:], "#")
	if !strings.HasPrefix(t.path, "/") {
		t.path = "/" + t.path
	}
	t.path = escapeHigh(t.path)
	return t, nil
}

// checkHost accepts ASCII host names and addresses. A name in another alphabet can imitate a
// different one; punycode is the way to write it.
func checkHost(host string) error {
	if host == "" || len(host) > 253 {
		return fmt.Errorf("%w: a host name of %d bytes", tracker.ErrURL, len(host))
	}
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == ':', c == '%': // the last two occur in IPv6 addresses
		default:
			return fmt.Errorf("%w: the host is not written in plain ASCII", tracker.ErrURL)
		}
	}
	return nil
}

// escapeHigh percent-encodes bytes beyond ASCII; a request line can't contain them unencoded.
func escapeHigh(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] < 0x80 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

// urlData returns the part of the URL that a UDP tracker gets (BEP 41).
func (t target) urlData() string {
	if t.path == "/" {
		return ""
	}
	return t.path
}

// url returns the target as text, with its credentials.
func (t target) url() string {
	scheme, user := "http", ""
	if t.secure {
		scheme = "https"
	}
	if t.user != nil {
		user = t.user.String() + "@"
	}
	return scheme + "://" + user + t.authority + t.path
}

// origin returns the target without its query, which cookies ignore.
func (t target) origin() *url.URL {
	u := &url.URL{Scheme: "http", Host: t.authority}
	if t.secure {
		u.Scheme = "https"
	}
	u.Path, _, _ = strings.Cut(t.path, "?")
	return u
}

// redirect returns the target of a Location of t. Credentials stay within the same origin, and we
// take none from a redirect.
func (t target) redirect(location string) (target, error) {
	bare := t
	bare.user = nil
	base, err := url.Parse(bare.url())
	if err != nil { // an odd path: relative locations start from the root
		bare.path = "/"
		if base, err = url.Parse(bare.url()); err != nil {
			return target{}, tracker.ErrURL
		}
	}
	if tracker.Scheme(tracker.CleanURL(location)) != "" {
		location = tracker.CleanURL(location)
	}
	ref, err := url.Parse(strings.ReplaceAll(strings.TrimSpace(location), " ", "%20"))
	if err != nil {
		return target{}, fmt.Errorf("%w in a redirect", tracker.ErrURL)
	}
	to, err := parseTarget(base.ResolveReference(ref).String())
	if err != nil {
		return target{}, err
	}
	to.user = nil
	if to.secure == t.secure && strings.EqualFold(to.host, t.host) && to.port == t.port {
		to.user = t.user
	}
	return to, nil
}

// permitted returns the addresses of t that we may contact. Hosts of this machine and of local
// networks serve more than trackers, and trust whatever reaches them. So we contact them only where
// trackers live, at a path that begins with /announce or /scrape, and not at all once an answer
// came from the internet. The URL of a UDP tracker mostly has no path: there a host that is not a
// tracker gets only the sixteen bytes of a connect. The caller dials exactly the returned
// addresses, so a name can't lead elsewhere after this check. Hosts that the user allows, in LAN,
// are contacted at any path, also after a redirect.
func (c *Client) permitted(t target, addrs []netip.Addr, public bool) []netip.Addr {
	local := !public && (isAnnounce(t.path) || t.udp && t.path == "/")
	var ok []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); local || !ipscope.Internal(a) || c.allowed(t.host, a) {
			ok = append(ok, a)
		}
	}
	return ok[:min(len(ok), maxAddresses)]
}

// allowed reports whether the user allows trackers at a host with this address.
func (c *Client) allowed(host string, a netip.Addr) bool {
	host = strings.TrimSuffix(host, ".")
	for _, l := range c.LAN {
		if strings.EqualFold(strings.TrimSuffix(l, "."), host) {
			return true
		}
		if one, err := netip.ParseAddr(l); err == nil && one.Unmap() == a {
			return true
		}
		if net, err := netip.ParsePrefix(l); err == nil && net.Contains(a) {
			return true
		}
	}
	return false
}

// forbidden returns the error for a forbidden URL, and names the option that allows it.
func forbidden(t target) error {
	return fmt.Errorf("%w: --allow-lan-trackers %s", ErrForbidden, t.host)
}

// isAnnounce reports whether a path begins with /announce or /scrape, and stays below it however
// the server resolves it.
func isAnnounce(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	path = strings.ToLower(path)
	for _, climb := range []string{"..", "%2e", `\`, "%5c"} {
		if strings.Contains(path, climb) {
			return false
		}
	}
	return strings.HasPrefix(path, "/announce") || strings.HasPrefix(path, "/scrape")
}

// HostOf returns the host of a tracker's URL, with its port if it has one: for messages, and to
// tell trackers apart. It returns "tracker" for what is not a URL.
func HostOf(raw string) string { return strings.ToLower(hostOf(raw)) }

// hostOf returns the host of a URL for messages, also of a malformed one.
func hostOf(raw string) string {
	_, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return "tracker"
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if h, _, err := net.SplitHostPort(rest); err == nil && checkHost(h) != nil || err != nil && checkHost(strings.Trim(rest, "[]")) != nil {
		return "tracker"
	}
	return rest
}
