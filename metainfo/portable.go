package metainfo

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// WindowsRefuses returns why Windows can't have a file with this name, which is one element
// of a path; empty when it can.
func WindowsRefuses(name string) string {
	switch i := strings.IndexFunc(name, func(r rune) bool { return r < 0x20 || strings.ContainsRune(`\:*?"<>|`, r) }); {
	case i >= 0 && name[i] < 0x20:
		return "a control character"
	case i >= 0:
		return "a " + name[i:i+1]
	case strings.HasSuffix(name, "."):
		return "a dot at the end"
	case strings.HasSuffix(name, " "):
		return "a blank at the end"
	case reserved(name):
		return "the name of a device"
	}
	return ""
}

// Decomposed reports whether a name has accents as characters of their own, as macOS writes
// some names. On other systems it looks like the composed name and is a different one.
func Decomposed(name string) bool { return utf8.ValidString(name) && !norm.NFC.IsNormalString(name) }
