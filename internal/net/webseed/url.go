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

// MaxURL is the length of the longest URL that is asked, redirects included.
const MaxURL = 8 << 10

// What may be wrong with a URL.
var (
	ErrURL    = errors.New("not a URL of a web seed")
	ErrScheme = fmt.Errorf("%w: only http and https are spoken", ErrURL)
)

// target is a URL taken apart as far as a request needs.
type target struct {
	secure    bool
	authority string // host and port as written, for the Host header
	host      string // without brackets and port
	port      uint16
	path      string // path and query, escaped; begins with a slash
	user      string // for the Authorization header; empty for none
}

// Check reports whether a URL can be asked at all, and gives its host, with the port where
// it has one, for showing.
func Check(raw string) (host string, err error) {
	t, err := parse(raw)
	return t.authority, err
}

// parse takes a URL apart. Bytes that a request line can't hold are escaped, what is
// escaped already stays as it is.
func parse(raw string) (target, error) {
	if len(raw) > MaxURL {
		return target{}, fmt.Errorf("%w: %d bytes long", ErrURL, len(raw))
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
	// Only this much is left to package url: odd paths must not stop us.
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
			return target{}, fmt.Errorf("%w: no such port", ErrURL)
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
	t.path = mend(path)
	return t, nil
}

// plainHost takes host names in ASCII and addresses: a name in another alphabet can be
// made to look like one that it is not.
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

// mend escapes what may not stand in a path or query, and a percent that begins no escape.
func mend(s string) string {
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

// escape writes an element of a path, or a value of a query, so that every server reads the
// same bytes: all but the unreserved characters of RFC 3986 are escaped, a plus sign among
// them.
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

// file gives where a file lies (BEP 19). The URL of a torrent of one file is that of the
// file, or of its folder when it ends in a slash; that of a torrent with a folder is where
// the folder lies, with a slash at the end or without. It is false for a file of which the
// name would lead elsewhere.
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

// blocks gives where bytes of a piece are to be had (BEP 17).
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

// redirect gives where a Location of t leads, also from https to http: every piece is checked
// by its hash. Credentials go along within the same origin, and none are taken from it.
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
	ref, err := url.Parse(mend(location))
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

// bare reports whether a URL carries nothing but a path.
func (t target) bare() bool { return t.user == "" && !strings.Contains(t.path, "?") }
