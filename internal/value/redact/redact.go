// Package redact hides what identifies a user's account in text that people see: the passkeys
// of private trackers, passwords, the tokens of signed URLs. Such text ends up in
// screenshots, logs and bug reports, and a leaked passkey is a leaked account.
//
// It works on any text: it finds URLs anywhere in it, so an error that quotes one is covered.
// Redacted text redacts to itself (decision 0145).
package redact

import (
	"net/url"
	"strings"
)

// Mask replaces what is hidden.
const Mask = "***"

// Text returns s without secrets. In each URL, Mask replaces the user and password, the
// values of parameters that name a secret, and anything that looks like a token. In a magnet
// link every URL that it carries is redacted.
func Text(s string) string {
	// A server may have quoted a URL as JSON does, and as some scripts write JSON.
	if strings.Contains(s, `\/`) {
		s = strings.ReplaceAll(s, `\/`, "/")
	}
	if strings.Contains(s, `\u00`) {
		s = plainJSON.Replace(s)
	}
	return text(s, 0)
}

// plainJSON undoes the JSON escapes of the characters that URLs consist of.
var plainJSON = strings.NewReplacer(
	`\u0026`, "&", `\u003d`, "=", `\u003D`, "=", `\u002f`, "/", `\u002F`, "/", `\u003a`, ":", `\u003A`, ":", `\u003f`, "?", `\u003F`, "?", `\u0040`, "@",
)

// deepest is how many times a URL may be escaped within another; deeper ones are hidden as a
// whole. Without a bound hostile text takes time quadratic in its length.
const deepest = 3

func text(s string, depth int) string {
	if !strings.ContainsAny(s, ":=%/@") {
		return s
	}
	lower := strings.ToLower(s)
	hosts := strings.Contains(s, "@") || strings.Contains(lower, "announce") || strings.Contains(lower, "scrape")
	var b strings.Builder
	rest := s
	for rest != "" {
		start, kind := next(rest, hosts)
		b.WriteString(rest[:start])
		if rest = rest[start:]; kind == nothing {
			break
		}
		end := strings.IndexFunc(rest, stops)
		if end < 0 {
			end = len(rest)
		}
		switch kind {
		case address:
			b.WriteString(link(rest[:end], depth))
		case server:
			b.WriteString(location(rest[:end], false, depth))
		case magnet, parameters:
			b.WriteString(query(rest[:end], false, depth))
		}
		rest = rest[end:]
	}
	return b.String()
}

// Of returns text from or about the server at address, without secrets: the secrets of its
// URL are hidden even where the text repeats them alone ("passkey 0123 is unknown").
func Of(address, text string) string {
	if text == "" { // mostly: a tracker without an error; its URL need not be searched
		return ""
	}
	text = Text(text)
	for _, secret := range Secrets(address) {
		text = strings.ReplaceAll(text, secret, Mask)
	}
	return text
}

// Secrets returns what Text hides in the URL s, as written there and unescaped. It omits what
// is shorter than five characters, because any text may contain that.
func Secrets(s string) (all []string) {
	hidden := Text(s)
	// The text between two masks is the same in both.
	kept := strings.Split(hidden, Mask)
	at := 0
	for i, part := range kept {
		if i == 0 {
			at = len(part)
			continue
		}
		end := len(s)
		if part != "" {
			n := strings.Index(s[min(at, len(s)):], part)
			if n < 0 {
				return all
			}
			end = at + n
		}
		secret := s[min(at, end):end]
		for _, one := range append(strings.FieldsFunc(secret, func(r rune) bool { return r == ':' }), secret) {
			if len(one) < shortest {
				continue
			}
			all = append(all, one)
			if plain, err := url.QueryUnescape(one); err == nil && plain != one && len(plain) >= shortest {
				all = append(all, plain)
			}
		}
		at = end + len(part)
	}
	return all
}

// shortest is the length of the shortest secret that we look for outside of its URL.
const shortest = 5

// HasSecret reports whether Text would hide something of s.
func HasSecret(s string) bool { return Text(s) != s }

// longestScheme bounds the scheme of a URL in bytes.
const longestScheme = 32

type what uint8

const (
	nothing    what = iota
	address         // scheme://... or //..., escaped or not
	server          // the same without a scheme: host/..., user:password@host
	magnet          // magnet:?...
	parameters      // a path with a query, or key=value alone
)

