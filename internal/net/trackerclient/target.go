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

// A target is a URL taken apart as far as an exchange needs. The path and query are
// kept byte for byte.
type target struct {
	udp       bool
	secure    bool
	authority string // host and port as written, for the Host header
	host      string // without brackets and port
	port      uint16
	path      string // path and query; begins with a slash
	user      *url.Userinfo
}

// parseTarget reads the URL of an HTTP or HTTPS tracker.
func parseTarget(raw string) (target, error) {
	t, err := parseAny(raw)
	if err == nil && t.udp {
		return target{}, fmt.Errorf("%w: UDP where HTTP is wanted", tracker.ErrURL)
	}
	return t, err
}

// parseAny reads a URL that tracker.CheckURL takes.
func parseAny(raw string) (target, error) {
	if err := tracker.CheckURL(raw); err != nil {
		return target{}, err
	}
	scheme, rest, _ := strings.Cut(raw, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	// Only this much is left to package url: paths that it would not take exist.
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
			return target{}, fmt.Errorf("%w: no such port", tracker.ErrURL)
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

// checkHost takes host names in ASCII and addresses. A name in another alphabet can
// be made to look like one that it is not; those who need it write it in punycode.
func checkHost(host string) error {
	if host == "" || len(host) > 253 {
		return fmt.Errorf("%w: a host name of %d bytes", tracker.ErrURL, len(host))
	}
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == ':', c == '%': // the last two in IPv6 addresses
		default:
			return fmt.Errorf("%w: the host is not written in plain ASCII", tracker.ErrURL)
		}
	}
	return nil
}

// escapeHigh writes bytes beyond ASCII as percent and two digits; a request line
// cannot hold them as they are.
func escapeHigh(s string) string {
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

// urlData gives what a UDP tracker is told of its URL (BEP 41).
func (t target) urlData() string {
	if t.path == "/" {
		return ""
	}
	return t.path
}

// url gives the target in text, with its credentials.
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

// origin gives the target without its query, which cookies do not look at.
func (t target) origin() *url.URL {
	u := &url.URL{Scheme: "http", Host: t.authority}
	if t.secure {
		u.Scheme = "https"
	}
	u.Path, _, _ = strings.Cut(t.path, "?")
	return u
}

// redirect gives where a Location of t leads. Credentials go along within the same
// origin only, and none are taken from a redirect.
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

// permitted gives the addresses of t that may be asked. Hosts of this machine and of
// local networks serve more than trackers, and trust whoever reaches them; so they are
// asked only where trackers live, at a path that begins with /announce or /scrape, and not
// at all once an answer came from the internet. The URL of a UDP tracker has no path, mostly:
// there the sixteen bytes of a connect are all that is sent to who is no tracker. The
// addresses given are those that are dialled: a name cannot lead elsewhere after this
// check. What the user allows, in LAN, is asked at any path, whoever led there.
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

// forbidden says where a URL leads that is not asked, and what allows it.
func forbidden(t target) error {
	return fmt.Errorf("%w: --allow-lan-trackers %s", ErrForbidden, t.host)
}

// isAnnounce reports whether a path begins with /announce, or /scrape, and stays below it,
// however the server understands it.
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

// HostOf gives the host of a tracker's URL, and its port where it has one, for messages
// and to tell trackers apart; "tracker" for what is no URL.
func HostOf(raw string) string { return strings.ToLower(hostOf(raw)) }

// hostOf gives the host of a URL for messages, whatever state the URL is in.
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
