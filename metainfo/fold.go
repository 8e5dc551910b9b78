package metainfo

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// foldKey returns a key that is the same for all names that some file system treats as one:
// names that differ only in case (Windows, macOS), in composed and decomposed accents
// (macOS), or in invisible characters (macOS, ext4 with casefold). It may be the same for a
// few more names; they get different paths needlessly, which is harmless.
func foldKey(name string) string {
	plain := true
	for i := 0; i < len(name); i++ {
		if c := name[i]; c >= utf8.RuneSelf {
			return foldUnicode(name)
		} else if c >= 'A' && c <= 'Z' {
			plain = false
		}
	}
	if plain {
		return name
	}
	return strings.ToLower(name)
}

func foldUnicode(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	for _, r := range norm.NFD.String(name) {
		if ignorable(r) {
			continue
		}
		if s, ok := expansion(r); ok {
			b.WriteString(s)
			continue
		}
		b.WriteRune(foldRune(r))
	}
	return b.String()
}

// foldRune returns one representative of all characters that differ from r only in case.
func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if least >= 'A' && least <= 'Z' {
		return least + 'a' - 'A'
	}
	return least
}

// expansion returns the case folding of characters whose folding is longer than themselves,
// as far as decomposition does not handle them (status F in Unicode's CaseFolding.txt).
func expansion(r rune) (string, bool) {
	switch r {
	case 'ß', 'ẞ':
		return "ss", true
	case 'ŉ':
		return "ʼn", true
	case 'ẚ':
		return "aʾ", true
	case 'ﬀ':
		return "ff", true
	case 'ﬁ':
		return "fi", true
	case 'ﬂ':
		return "fl", true
	case 'ﬃ':
		return "ffi", true
	case 'ﬄ':
		return "ffl", true
	case 'ﬅ', 'ﬆ':
		return "st", true
	case 'և':
		return foldUnicode("եւ"), true
	case 'ﬓ':
		return foldUnicode("մն"), true
	case 'ﬔ':
		return foldUnicode("մե"), true
	case 'ﬕ':
		return foldUnicode("մի"), true
	case 'ﬖ':
		return foldUnicode("վն"), true
	case 'ﬗ':
		return foldUnicode("մխ"), true
	}
	return "", false
}

// ignorable reports whether some file systems ignore a character when they compare names.
func ignorable(r rune) bool {
	return r >= 0xad && unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
