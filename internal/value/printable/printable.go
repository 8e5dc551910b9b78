// Package printable makes text from strangers safe to show. Names of torrents, files and
// clients, and the answers of servers, end up on terminals and in logs, where an escape
// sequence acts instead of showing.
package printable

import (
	"strings"
	"unicode/utf8"
)

// Of returns s as one line that only shows: tabs and line breaks become spaces. Everything
// else that acts on text, such as control characters, escape sequences and marks that turn
// its direction, becomes U+FFFD, and so do bytes that are not UTF-8. Of(Of(s)) is Of(s).
func Of(s string) string {
	clean := func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || r == 0x2028 || r == 0x2029:
			return ' '
		case Invisible(r):
			return utf8.RuneError
		}
		return r // strings.Map turns bytes that are not UTF-8 into U+FFFD
	}
	return strings.Map(clean, s)
}

// Invisible reports whether a character acts on text instead of showing. The list is fixed
// here and not taken from a table of Unicode: file names depend on it, and must not change
// with the version of a library.
func Invisible(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0: // C0, DEL, C1
		return true
	case r == 0x061c, r == 0x200e, r == 0x200f, // direction marks
		r >= 0x2028 && r <= 0x202e, // line and paragraph separator, embeddings and overrides
		r >= 0x2066 && r <= 0x206f, // isolates, and controls long deprecated
		r == 0xfeff,                // byte order mark
		r >= 0xfff9 && r <= 0xfffb: // interlinear annotations
		return true
	case r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe: // not characters
		return true
	case r >= 0xe0000 && r <= 0xe007f: // tags: invisible text
		return true
	}
	return false
}
