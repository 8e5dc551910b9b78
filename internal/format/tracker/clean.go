package tracker

import (
	"bytes"
	"strings"

	"golang.org/x/net/idna"
)

// CleanURL returns an announce URL as it was meant: without blanks, line breaks, quotes and
// angle brackets around it, with backslashes turned into slashes, with two slashes after the
// scheme, and with its host in ASCII (RFC 5891). A blank inside becomes %20. Path and query
// otherwise stay byte for byte, because passkeys are in them. Text that is not such a URL
// stays as it is.
//
// A host in another alphabet can look like a different one. Its ASCII form is the one that we
// contact and show.
func CleanURL(raw string) string {
	s := raw
	if strings.ContainsAny(s, "\t\r\n\ufeff") {
		s = unbroken.Replace(s)
	}
	s = strings.Trim(s, " \u00a0\"'<>`\u201c\u201d\u2018\u2019")
	scheme, rest, ok := strings.Cut(s, ":")
	switch strings.ToLower(scheme) {
	case "http", "https", "udp":
	default:
		ok = false
	}
	host := strings.TrimLeft(rest, `/\`)
	if !ok || host == rest { // host:port, or another scheme
		return strings.ReplaceAll(s, " ", "%20")
	}
	path := ""
	if end := strings.IndexAny(host, `/\?#`); end >= 0 {
		host, path = host[:end], host[end:]
	}
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = strings.ReplaceAll(path[:end], `\`, "/") + path[end:]
	} else {
		path = strings.ReplaceAll(path, `\`, "/")
	}
	return scheme + "://" + asciiHost(host) + strings.ReplaceAll(path, " ", "%20")
}

// unbroken removes characters that only the transport of a URL can have inserted.
var unbroken = strings.NewReplacer("\t", "", "\r", "", "\n", "", "\ufeff", "")

// asciiHost returns the host of an authority in ASCII, or unchanged if it has no such form.
func asciiHost(authority string) string {
	at := strings.LastIndexByte(authority, '@') + 1
	end := len(authority)
	if colon := strings.LastIndexByte(authority[at:], ':'); colon >= 0 {
		end = at + colon
	}
	user, host, port := strings.ReplaceAll(authority[:at], " ", "%20"), strings.ReplaceAll(authority[at:end], " ", ""), strings.ReplaceAll(authority[end:], " ", "")
	if strings.IndexFunc(host, func(r rune) bool { return r >= 0x80 }) < 0 {
		return user + host + port
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return user + host + port
	}
	return user + ascii + port
}

// spoken returns a tracker's text as people read it: some trackers write it in HTML, for a
// browser. It removes only the tags of such a page; other text in angle brackets belongs to
// the message.
func spoken(b []byte) string {
	b = b[:min(len(b), 8*maxText)]
	if !bytes.ContainsAny(b, "<&") {
		return printable(b)
	}
	var text []byte
	for len(b) > 0 {
		if n := tag(b); n > 0 {
			text, b = append(text, ' '), b[n:]
			continue
		}
		text, b = append(text, b[0]), b[1:]
	}
	return strings.Join(strings.Fields(printable([]byte(entities.Replace(string(text))))), " ")
}

// entities are the ones that deployed trackers use in their texts.
var entities = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#39;", "'", "&#039;", "'", "&apos;", "'", "&nbsp;", " ")

// tags are the ones that deployed trackers use in their texts.
var tags = map[string]bool{
	"html": true, "head": true, "title": true, "body": true, "p": true, "br": true, "hr": true, "b": true, "i": true,
	"u": true, "a": true, "font": true, "div": true, "span": true, "center": true, "strong": true, "em": true,
	"h1": true, "h2": true, "h3": true, "pre": true, "code": true, "img": true, "small": true, "ul": true, "li": true,
}

// tag returns the length of the tag at the start of b; 0 when there is none.
func tag(b []byte) int {
	if b[0] != '<' {
		return 0
	}
	end := bytes.IndexByte(b[:min(len(b), 300)], '>')
	if end < 0 {
		return 0
	}
	name := bytes.ToLower(bytes.Trim(b[1:end], "/ "))
	if i := bytes.IndexAny(name, " /\t\r\n"); i >= 0 {
		name = name[:i]
	}
	if !tags[string(name)] && !bytes.HasPrefix(name, []byte("!doctype")) {
		return 0
	}
	return end + 1
}
