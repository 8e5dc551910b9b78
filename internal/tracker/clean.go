package tracker

import (
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
