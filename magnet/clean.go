package magnet

import "strings"

// People paste links out of mails, pages and chats: broken over lines, in quotation marks or
// brackets, escaped once too often, without their first letters. Clean finds the link that
// was meant. Parse judges its contents as strictly as before: the hash decides.

// maxUnescape bounds how often a link may be escaped as a whole.
const maxUnescape = 3

// wrapping is text around a link that is not part of it.
const wrapping = " \t\r\n\u00a0\"'`´‘’‚“”„«»‹›<>[](){}|*_.,;，。"

// invisible are characters that show nothing and that no link contains.
var invisible = strings.NewReplacer(
	"\ufeff", "", "\u200b", "", "\u200c", "", "\u200d", "", "\u200e", "", "\u200f", "", "\u2060", "", "\u00ad", "",
	"\u202a", "", "\u202b", "", "\u202c", "", "\u202d", "", "\u202e", "", "\r", "", "\n", "", "\t", "", "\x00", "",
	"：", ":", "？", "?", "＆", "&", "＝", "=", "\u00a0", " ",
)

// entities are the HTML entities of the special characters of a link.
var entities = strings.NewReplacer(
	"&amp;", "&", "&AMP;", "&", "&#38;", "&", "&#038;", "&", "&#x26;", "&", "&#X26;", "&", "&num;", "#",
	"&#61;", "=", "&#x3d;", "=", "&#x3D;", "=", "&equals;", "=", "&#58;", ":", "&#x3a;", ":", "&#x3A;", ":", "&colon;", ":",
	"&#63;", "?", "&#x3f;", "?", "&#x3F;", "?", "&quest;", "?", "&nbsp;", " ", "&#37;", "%", "&#x25;", "%",
)

// keys are the parameters that may follow a semicolon in place of an ampersand.
var keys = []string{"xt", "dn", "xl", "tr", "ws", "as", "xs", "kt", "mt", "so", "x.pe"}

// Clean returns the magnet link that a text stands for, beginning with "magnet:?", with an
// ampersand between its parameters. It knows links in all the forms in which people paste
// them, links without their beginning (urn:btih:...), bare info-hashes, and addresses of web
// pages with a link as a parameter. It returns false for a text that does not stand for a
// link; Parse decides whether the link is valid (decision 0141).
func Clean(s string) (link string, ok bool) {
	if len(s) > maxUnescape*MaxLength {
		return "", false
	}
	s = invisible.Replace(s)
	for range maxUnescape {
		if link, ok := begin(s); ok {
			return separate(link), true
		}
		plain := unescape(s)
		if plain == s {
			break
		}
		s = invisible.Replace(plain)
	}
	if h, ok := bareHash(s); ok {
		return scheme + "xt=" + h, true
	}
	if hash, name, ok := strings.Cut(s, "|"); ok { // lists append the name to it
		if h, ok := bareHash(hash); ok {
			return strings.TrimRight(scheme+"xt="+h+"&dn="+escape(strings.Trim(name, wrapping)), wrapping), true
		}
	}
	return "", false
}

// Is reports whether a text stands for a magnet link, or an info-hash.
func Is(s string) bool {
	_, ok := Clean(s)
	return ok
}

// maxFound bounds the links of one text.
const maxFound = 1000

// Bounds on the work for a text, because strangers write texts: a line may be read again with
// the lines after it, and a link with each line that continues it. A list of links, a mail or
// a page is read once or twice (decision 0178).
const (
	readsOver    = 4       // bytes read for each byte of the text
	readsAtLeast = 1 << 20 // bytes read for a short text
	readCost     = 256     // cost of one read besides its bytes
)

// shortestHash is the length of the shortest form of an info-hash.
const shortestHash = 32

// mayBeLink is a quick check whether a line can hold a link, an info-hash or their beginning.
func mayBeLink(line string) bool {
	if len(line) >= shortestHash {
		return true
	}
	lower := asciiLower(line)
	return strings.Contains(lower, "magn") || strings.Contains(lower, "bt")
}