// next finds the first place that may hold a secret. hosts says that a host without a scheme
// counts.
func next(s string, hosts bool) (int, what) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '/' && strings.HasPrefix(s[i:], "//") && len(s) > i+2 && hostly(s[i+2]) && (i == 0 || !letter(s[i-1]) && s[i-1] != '/'):
			return i, address
		case letter(c) && i > 0 && letter(s[i-1]):
			continue // in the middle of a word
		case !letter(c) && c != '?' && c != '&' && c != '/':
			continue
		case (c == '?' || c == '&') && i+1 < len(s) && parameter(s[i+1:]), letter(c) && strong(s[i:]),
			c == '?' && i+1 < len(s) && letter(s[i+1]) && escapedIn(s[i+1:]):
			return i, parameters
		case letter(c):
			n := i + 1
			for n < len(s) && n-i < longestScheme && (letter(s[n]) || s[n] == '+' || s[n] == '.' || s[n] == '-') {
				n++
			}
			rest := s[n:]
			switch {
			case strings.EqualFold(s[i:n], "magnet") && strings.HasPrefix(rest, ":"):
				return i, magnet
			case separator(rest) > 0:
				return i, address
			case hosts && isServer(s[i:]):
				return i, server
			}
			// The word may end in the beginning of such a place: continue behind its letters.
			for i+1 < len(s) && letter(s[i+1]) {
				i++
			}
		}
	}
	return len(s), nothing
}

func letter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// hostly reports whether a host can begin with c.
func hostly(c byte) bool { return letter(c) || c == '[' || c == '%' || c == '*' }

// separator returns the length of the prefix of s that stands for "://": parts of it may be
// escaped, even more than once. 0: there is none.
func separator(s string) int {
	n := 0
	for _, sign := range []struct{ plain, escaped string }{{":", "3a"}, {"/", "2f"}, {"/", "2f"}} {
		if strings.HasPrefix(s[n:], sign.plain) {
			n++
			continue
		}
		if !strings.HasPrefix(s[n:], "%") {
			return 0
		}
		n++
		for strings.HasPrefix(s[n:], "25") {
			n += 2
		}
		if len(s) < n+2 || !strings.EqualFold(s[n:n+2], sign.escaped) {
			return 0
		}
		n += 2
	}
	return n
}

// longestServer bounds how much of a possible host without a scheme we look at: each word may
// be one.
const longestServer = 512

// isServer reports whether s begins with a URL that has lost its scheme: the host of a
// tracker with a path, or a user and a password before a host.
func isServer(s string) bool {
	s = s[:min(len(s), longestServer)]
	if end := strings.IndexFunc(s, stops); end >= 0 {
		s = s[:end]
	}
	host, path := s, ""
	if end := strings.IndexAny(s, "/?#"); end >= 0 {
		host, path = s[:end], s[end:]
	}
	if at := strings.LastIndexByte(host, '@'); at > 0 && strings.Contains(host[:at], ":") && strings.ContainsAny(host[at:], ".:") {
		return true
	}
	return path != "" && strings.ContainsAny(host, ".:") && !strings.ContainsAny(host, "=&") && isTracker(path)
}

// isTracker reports whether a path belongs to a tracker.
func isTracker(path string) bool {
	path = strings.ToLower(path)
	return strings.Contains(path, "announce") || strings.Contains(path, "scrape")
}

// stops reports whether a rune ends a URL in a text.
func stops(r rune) bool {
	return r <= ' ' || strings.ContainsRune("\"<>`\\", r) || r == 0x7f
}

// parameter reports whether s begins with a parameter that names a secret.
func parameter(s string) bool {
	key, _, ok := strings.Cut(s, "=")
	return ok && len(key) < 40 && names[strings.ToLower(key)]
}

// escapedIn reports whether a parameter has an escaped value, which may be a URL.
func escapedIn(s string) bool {
	if end := strings.IndexFunc(s, stops); end >= 0 {
		s = s[:end]
	}
	s = s[:min(len(s), longestServer)]
	return strings.ContainsRune(s, '=') && strings.ContainsRune(s, '%')
}

// strong reports whether s begins with a parameter that is a secret even outside of a URL,
// where "key=" and "user=" are ordinary words.
func strong(s string) bool {
	for _, name := range []string{"passkey=", "authkey=", "torrent_pass=", "password="} {
		if len(s) >= len(name) && strings.EqualFold(s[:len(name)], name) {
			return true
		}
	}
	return false
}

