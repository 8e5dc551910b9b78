package webseed

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"shoal/metainfo"
)

// MaxURL is the longest URL that we request, in bytes, redirects included.
const MaxURL = 8 << 10

// What can be wrong with a URL.
var (
	ErrURL    = errors.New("not a URL of a web seed")
	ErrScheme = fmt.Errorf("%w: use http or https", ErrURL)
)

// target is a URL, parsed as far as a request needs.
type target struct {
	secure    bool
	authority string // host and port as written, for the Host header
	host      string // without brackets and port
	port      uint16
	path      string // path and query, escaped; begins with a slash
	user      string // for the Authorization header; empty for none
}

// Check reports whether we can request a URL, and returns its host, with the port if it has one,
// for display.
func Check(raw string) (host string, err error) {
	t, err := parse(raw)
	return t.authority, err
}

// parse parses a URL. It escapes bytes that a request line can't contain, and keeps existing
// escapes.
func parse(raw string) (target, error) {
	if len(raw) > MaxURL {
		return target{}, fmt.Errorf("%w: it has %d bytes, more than 8192", ErrURL, len(raw))
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return target{}, ErrScheme
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	// Only this part goes to package url, which rejects some usable paths.
	u, err := url.Parse(scheme + "://" + rest[:end])
	if err != nil || !plainHost(u.Hostname()) {
		return target{}, fmt.Errorf("%w: the host is not written in plain ASCII", ErrURL)
	}
	t := target{secure: scheme == "https", authority: u.Host, host: u.Hostname(), port: 80}
	if t.secure {
		t.port = 443
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return target{}, fmt.Errorf("%w: the port is not a number from 1 to 65535", ErrURL)
		}
		t.port = uint16(n)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		t.user = base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
	}
	path, _, _ := strings.Cut(rest[end:], "#")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	t.path = escapeInvalid(path)
	return t, nil
}

// plainHost accepts ASCII host names and addresses: a name in another alphabet can imitate a
// different one.
func plainHost(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == ':':
		default:
			return false
		}
	}
	return true
}

const hexDigits = "0123456789ABCDEF"

// escapeInvalid escapes bytes that a path or query can't contain, and a percent sign that begins no
// escape.
func escapeInvalid(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		odd := c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0
		if c == '%' && !(i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])) {
			odd = true
		}
		if odd {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// escape encodes an element of a path, or a value of a query, so that every server reads the same
// bytes: it escapes all but the unreserved characters of RFC 3986, so also a plus sign.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// file returns the URL of a file (BEP 19). For a torrent of one file, the URL is that of the file,
// or of its folder when it ends in a slash. For a torrent with a folder, it is where the folder
// lies, with or without a slash at the end. file returns false for a file whose name would lead
// elsewhere.
func (t target) file(info *metainfo.Info, index int) (target, bool) {
	elements := info.Files[index].RawPath
	if !info.MultiFile {
		if !strings.HasSuffix(t.path, "/") {
			return t, true
		}
	} else if !strings.HasSuffix(t.path, "/") {
		t.path += "/"
	}
	for i, e := range elements {
		if e == "" || e == "." || e == ".." {
			return target{}, false
		}
		if i > 0 {
			t.path += "/"
		}
		t.path += escape(e)
	}
	return t, len(t.path) <= MaxURL
}

// blocks returns the URL of bytes of a piece (BEP 17).
func (t target) blocks(infoHash [20]byte, piece, begin, length uint32, whole bool) target {
	sep := "?"
	if strings.Contains(t.path, "?") {
		sep = "&"
	}
	t.path += fmt.Sprintf("%sinfo_hash=%s&piece=%d", sep, escape(string(infoHash[:])), piece)
	if !whole {
		t.path += fmt.Sprintf("&ranges=%d-%d", begin, begin+length-1)
	}
	return t
}

// redirect returns the target of a Location of t. It can lead from https to http, since a hash
// verifies every piece. Credentials stay within the same origin, and we take none from a redirect.
func (t target) redirect(location string) (target, error) {
	if len(location) > MaxURL {
		return target{}, ErrURL
	}
	scheme := "http"
	if t.secure {
		scheme = "https"
	}
	base, err := url.Parse(scheme + "://" + t.authority + t.path)
	if err != nil {
		return target{}, ErrURL
	}
	ref, err := url.Parse(escapeInvalid(location))
	if err != nil {
		return target{}, ErrURL
	}
	to, err := parse(base.ResolveReference(ref).String())
	if err != nil {
		return target{}, err
	}
	to.user = ""
	if to.sameOrigin(t) {
		to.user = t.user
	}
	return to, nil
}

func (t target) sameOrigin(o target) bool {
	return t.secure == o.secure && strings.EqualFold(t.host, o.host) && t.port == o.port
}

// pathOnly reports whether a URL has only a path: no credentials, no query.
func (t target) pathOnly() bool { return t.user == "" && !strings.Contains(t.path, "?") }
