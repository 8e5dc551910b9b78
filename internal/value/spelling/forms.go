package spelling

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// reserved are the characters that Windows refuses in names; clients replace them there, and
// some do so everywhere.
const reserved = `<>:"/\|?*`

// Forms returns the spellings that clients are known to use for a text, the text itself
// first. They rank matches, and names without a [Key] match only by them. None is empty, ".",
// "..", or contains a slash or NUL.
func Forms(text string) []string {
	var out []string
	add := func(s string) {
		if s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\x00") {
			out = appendNew(out, s)
		}
	}
	add(text)
	valid := strings.ToValidUTF8(text, "_")
	bases := []string{valid}
	if !ascii(valid) {
		bases = appendNew(appendNew(bases, norm.NFC.String(valid)), norm.NFD.String(valid))
	}
	for _, s := range bases {
		add(s)
		under := replace(s, '_')
		add(under)                               // uTorrent, Transmission, libtorrent on Windows
		add(strings.TrimRight(under, ". "))      // the form that Windows leaves
		add(strings.Trim(under, " "))            // Transmission, trimmed on both sides
		add(replace(s, -1))                      // dropped
		add(replace(s, '-'))                     // Xunlei
		add(replace(s, ' '))                     //
		add(wide(s))                             // BitComet: full-width twins
		add("_" + strings.TrimRight(under, ".")) // a device name of Windows, in Transmission
	}
	add(escape(text, false)) // aria2: escapes what it considers unsafe
	if !utf8.ValidString(text) {
		add(escape(text, true)) // aria2: escapes all of a name that is not UTF-8
		add(strings.ToValidUTF8(text, "\ufffd"))
		add(strings.ToValidUTF8(text, ""))
		add(replaceBytes(text))
	}
	return out
}

// replace replaces characters that Windows refuses, and control characters; -1 drops them.
func replace(s string, by rune) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r < utf8.RuneSelf && strings.ContainsRune(reserved, r) {
			return by
		}
		return r
	}, s)
}

// replaceBytes replaces each byte that is not UTF-8, rather than each run of them.
func replaceBytes(s string) string {
	var b strings.Builder
	for i, r := range s {
		if _, size := utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && size == 1 {
			r = '_'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// wide replaces characters that Windows refuses by the full-width characters that look like
// them.
func wide(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && strings.ContainsRune(reserved, r) {
			return r - '!' + '！'
		}
		return r
	}, s)
}

// escape writes bytes as percent escapes: control characters and those that Windows refuses,
// or with all everything that is not unreserved in a URL.
func escape(s string, all bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		odd := c < 0x20 || c == 0x7f || strings.IndexByte(reserved, c) >= 0
		if all {
			odd = !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0)
		}
		if odd {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			c = digits[c&15]
		}
		b.WriteByte(c)
	}
	return b.String()
}