// names are the parameters whose values are secrets, in lower case.
var names = map[string]bool{
	"passkey": true, "pass_key": true, "authkey": true, "auth_key": true, "torrent_pass": true, "torrentpass": true,
	"uid": true, "userid": true, "user_id": true, "user": true, "username": true, "login": true, "email": true,
	"key": true, "pk": true, "pid": true, "secret": true, "secure": true, "auth": true, "authorization": true, "hash": true,
	"pass": true, "passwd": true, "password": true, "pwd": true,
	"token": true, "access_token": true, "refresh_token": true, "id_token": true, "csrf": true, "rsskey": true, "rss_key": true,
	"apikey": true, "api_key": true, "api-key": true, "sid": true, "session": true, "sessionid": true, "jsessionid": true, "phpsessid": true, "session_id": true, "cookie": true, "jwt": true,
	"sig": true, "signature": true, "x-amz-signature": true, "x-amz-credential": true, "x-amz-security-token": true,
	"awsaccesskeyid": true, "x-goog-signature": true, "x-goog-credential": true, "policy": true, "key-pair-id": true, "hmac": true,
}

// public are the parameters whose values are long and not secret.
var public = map[string]bool{
	"info_hash": true, "infohash": true, "peer_id": true, "xt": true, "urn": true, "btih": true, "dn": true, "xl": true, "x.pe": true, "so": true,
}

// inner redacts a URL that was escaped within another.
func inner(plain string, depth int) string {
	if depth >= deepest {
		return Mask
	}
	hidden := text(plain, depth+1)
	if hidden == plain && strings.Contains(strings.ToLower(plain), "%2f") { // escaped once more
		if again, err := url.PathUnescape(plain); err == nil && again != plain {
			if h := inner(again, depth+1); h != again {
				return escape(h)
			}
		}
	}
	return hidden
}

// link redacts one URL.
func link(s string, depth int) string {
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		return "//" + location(rest, false, depth)
	}
	n := strings.IndexAny(s, ":%")
	scheme := s[:n]
	if rest, ok := strings.CutPrefix(s[n:], "://"); ok {
		known := strings.EqualFold(scheme, "udp") || strings.EqualFold(scheme, "ws") || strings.EqualFold(scheme, "wss")
		return scheme + "://" + location(rest, known, depth)
	}
	// The URL is escaped as a whole, perhaps more than once: "http%3A%2F%2F...".
	plain, times := s, 0
	for !strings.HasPrefix(plain[n:], "://") {
		next, err := url.PathUnescape(plain)
		if err != nil || next == plain || times == deepest {
			return s[:n+separator(s[n:])] + Mask // text that we can't decode may hold anything
		}
		plain, times = next, times+1
	}
	hidden := inner(plain, depth)
	if hidden == plain {
		return s
	}
	for range times {
		hidden = escape(hidden)
	}
	return hidden
}

// location redacts a URL behind its scheme. tracker says that it is known to be a tracker's.
func location(rest string, tracker bool, depth int) string {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, tail := rest[:end], rest[end:]
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = Mask + host[i:]
	}
	if !strings.Contains(host, "[") {
		labels := strings.Split(host, ".")
		for i, label := range labels {
			if len(label) < leastHost {
				continue
			}
			name, port, ok := strings.Cut(label, ":")
			if token(name, false) {
				labels[i] = Mask
				if ok {
					labels[i] += ":" + port
				}
			}
		}
		host = strings.Join(labels, ".")
	}
	path, params := tail, ""
	if i := strings.IndexAny(tail, "?#"); i >= 0 {
		path, params = tail[:i], tail[i:]
	}
	tracker = tracker || isTracker(path)
	return host + segments(path, tracker, depth) + query(params, tracker, depth)
}

// segments redacts the path of a URL. For a tracker anything that could be a token is one;
// elsewhere file names look much the same.
func segments(path string, tracker bool, depth int) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if p == Mask {
			continue
		}
		plain, err := url.PathUnescape(p)
		if err != nil {
			plain = p
		}
		switch {
		case strings.Contains(plain, "://"), strings.HasPrefix(plain, "//"), encoded(plain):
			if hidden := inner(plain, depth); hidden != plain {
				parts[i] = escape(hidden)
			}
		case strings.ContainsAny(plain, ";=") && keyed(plain):
			parts[i] = query(p, tracker, depth)
		case token(plain, tracker):
			parts[i] = Mask
		default:
			parts[i] = words(p)
		}
	}
	return strings.Join(parts, "/")
}