// Find returns the links and info-hashes in a text: a file with one in each line, a mail, a
// page. Each occurs once, and Parse accepts each; Find returns at most 1000.
func Find(text string) (links []string) {
	seen := make(map[string]bool)
	left := len(text)*readsOver + readsAtLeast
	take := func(s string) bool {
		if left -= len(s) + readCost; left < 0 {
			return false
		}
		l, err := Parse(s)
		if err != nil {
			return false
		}
		if name := l.V1.String() + l.V2.String(); !seen[name] && len(links) < maxFound {
			seen[name] = true
			link, _ := Clean(s)
			links = append(links, link)
		}
		return true
	}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines) && len(links) < maxFound && left > 0; i++ {
		parts := splitLinks(lines[i])
		for k, part := range parts {
			if !mayBeLink(part) || take(part) || k < len(parts)-1 || !Is(part) {
				continue
			}
			// A mail breaks long lines.
			for n := 1; n <= 8 && i+n < len(lines) && left > 0; n++ {
				part += strings.TrimSpace(lines[i+n])
				if take(part) {
					i += n
					break
				}
			}
		}
		// The lines after a link may continue it, and say so.
		for len(parts) > 0 && len(links) > 0 && i+1 < len(lines) && left > 0 {
			next := strings.TrimSpace(lines[i+1])
			if !strings.HasPrefix(next, "&") && !strings.HasPrefix(next, ";") || len(links[len(links)-1])+len(next) > MaxLength {
				break
			}
			left -= len(links[len(links)-1]) + len(next) + readCost
			joined, ok := Clean(links[len(links)-1] + next)
			if _, err := Parse(joined); !ok || err != nil {
				break
			}
			links[len(links)-1] = joined
			i++
		}
	}
	return links
}

// splitLinks cuts a line where another link begins.
func splitLinks(line string) (parts []string) {
	lower := asciiLower(line)
	from := 0
	for i := 1; i < len(lower); i++ {
		if strings.HasPrefix(lower[i:], "magnet:?") && (lower[i-1] == ' ' || strings.IndexByte("\"'<>(\t,|", lower[i-1]) >= 0) && len(parts) < maxFound {
			// the mark before the link belongs to it
			parts = append(parts, line[from:i-1])
			from = i - 1
		}
	}
	return append(parts, line[from:])
}

// begin finds where a link begins in s, and returns what follows "magnet:?".
func begin(s string) (params string, ok bool) {
	lower := asciiLower(s)
	at, inside := -1, false
	for from := 0; at < 0; {
		i := strings.Index(lower[from:], "magnet")
		if i < 0 {
			break
		}
		i += from
		from = i + len("magnet")
		// The forms "magnet:?", "magnet?", "magnet://?", "magnet:/?" and "magnet:" alone.
		rest := strings.TrimLeft(lower[from:], ":/? ")
		if n := len(lower) - from - len(rest); n > 0 && strings.ContainsAny(lower[from:from+n], ":?") && isParameter(rest) {
			at = len(lower) - len(rest)
			inside = i > 0 && s[i-1] == '=' // the value of a parameter of a page
			s = enclosed(s, i, at)
		}
	}
	if at < 0 {
		for _, urn := range []string{"xt=urn:bt", "urn:btih:", "urn:btmh:", "btih:", "btmh:"} {
			i := strings.Index(lower, urn)
			if i < 0 || i > 0 && isWord(lower[i-1]) || strings.Contains(lower[:i], "://") {
				continue // the last is the address of a page, which is not a link
			}
			s = enclosed(s, i, i)
			params = s[i:]
			switch {
			case strings.HasPrefix(urn, "xt="):
			case strings.HasPrefix(urn, "urn:"):
				params = "xt=" + params
			default:
				params = "xt=urn:" + params
			}
			return params, true
		}
		// Parse refuses "magnet:" without anything valid.
		trimmed := strings.TrimLeft(lower, wrapping)
		if rest, ok := strings.CutPrefix(trimmed, "magnet"); ok && strings.HasPrefix(strings.TrimLeft(rest, "/? "), ":") || strings.HasPrefix(trimmed, "magnet?") {
			return s[len(s)-len(trimmed)+len("magnet:"):], true
		}
		return "", false
	}
	params = s[at:]
	if inside && escapedInside(params) {
		params, _, _ = strings.Cut(params, "&") // the rest belongs to the page
		params = unescape(params)
	}
	return params, true
}

// isParameter reports whether s begins with a key of a link, escaped or not.
func isParameter(s string) bool {
	s = strings.TrimLeft(s, "&; ")
	if p, ok := strings.CutPrefix(s, "amp;"); ok {
		s = p
	}
	if strings.HasPrefix(s, "%3f") || strings.HasPrefix(s, "%253f") {
		return true
	}
	for _, key := range keys {
		rest, ok := strings.CutPrefix(s, key)
		if !ok {
			continue
		}
		rest = strings.TrimLeft(rest, ".0123456789 ")
		if strings.HasPrefix(rest, "=") || strings.HasPrefix(rest, "%3d") || strings.HasPrefix(rest, "%253d") {
			return true
		}
	}
	return strings.HasPrefix(s, "urn:bt") || strings.HasPrefix(s, "btih:")
}

