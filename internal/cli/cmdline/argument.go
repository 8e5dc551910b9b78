package cmdline

import (
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"shoal/magnet"
)

// Kind is what a source looks like.
type Kind uint8

const (
	KindFile Kind = iota
	KindMagnet
	KindURL
	KindHash
	KindFileURL
	KindDataURL
	KindStdin
	KindOtherURL
)

// String names the kind for a message.
func (k Kind) String() string {
	return [...]string{
		"a file", "a magnet link", "a URL", "a bare info-hash", "a file", "a data URL", "standard input", "a URL of another kind",
	}[k]
}

// Quotes are what people paste around a source.
const Quotes = " \t\r\n\u00a0\ufeff\"'`‘’‚“”„«»‹›<>"

// KindOf tells sources by what they look like. A file of that name wins.
func KindOf(name string) Kind {
	if name == "-" {
		return KindStdin
	}
	if _, err := os.Lstat(name); err == nil {
		return KindFile
	}
	lower := strings.ToLower(strings.Trim(name, Quotes))
	scheme, rest, ok := strings.Cut(lower, ":")
	web := ok && (scheme == "http" || scheme == "https") && strings.HasPrefix(rest, "/")
	switch {
	case IsHash(strings.TrimSpace(lower)):
		return KindHash
	case magnet.Is(name), isBrokenLink(lower) && !web:
		return KindMagnet
	case web:
		return KindURL
	case ok && scheme == "file":
		return KindFileURL
	case ok && scheme == "data":
		return KindDataURL
	case ok && len(scheme) > 1 && strings.HasPrefix(rest, "//") && strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == "":
		return KindOtherURL
	case len(lower) > 30 && strings.Trim(lower, "0123456789abcdef") == "":
		return KindHash // of the wrong length: reading it says so
	}
	return KindFile
}

// isBrokenLink reports whether a text that is not a file was meant to be a magnet link.
func isBrokenLink(lower string) bool {
	if rest, ok := strings.CutPrefix(lower, "magnet"); ok && strings.ContainsAny(rest[:min(len(rest), 1)], ":;?=%&") {
		return true
	}
	return strings.Contains(lower, "btih") && strings.ContainsAny(lower, ":=") || strings.HasPrefix(lower, "urn:")
}

// FilePath returns the path that a file URL names (RFC 8089).
func FilePath(name string) (string, bool) {
	name = strings.Trim(name, Quotes)
	if len(name) < len("file:") || !strings.EqualFold(name[:len("file:")], "file:") {
		return "", false
	}
	rest := strings.ReplaceAll(name[len("file:"):], `\`, "/")
	if host, ok := strings.CutPrefix(rest, "//"); ok {
		slash := strings.IndexByte(host, '/')
		if slash < 0 || host[:slash] != "" && !strings.EqualFold(host[:slash], "localhost") {
			return "", false
		}
		rest = host[slash:]
	}
	rest, _, _ = strings.Cut(rest, "#")
	path, err := url.PathUnescape(rest)
	if err != nil {
		path = rest
	}
	if runtime.GOOS == "windows" && len(path) > 2 && path[0] == '/' && path[2] == ':' {
		path = path[1:]
	}
	return filepath.FromSlash(path), path != "" && !strings.ContainsRune(path, 0)
}

// IsHash reports whether s, in lower case, has the form of an info-hash: 40 or 64
// hexadecimal digits, or 32 of base 32.
func IsHash(s string) bool {
	all := func(digits string) bool { return strings.Trim(s, digits) == "" }
	switch len(s) {
	case 40, 64:
		return all("0123456789abcdef")
	case 32:
		return all("abcdefghijklmnopqrstuvwxyz234567")
	}
	return false
}