// words redacts an element of a path in which a token is one word of several: KEY.torrent,
// user:KEY, KEY-name. File names have short numbers and checksums: so a word must be longer
// than an element to count as a token, or be a UUID.
func words(s string) string {
	var b strings.Builder
	for s != "" {
		if isUUID(s) {
			b.WriteString(Mask)
			s = s[uuidLength:]
			continue
		}
		end := strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 || !letter(byte(r)) || r == '_' })
		if end < 0 {
			end = len(s)
		}
		if word := s[:end]; end >= leastWordOf && token(word, false) {
			b.WriteString(Mask)
		} else {
			b.WriteString(word)
		}
		if end < len(s) {
			b.WriteByte(s[end])
			end++
		}
		s = s[end:]
	}
	return b.String()
}

const uuidLength = 36

// isUUID reports whether s begins with a UUID: 8-4-4-4-12 hexadecimal digits.
func isUUID(s string) bool {
	if len(s) < uuidLength || strings.Trim(s[:uuidLength], "0123456789abcdefABCDEF-_") != "" {
		return false
	}
	for i := range uuidLength {
		if mark := s[i] == '-' || s[i] == '_'; mark != (i == 8 || i == 13 || i == 18 || i == 23) {
			return false
		}
	}
	return true
}

// keyed reports whether an element of a path holds parameters.
func keyed(s string) bool {
	for _, p := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == '&' }) {
		if parameter(p) {
			return true
		}
	}
	return false
}

// query redacts parameters, whatever separates them.
func query(s string, tracker bool, depth int) string {
	var b strings.Builder
	for s != "" {
		end := strings.IndexAny(s, "?&;#")
		if end < 0 {
			end = len(s)
		}
		b.WriteString(pair(s[:end], tracker, depth))
		if end < len(s) {
			b.WriteByte(s[end])
			end++
		}
		s = s[end:]
	}
	return b.String()
}

// pair redacts one parameter.
func pair(p string, tracker bool, depth int) string {
	key, value, ok := strings.Cut(p, "=")
	if !ok {
		if plain, err := url.QueryUnescape(key); err == nil && token(plain, tracker) {
			return Mask
		}
		return p
	}
	name, err := url.QueryUnescape(key)
	if err != nil {
		name = key
	}
	name = strings.ToLower(strings.TrimSpace(name))
	// "tr.1" of a magnet link is another "tr".
	name, _, _ = strings.Cut(name, "[")
	plain, err := url.QueryUnescape(value)
	if err != nil {
		plain = value
	}
	switch {
	case value == "" || value == Mask:
	case names[name]:
		// A colon may follow: "Get http://...?passkey=x: refused".
		if n := len(value) - len(strings.TrimRight(value, ":,.)'")); n < len(value) {
			return key + "=" + Mask + value[len(value)-n:]
		}
	case public[name]:
	case strings.ContainsAny(plain, "/?"), encoded(plain), strings.HasPrefix(strings.ToLower(plain), "magnet:"):
		if hidden := inner(plain, depth); hidden != plain {
			if plain == value {
				return key + "=" + hidden
			}
			return key + "=" + escape(hidden)
		}
	case token(plain, tracker):
		return key + "=" + Mask
	}
	return p
}

// encoded reports whether an unescaped value still holds a URL that is escaped.
func encoded(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "%3a") || strings.Contains(s, "%253a") || strings.Contains(s, "%2f%2f") || strings.Contains(s, "%252f%252f")
}

// escape escapes a value that held a URL; Mask stays readable in it.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2A%2A%2A", Mask) }

// Least lengths of a token: digits and letters mixed, without anything between them.
// Info-hashes are longer, so paths hide them, too.
const (
	leastHex     = 16 // hexadecimal digits
	leastMixed   = 20
	leastTracker = 8  // on a tracker, with a digit
	leastWord    = 16 // on a tracker, without a digit
	leastHost    = 16 // a label of a host
	leastWordOf  = 20 // a word among others in an element of a path
)

// token reports whether s looks random rather than written by a person.
func token(s string, tracker bool) bool {
	s = strings.TrimRight(s, ":,.)'")
	digits, letters, hex := 0, 0, true
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			digits++
		case 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
			letters++
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			letters++
			hex = false
		case tracker && (c == '-' || c == '_' || c == '=' || c == '+'):
			hex = false
		default:
			return false
		}
	}
	switch n := len(s); {
	case hex && n >= leastHex && digits > 0:
		return true
	case n >= leastMixed && digits > 0 && letters > 0:
		return true
	case tracker && n >= leastTracker && digits > 0 && letters > 0:
		return true
	case tracker && n >= leastWord && (letters > 0 || digits > 0):
		return true
	}
	return false
}
