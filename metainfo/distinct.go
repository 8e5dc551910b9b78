package metainfo

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Distinct quotes two names for a message that contains both. If they differ and look the
// same on a screen, or nearly so, it writes the characters in which they differ as escapes:
// composed or decomposed accents, blanks of several kinds, blanks at the end, invisible
// marks, and letters of another alphabet that look like Latin ones.
func Distinct(a, b string) (string, string) {
	if a == b || !LookAlike(a, b) {
		return quote(a), quote(b)
	}
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	for head > 0 && (head < len(a) && !utf8.RuneStart(a[head]) || head < len(b) && !utf8.RuneStart(b[head])) {
		head--
	}
	return escaped(a, head), escaped(b, head)
}

// escaped quotes a name, with everything that is not printable ASCII from at on, and blanks
// at the end, as escapes.
func escaped(s string, at int) string {
	var out strings.Builder
	out.WriteByte('"')
	quoted := fmt.Sprintf("%q", s[:at])
	out.WriteString(quoted[1 : len(quoted)-1])
	end := len(strings.TrimRight(s, " "))
	for i := at; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, s[i])
		case r == ' ' && i >= end:
			out.WriteString(`\x20`)
		default:
			c := fmt.Sprintf("%+q", string(r))
			out.WriteString(c[1 : len(c)-1])
		}
		i += size
	}
	out.WriteByte('"')
	return out.String()
}

// LookAlike reports whether two different names can look the same on a screen.
func LookAlike(a, b string) bool { return a != b && look(a) == look(b) }

// look returns roughly what a reader sees of a name.
func look(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKC.String(Printable(s)) {
		switch {
		case unicode.IsSpace(r) || r == 0x2800 || r == 0x3164 || r == 0x115f || r == 0x1160 || r == 0xffa0:
			b.WriteByte(' ') // Braille and Hangul have letters that are blank
		case ignorable(r):
		case strings.ContainsRune("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043", r):
			b.WriteByte('-')
		case strings.ContainsRune("\u2018\u2019\u02bc\u2032`\u00b4", r):
			b.WriteByte('\'')
		default:
			if c, ok := twins[r]; ok {
				r = c
			}
			b.WriteRune(r)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// twins are Greek and Cyrillic letters with the Latin ones that look the same.
var twins = makeTwins(
	"\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0405\u0406\u0408", "ABEKMHOPCTXSIJ",
	"\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458", "aeopcyxsij",
	"\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7", "ABEZHIKMNOPTYX",
	"\u03bf\u03bd", "ov",
)

func makeTwins(pairs ...string) map[rune]rune {
	m := make(map[rune]rune)
	for i := 0; i < len(pairs); i += 2 {
		latin := []rune(pairs[i+1])
		for k, r := range []rune(pairs[i]) {
			m[r] = latin[k]
		}
	}
	return m
}
