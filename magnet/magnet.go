// Package magnet reads and prints magnet links (BEP 9): the info-hash of a torrent, with
// hints of where its peers are and which of its files to download (BEP 53).
//
// A link comes from a stranger. A hint that can't be parsed is ignored; a link whose hash
// can't be parsed, or that names two torrents, is refused. Every list is bounded, and the
// rest is ignored.
package magnet

import (
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"shoal/internal/value/infohash"
)

// Hash is a v1 info-hash.
type Hash = infohash.Hash

// Bounds on what we read from a link.
const (
	MaxLength   = 64 << 10 // bytes of a link
	MaxName     = 1 << 10  // bytes of dn; the rest is cut off
	MaxURL      = 8 << 10  // bytes of one tracker or web seed
	MaxTrackers = 100
	MaxWebSeeds = 100
	MaxPeers    = 100
	MaxRanges   = 1000      // ranges in so
	MaxFile     = 1_000_000 // file indices in so are below it
)

// Link is the contents of a magnet link.
type Link struct {
	V1 Hash            // xt=urn:btih; zero: none
	V2 infohash.HashV2 // xt=urn:btmh; zero: none

	Name     string   // dn; hostile text
	Length   int64    // xl: bytes of the content; 0: absent
	Trackers []string // tr
	WebSeeds []string // ws
	Peers    []string // x.pe, as "host:port"; the host may be a name
	Select   []Range  // so: the files to download, by index; none: all
}

// Range is a run of file indices, both included.
type Range struct{ First, Last uint32 }

// Errors of Parse and ParseHash.
var (
	// ErrNotMagnet is returned when the text does not begin like a magnet link.
	ErrNotMagnet = errors.New("not a magnet link")
	// ErrHash is returned when there is no info-hash, it can't be parsed, or there are
	// several.
	ErrHash = errors.New("no usable info-hash")
	// ErrTooLong is returned when the link is longer than MaxLength.
	ErrTooLong = errors.New("too long")
)

const scheme = "magnet:?"

// Parse reads a magnet link in any form that Clean knows. Keys may be repeated or numbered
// (tr.1, tr.2). The error is one of ErrNotMagnet, ErrHash and ErrTooLong, and says why.
func Parse(s string) (*Link, error) {
	if len(s) > MaxLength {
		return nil, fmt.Errorf("magnet link of %d bytes: %w, at most %d are read", len(s), ErrTooLong, MaxLength)
	}
	clean, ok := Clean(s)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNotMagnet, whyNot(s))
	}
	l := &Link{}
	for _, part := range strings.Split(clean[len(scheme):], "&") {
		key, value, _ := strings.Cut(part, "=")
		key = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(unescape(key)), "amp;"))
		if err := l.add(withoutNumber(key), value); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotMagnet, err)
		}
	}
	if l.V1.IsZero() && l.V2.IsZero() {
		return nil, fmt.Errorf("%w: %w: it has no xt=urn:btih:HASH", ErrNotMagnet, ErrHash)
	}
	return l, nil
}

// whyNot says what a text is instead of a link.
func whyNot(s string) string {
	digits := strings.TrimSpace(s)
	switch {
	case digits == "":
		return "it is empty"
	case len(digits) > 16 && strings.Trim(asciiLower(digits), "0123456789abcdef") == "":
		return fmt.Sprintf("an info-hash has 40 hexadecimal digits, and this has %d", len(digits))
	}
	return fmt.Sprintf("it begins with %q, not with %q", cut(digits, len(scheme)), scheme)
}

// withoutNumber removes the number from a key such as tr.1.
func withoutNumber(key string) string {
	if i := strings.LastIndexByte(key, '.'); i > 0 {
		if _, err := strconv.ParseUint(key[i+1:], 10, 32); err == nil {
			return key[:i]
		}
	}
	return key
}

// add reads one parameter. Only a wrong hash is an error.
func (l *Link) add(key, value string) error {
	text := strings.TrimSpace(unescape(value))
	switch key {
	case "xt":
		topic, name, _ := strings.Cut(text, "|") // lists append the name to it
		if err := l.topic(topic); err != nil {
			return err
		}
		if l.Name == "" && !(l.V1.IsZero() && l.V2.IsZero()) {
			l.Name = cutName(strings.Trim(name, wrapping))
		}
	case "dn":
		l.Name = cutName(unescape(strings.ReplaceAll(value, "+", " ")))
	case "xl":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
			l.Length = n
		}
	case "tr":
		l.Trackers = addURL(l.Trackers, text, MaxTrackers)
	case "ws":
		l.WebSeeds = addURL(l.WebSeeds, text, MaxWebSeeds)
	case "x.pe":
		if isHostPort(text) && len(l.Peers) < MaxPeers && !slices.Contains(l.Peers, text) {
			l.Peers = append(l.Peers, text)
		}
	case "so":
		for _, part := range strings.Split(text, ",") {
			if r, ok := parseRange(part); ok && len(l.Select) < MaxRanges {
				l.Select = append(l.Select, r)
			}
		}
	}
	return nil
}

