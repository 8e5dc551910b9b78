package tracker

import (
	"bytes"
	"strings"

	"golang.org/x/net/idna"
)

// CleanURL returns an announce URL as it was meant: without blanks, line breaks, quotes and
// angle brackets around it, with slashes for backslashes and two of them after the scheme,
// and with its host in ASCII (RFC 5891). A blank inside becomes %20. Path and query stay
// byte for byte otherwise: passkeys live there. What is not such a URL stays as it is.
//
// A host in another alphabet can look like one that it is not. Its form in ASCII is what
// is asked and what is shown.
func CleanURL(raw string) string {
	s := unbroken.Replace(raw)
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

// unbroken takes out what only the way by which a URL came can have put into it.
var unbroken = strings.NewReplacer("\t", "", "\r", "", "\n", "", "\ufeff", "")

// asciiHost gives the host of an authority in ASCII; one that has no such form as it is.
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

// spoken returns a tracker's words as they are meant to be read: some write them in HTML, for
// a browser. Only the tags of such a page are left out; what else stands in angle brackets
// belongs to the words.
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

// entities are those that deployed trackers write into their words.
var entities = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#39;", "'", "&#039;", "'", "&apos;", "'", "&nbsp;", " ")

// tags are those that deployed trackers write into their words.
var tags = map[string]bool{
	"html": true, "head": true, "title": true, "body": true, "p": true, "br": true, "hr": true, "b": true, "i": true,
	"u": true, "a": true, "font": true, "div": true, "span": true, "center": true, "strong": true, "em": true,
	"h1": true, "h2": true, "h3": true, "pre": true, "code": true, "img": true, "small": true, "ul": true, "li": true,
}

// tag returns the length of the tag that b begins with; 0 when it begins with none.
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
