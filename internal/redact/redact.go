// Package redact hides what identifies a user's account in text that people see: the
// passkeys of private trackers, passwords, the tokens of signed URLs. Such text ends up in
// screenshots, logs and bug reports, and a passkey there is an account given away.
//
// It works on any text: URLs are found in it wherever they stand, so an error that quotes
// one is covered. Redacted text redacts to itself.
package redact

import (
	"net/url"
	"strings"
)

// Mask stands for what is hidden.
const Mask = "***"

// Text returns s without secrets. In each URL the user and password, the values of
// parameters that name a secret, and whatever looks like a token are replaced by Mask. A
// magnet link is redacted in each of the URLs that it carries.
func Text(s string) string {
	// A server may have quoted a URL as JSON does, and as some scripts write JSON.
	if strings.Contains(s, `:\/\/`) {
		s = strings.ReplaceAll(s, `\/`, "/")
	}
	if strings.Contains(s, `\u0026`) && strings.Contains(s, "://") {
		s = strings.ReplaceAll(s, `\u0026`, "&")
	}
	return text(s, 0)
}

// deepest is how many times a URL may be escaped within another: what is deeper is hidden
// as a whole. Without a bound hostile text takes time by the square of its length.
const deepest = 3

func text(s string, depth int) string {
	if !strings.Contains(s, ":") && !strings.Contains(s, "=") && !strings.Contains(strings.ToLower(s), "%3a") {
		return s
	}
	var b strings.Builder
	rest := s
	for rest != "" {
		start, kind := next(rest)
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
		case magnet, parameters:
			b.WriteString(query(rest[:end], false, depth))
		}
		rest = rest[end:]
	}
	return b.String()
}

// Of returns what a server said, or what is said of it, without secrets: those that its
// own URL holds are hidden also where the text repeats them alone ("passkey 0123 is
// unknown").
func Of(address, text string) string {
	text = Text(text)
	for _, secret := range Secrets(address) {
		text = strings.ReplaceAll(text, secret, Mask)
	}
	return text
}

// Secrets returns what Text hides in the URL s, as it is written there and unescaped. Of
// what is shorter than five characters nothing is returned: it would be found in any text.
func Secrets(s string) (all []string) {
	hidden := Text(s)
	// What stands between two masks is the same in both.
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

// shortest secret that is looked for outside of its URL.
const shortest = 5

// HasSecret reports whether Text would hide something of s.
func HasSecret(s string) bool { return Text(s) != s }

// longestScheme bounds what is taken for the scheme of a URL.
const longestScheme = 32

type what uint8

const (
	nothing    what = iota
	address         // scheme://...
	magnet          // magnet:?...
	parameters      // a path with a query, or key=value alone
)

// next finds where something begins that may hold a secret.
func next(s string) (int, what) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case letter(c) && i > 0 && letter(s[i-1]):
			continue // in the middle of a word
		case !letter(c) && c != '?' && c != '&' && c != '/':
			continue
		case (c == '?' || c == '&') && i+1 < len(s) && parameter(s[i+1:]), letter(c) && strong(s[i:]):
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
			case strings.HasPrefix(rest, "://"), len(rest) >= 9 && strings.EqualFold(rest[:9], "%3A%2F%2F"):
				return i, address
			}
			// The word may end in what is the beginning of something: go on behind its letters.
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

// stops reports whether a rune ends a URL in a text.
func stops(r rune) bool {
	return r <= ' ' || strings.ContainsRune("\"<>`\\", r) || r == 0x7f
}

// parameter reports whether s begins with a parameter that names a secret.
func parameter(s string) bool {
	key, _, ok := strings.Cut(s, "=")
	return ok && len(key) < 40 && names[strings.ToLower(key)]
}

// strong reports whether s begins with a parameter that is a secret also outside of a
// URL: there "key=" and "user=" are ordinary words.
func strong(s string) bool {
	for _, name := range []string{"passkey=", "authkey=", "torrent_pass=", "password="} {
		if len(s) >= len(name) && strings.EqualFold(s[:len(name)], name) {
			return true
		}
	}
	return false
}

// names are the parameters whose values are secrets, in small letters.
var names = map[string]bool{
	"passkey": true, "pass_key": true, "authkey": true, "auth_key": true, "torrent_pass": true, "torrentpass": true,
	"uid": true, "userid": true, "user_id": true, "user": true, "username": true, "login": true, "email": true,
	"key": true, "pk": true, "pid": true, "secret": true, "secure": true, "auth": true, "authorization": true, "hash": true,
	"pass": true, "passwd": true, "password": true, "pwd": true,
	"token": true, "access_token": true, "refresh_token": true, "id_token": true, "csrf": true, "rsskey": true, "rss_key": true,
	"apikey": true, "api_key": true, "api-key": true, "sid": true, "session": true, "sessionid": true, "session_id": true, "cookie": true, "jwt": true,
	"sig": true, "signature": true, "x-amz-signature": true, "x-amz-credential": true, "x-amz-security-token": true,
	"awsaccesskeyid": true, "x-goog-signature": true, "x-goog-credential": true, "policy": true, "key-pair-id": true, "hmac": true,
}

// public are the parameters whose values are long and no secrets.
var public = map[string]bool{
	"info_hash": true, "infohash": true, "peer_id": true, "xt": true, "urn": true, "btih": true, "dn": true, "xl": true, "x.pe": true, "so": true,
}

// inner redacts a URL that was escaped within another.
func inner(plain string, depth int) string {
	if depth >= deepest {
		return Mask
	}
	return text(plain, depth+1)
}

// link redacts one URL.
func link(s string, depth int) string {
	if !strings.Contains(s, "://") { // it is escaped as a whole: "http%3A%2F%2F..."
		plain, err := url.QueryUnescape(s)
		if err != nil || !strings.Contains(plain, "://") {
			return s
		}
		if hidden := inner(plain, depth); hidden != plain {
			return escape(hidden)
		}
		return s
	}
	scheme, rest, _ := strings.Cut(s, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, tail := rest[:end], rest[end:]
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = Mask + host[i:]
	}
	path, params := tail, ""
	if i := strings.IndexAny(tail, "?#"); i >= 0 {
		path, params = tail[:i], tail[i:]
	}
	tracker := strings.EqualFold(scheme, "udp") || strings.Contains(strings.ToLower(path), "announce") || strings.Contains(strings.ToLower(path), "scrape")
	return scheme + "://" + host + segments(path, tracker, depth) + query(params, tracker, depth)
}

// segments redacts the path of a URL. Behind a tracker's host anything that could be a
// token is one; elsewhere names of files look much like it.
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
		case strings.Contains(plain, "://"):
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
// user:KEY, KEY-name. Names of files have short numbers and checksums: a word must be longer
// than an element to be a token, or the whole a UUID.
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

// query redacts parameters, whatever stands between them.
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
	case strings.Contains(plain, "://"), strings.HasPrefix(strings.ToLower(plain), "magnet:"):
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

// escape is for a value that held a URL; Mask stays readable in it.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2A%2A%2A", Mask) }

// The least lengths of what is taken for a token: digits and letters mixed, without
// anything between them. Info-hashes are longer, and are hidden in paths, too.
const (
	leastHex     = 16 // hexadecimal digits
	leastMixed   = 20
	leastTracker = 8  // behind the host of a tracker: with a digit in it
	leastWord    = 16 // there, without a digit
	leastWordOf  = 20 // of a word among others in an element of a path
)

// token reports whether s looks drawn at random rather than written by a person.
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
