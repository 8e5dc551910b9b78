package tracker

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// URL returns the URL to GET for an announce. It keeps the announce URL byte for byte,
// including its query: passkeys are in it, and servers differ in what they treat as equal. It
// cuts off a fragment.
func URL(announce string, p Params) (string, error) {
	base, _, _ := strings.Cut(announce, "#")
	if err := CheckURL(base); err != nil {
		return "", err
	}
	if Scheme(base) == "udp" {
		return "", fmt.Errorf("%w: UDP has no queries", ErrURL)
	}
	b := make([]byte, 0, len(base)+400)
	b = append(b, base...)
	switch {
	case !strings.Contains(base, "?"):
		b = append(b, '?')
	case !strings.HasSuffix(base, "?") && !strings.HasSuffix(base, "&"):
		b = append(b, '&')
	}
	return string(AppendQuery(b, p)), nil
}

// CheckURL returns ErrURL for a URL to which we cannot announce as it is: not HTTP, HTTPS or
// UDP.
func CheckURL(url string) error {
	if len(url) > MaxURL {
		return fmt.Errorf("%w: %d bytes long", ErrURL, len(url))
	}
	_, rest, _ := strings.Cut(url, "://")
	switch Scheme(url) {
	case "http", "https", "udp":
	default:
		return fmt.Errorf("%w: the scheme is not http, https or udp", ErrURL)
	}
	if rest == "" || strings.ContainsAny(rest[:1], "/?:@") {
		return fmt.Errorf("%w: no host", ErrURL)
	}
	for i := range len(url) {
		if c := url[i]; c <= ' ' || c == 0x7f {
			return fmt.Errorf("%w: byte %#02x in it", ErrURL, c)
		}
	}
	return nil
}

// Scheme returns the scheme of a URL in lower case; empty when it has none.
func Scheme(url string) string {
	scheme, _, ok := strings.Cut(url, "://")
	if !ok {
		return ""
	}
	return strings.ToLower(scheme)
}

// AppendQuery appends the query of an announce, without a question mark.
func AppendQuery(b []byte, p Params) []byte {
	b = append(b, "info_hash="...)
	b = appendEscaped(b, string(p.InfoHash[:]))
	b = append(b, "&peer_id="...)
	b = appendEscaped(b, string(p.PeerID[:]))
	b = appendInt(b, "port", int64(p.Port))
	b = appendInt(b, "uploaded", p.Uploaded)
	b = appendInt(b, "downloaded", p.Downloaded)
	b = appendInt(b, "left", p.Left)
	if p.Event != None {
		b = append(b, "&event="...)
		b = append(b, p.Event.String()...)
	}
	if p.NumWant >= 0 {
		b = appendInt(b, "numwant", int64(p.NumWant))
	}
	if p.Dictionary {
		b = append(b, "&compact=0"...)
	} else {
		b = append(b, "&compact=1&no_peer_id=1"...)
	}
	b = append(b, "&key="...)
	b = fmt.Appendf(b, "%08X", p.Key)
	if p.TrackerID != "" {
		b = append(b, "&trackerid="...)
		b = appendEscaped(b, p.TrackerID)
	}
	return b
}

// appendInt appends a count. It is never negative, because a tracker would take a negative
// one for cheating.
func appendInt(b []byte, name string, n int64) []byte {
	b = append(append(append(b, '&'), name...), '=')
	return strconv.AppendInt(b, max(n, 0), 10)
}

// appendEscaped appends s with every byte outside the unreserved set of RFC 3986 as a percent
// sign and two upper-case digits. A space is %20: not all trackers understand the + of HTML
// forms.
func appendEscaped(b []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~':
			b = append(b, c)
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

// isControl reports whether r could change how a terminal shows a line.
func isControl(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}