// topic reads an exact topic: one of the two hashes, or something that is not for us.
func (l *Link) topic(text string) error {
	const v1, v2 = "urn:btih:", "urn:btmh:"
	text = strings.TrimRight(strings.ReplaceAll(text, " ", ""), wrapping+"/?")
	switch lower := strings.ToLower(text); {
	case len(lower) == 40 || len(lower) == 32: // the hash alone
		if h, err := ParseHash(lower); err == nil {
			return l.topic(v1 + h.String())
		}
	case strings.HasPrefix(lower, "bt"): // without its first letters
		return l.topic("urn:" + text)
	case strings.HasPrefix(lower, v1):
		h, err := ParseHash(text[len(v1):])
		if err != nil {
			return err
		}
		if !l.V1.IsZero() && l.V1 != h {
			return fmt.Errorf("%w: it names two torrents, %s and %s", ErrHash, l.V1, h)
		}
		l.V1 = h
	case strings.HasPrefix(lower, v2):
		// A multihash: 12 is SHA-256, 20 its length of 32 bytes.
		digits, ok := strings.CutPrefix(lower[len(v2):], "1220")
		h, err := infohash.ParseHexV2(digits)
		if !ok || err != nil {
			return fmt.Errorf("%w: urn:btmh wants 1220 and 64 hexadecimal digits, not %q", ErrHash, cut(text[len(v2):], 80))
		}
		if !l.V2.IsZero() && l.V2 != h {
			return fmt.Errorf("%w: it names two torrents, %s and %s", ErrHash, l.V2, h)
		}
		l.V2 = h
	}
	return nil
}

// ParseHash reads a bare v1 info-hash: 40 hexadecimal digits or 32 letters and digits of
// base32 (RFC 4648), in either case. The error is ErrHash.
func ParseHash(s string) (Hash, error) {
	var h Hash
	switch len(s) {
	case 40:
		h, err := infohash.ParseHex(s)
		if err != nil || h.IsZero() {
			return Hash{}, fmt.Errorf("%w: %q is not 40 hexadecimal digits", ErrHash, s)
		}
		return h, nil
	case 32:
		b, err := base32.StdEncoding.DecodeString(strings.ToUpper(s))
		if err != nil || len(b) != len(h) || Hash(b).IsZero() {
			return Hash{}, fmt.Errorf("%w: %q is not base32", ErrHash, s)
		}
		return Hash(b), nil
	}
	return h, fmt.Errorf("%w: %q has %d characters, not 40 (hexadecimal) or 32 (base32)", ErrHash, cut(s, 80), len(s))
}

// parseRange reads "7" or "6-8".
func parseRange(s string) (Range, bool) {
	first, last, span := strings.Cut(s, "-")
	if !span {
		last = first
	}
	a, err := strconv.ParseUint(first, 10, 32)
	b, err2 := strconv.ParseUint(last, 10, 32)
	if err != nil || err2 != nil || a > b || b >= MaxFile {
		return Range{}, false
	}
	return Range{uint32(a), uint32(b)}, true
}

// Selects reports whether the link selects the file with that index (BEP 53).
func (l *Link) Selects(file int) bool {
	if len(l.Select) == 0 {
		return true
	}
	return slices.ContainsFunc(l.Select, func(r Range) bool { return file >= int(r.First) && file <= int(r.Last) })
}

func addURL(list []string, url string, most int) []string {
	control := func(r rune) bool { return r <= ' ' || r == 0x7f }
	if url == "" || len(url) > MaxURL || len(list) >= most || strings.ContainsFunc(url, control) || slices.Contains(list, url) {
		return list
	}
	return append(list, url)
}

// isHostPort reports whether s is "host:port" or "[IPv6]:port".
func isHostPort(s string) bool {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 || len(s) > 300 {
		return false
	}
	host := s[:i]
	if n, err := strconv.ParseUint(s[i+1:], 10, 16); err != nil || n == 0 {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && strings.Trim(inner, "0123456789abcdefABCDEF:.") == "" && inner != ""
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		return !(r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
}

// cutName returns a name without blanks at its ends, and of at most MaxName bytes.
func cutName(s string) string { return strings.TrimSpace(cut(strings.TrimSpace(s), MaxName)) }

// cut shortens s to at most n bytes.
func cut(s string, n int) string { return s[:min(len(s), n)] }

// unescape undoes percent-encoding. Other text stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// String returns the link, with the info-hash first, in hexadecimal.
func (l *Link) String() string {
	b := []byte(scheme)
	param := func(key, value string) {
		if len(b) > len(scheme) {
			b = append(b, '&')
		}
		b = append(append(append(b, key...), '='), value...)
	}
	if !l.V1.IsZero() {
		param("xt", "urn:btih:"+l.V1.String())
	}
	if !l.V2.IsZero() {
		param("xt", "urn:btmh:1220"+l.V2.String())
	}
	if l.Name != "" {
		param("dn", escape(l.Name))
	}
	if l.Length > 0 {
		param("xl", strconv.FormatInt(l.Length, 10))
	}
	for _, t := range l.Trackers {
		param("tr", escape(t))
	}
	for _, w := range l.WebSeeds {
		param("ws", escape(w))
	}
	for _, p := range l.Peers {
		param("x.pe", p)
	}
	if len(l.Select) > 0 {
		var so []string
		for _, r := range l.Select {
			text := strconv.FormatUint(uint64(r.First), 10)
			if r.Last != r.First {
				text += "-" + strconv.FormatUint(uint64(r.Last), 10)
			}
			so = append(so, text)
		}
		param("so", strings.Join(so, ","))
	}
	// Parse takes these two at the end for the text around a pasted link.
	switch last := len(b) - 1; b[last] {
	case '.', '_':
		return fmt.Sprintf("%s%%%02X", b[:last], b[last])
	}
	return string(b)
}

// escape percent-encodes all but the characters that are unreserved in a URI.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