// escapedInside reports whether parameters are escaped as a whole: the sign between key and
// value, or between the first two parameters, is escaped.
func escapedInside(params string) bool {
	lower := asciiLower(params)
	if strings.HasPrefix(lower, "%3f") || strings.HasPrefix(lower, "%25") {
		return true
	}
	first, _, _ := strings.Cut(lower, "&")
	key, value, ok := strings.Cut(first, "=")
	if !ok {
		return true
	}
	return strings.Contains(key, "%3d") || strings.HasPrefix(key, "xt") && strings.Contains(value, "%26")
}

// enclosed cuts s at the end of the mark or bracket that precedes byte i. It looks for the
// end from byte from on.
func enclosed(s string, i, from int) string {
	const open = "\"'`<([{"
	const shut = "\"'`>)]}"
	if i == 0 {
		return s
	}
	if k := strings.IndexByte(open, s[i-1]); k >= 0 {
		if end := strings.IndexByte(s[from:], shut[k]); end >= 0 {
			return s[:from+end]
		}
	}
	for _, pair := range []string{"“”", "‘’", "«»", "„“", "‹›"} {
		r := []rune(pair)
		if strings.HasSuffix(s[:i], string(r[0])) {
			if end := strings.Index(s[from:], string(r[1])); end >= 0 {
				return s[:from+end]
			}
		}
	}
	return s
}

// separate puts an ampersand between parameters, and removes what surrounds them.
func separate(params string) string {
	for range maxUnescape {
		if params = strings.TrimLeft(params, "?/&; "); !escapedInside(params) || !strings.Contains(params, "%") {
			break
		}
		params = unescape(params)
	}
	for range maxUnescape {
		plain := entities.Replace(params)
		if plain == params {
			break
		}
		params = plain
	}
	lower := asciiLower(params)
	var b strings.Builder
	from := 0
	for i := 0; i < len(params); i++ {
		if c := params[i]; (c == ';' || c == '?') && isKey(lower[i+1:]) {
			b.WriteString(params[from:i])
			b.WriteByte('&')
			from = i + 1
		}
	}
	b.WriteString(params[from:])
	return scheme + strings.TrimRight(b.String(), wrapping)
}

// longestKey bounds a key in bytes, with the blanks around it.
const longestKey = 8

// isKey reports whether s begins with a key and an equals sign.
func isKey(s string) bool {
	key, _, ok := strings.Cut(s[:min(len(s), longestKey+1)], "=")
	if !ok {
		return false
	}
	key = strings.TrimSpace(key)
	for _, k := range keys {
		if withoutNumber(key) == k {
			return true
		}
	}
	return false
}

// bareHash reads an info-hash without a link, with what people and pages put around one, and
// returns its URN.
func bareHash(s string) (urn string, ok bool) {
	s = asciiLower(strings.Trim(s, wrapping+"/#?&"))
	for _, label := range []string{"info-hash", "info_hash", "infohash", "info hash", "torrent hash", "hash", "v1", "v2", "sha1", "sha-1", "btih", "btmh"} {
		if rest, ok := strings.CutPrefix(s, label); ok {
			if t := strings.TrimLeft(rest, " :="); t != rest {
				s = t
				break
			}
		}
	}
	s = strings.Trim(strings.TrimSuffix(strings.TrimPrefix(s, "0x"), ".torrent"), wrapping+"/#?&")
	digits := strings.Map(func(r rune) rune {
		if r == ' ' || r == ':' || r == '-' {
			return -1
		}
		return r
	}, s)
	hex := strings.Trim(digits, "0123456789abcdef") == ""
	switch {
	case hex && len(digits) == 40:
		return "urn:btih:" + digits, true
	case hex && len(digits) == 64:
		return "urn:btmh:1220" + digits, true
	case hex && len(digits) == 68 && strings.HasPrefix(digits, "1220"):
		return "urn:btmh:" + digits, true
	case len(s) == 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == "":
		return "urn:btih:" + s, true
	}
	return "", false
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

// asciiLower is strings.ToLower without changing the number of bytes, so that indices stay
// valid.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
