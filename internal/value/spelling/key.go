package spelling

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Key returns what remains of a name without everything that clients and file systems change:
// case, the composition of accents, the width of characters, punctuation, blanks, symbols,
// control characters, bytes that are not UTF-8, and percent escapes. Names with different
// keys are different names to every client; names with one key may be the same. The key of a
// name without a letter or digit is empty (decision 0126).
func Key(name string) string {
	name = unescape(name)
	if ascii(name) {
		return asciiKey(name)
	}
	var b strings.Builder
	b.Grow(len(name))
	for _, r := range norm.NFKC.String(strings.ToLower(strings.ToValidUTF8(name, ""))) {
		if r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) && !invisible(r)) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// invisible reports whether a mark changes only the look of the character before it.
func invisible(r rune) bool {
	return r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef || r == 0x034f
}

func asciiKey(name string) string {
	b := make([]byte, 0, len(name))
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b = append(b, c)
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		}
	}
	return string(b)
}

// unescape replaces "%3A" by the character for which it stands.
func unescape(name string) string {
	if strings.IndexByte(name, '%') < 0 {
		return name
	}
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if name[i] == '%' && i+2 < len(name) {
			hi, lo := hexDigit(name[i+1]), hexDigit(name[i+2])
			if hi >= 0 && lo >= 0 {
				b, i = append(b, byte(hi<<4|lo)), i+2
				continue
			}
		}
		b = append(b, name[i])
	}
	return string(b)
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// suffixes mark the names of incomplete files: Transmission and KTorrent, qBittorrent,
// uTorrent and BitTorrent, BitComet, Vuze and BiglyBT, and others.
var suffixes = []string{".part", ".!qB", ".!ut", ".!bt", ".bc!", ".az!", ".incomplete", ".!mp", ".!tx", ".unfinished"}

// Incomplete splits the name of another client's incomplete file into its final name and the
// suffix. The suffix is empty for all other names.
func Incomplete(name string) (stem, suffix string) {
	for _, s := range suffixes {
		if n := len(name) - len(s); n > 0 && strings.EqualFold(name[n:], s) {
			return name[:n], name[n:]
		}
	}
	return name, ""
}

// controls mark the names of files that clients keep beside the data: never data itself.
var controls = []string{".aria2", ".aria2__temp", ".torrent", ".fastresume", ".shoal-new", ".shoal-part", ".parts"}

// Control reports whether a client keeps this file for itself beside the data of a torrent.
func Control(name string) bool {
	for _, s := range controls {
		if n := len(name) - len(s); n > 0 && strings.EqualFold(name[n:], s) {
			return true
		}
	}
	return false
}

// Pad reports whether a path, below the torrent's name, is that of padding in one of the
// forms without an attribute (BEP 47): BitComet's "_____padding_file_0_if you see this
// file...", ".pad/123" of libtorrent, Vuze and BEP 47 itself, and ".____padding_file/0".
func Pad(path []string) bool {
	if len(path) == 0 {
		return false
	}
	last := path[len(path)-1]
	if strings.HasPrefix(last, "_____padding_file_") || strings.HasPrefix(last, "____padding_file_") {
		return true
	}
	return len(path) > 1 && isPadFolder(path[len(path)-2]) && last != "" && strings.Trim(last, "0123456789") == ""
}

func isPadFolder(name string) bool {
	switch name {
	case ".pad", ".____padding_file", "_____padding_file", ".padding":
		return true
	}
	return false
}
