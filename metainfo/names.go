package metainfo

import (
	"strings"
	"unicode/utf8"

	"shoal/internal/value/printable"
)

// MaxName bounds the bytes of one element of a safe path. Linux takes that many bytes,
// Windows and macOS that many UTF-16 units, of which there are never more.
const MaxName = 255

// SafeName turns one element of a path in a torrent into a name that means the same on every
// platform: one file or folder, in the folder that contains it. The rule is the same
// everywhere, so a torrent has the same files on every machine. In this order:
//
//  1. Each of these becomes "_": the separators / and \, the characters : * ? " < > | that
//     Windows refuses or interprets, control characters (NUL, C0, DEL, C1), line and
//     paragraph separators, direction marks, the byte order mark, noncharacters of Unicode,
//     and every byte that is not UTF-8.
//  2. Dots and spaces at the end are cut off, as Windows does silently. So "." and ".."
//     become empty.
//  3. A name longer than MaxName bytes is cut at a character, before its extension.
//  4. A name that Windows reserves for a device, with any extension (CON, nul.txt, COM1),
//     gets "_" in front. In a name of the form of a Windows short name (PROGRA~1.TXT), which
//     could reach another file, "_" replaces the "~".
//  5. If a name ends like the files that shoal creates and removes beside those of torrents
//     (.shoal-new, .shoal-part, in any case), "_" replaces the dot of that ending.
//
// The result is empty when nothing is left; the caller chooses another name.
func SafeName(name string) string {
	name = replaceUnsafe(name)
	name = strings.TrimRight(name, ". ")
	name = shorten(name, MaxName)
	if i := strings.LastIndexByte(name, '.'); i >= 0 && ownEnding(name[i:]) {
		return SafeName(name[:i] + "_" + name[i+1:])
	}
	if reserved(name) {
		return "_" + shorten(name, MaxName-1)
	}
	if i := shortNameTilde(name); i >= 0 {
		return name[:i] + "_" + name[i+1:]
	}
	return name
}

// ownEnding reports whether ext is one of the endings of rule 5.
func ownEnding(ext string) bool {
	if len(ext) < len(".shoal-new") { // the common and cheap case
		return false
	}
	key := foldKey(ext)
	return key == ".shoal-new" || key == ".shoal-part"
}

// replaceUnsafe replaces the characters of rule 1. Most names stay unchanged.
func replaceUnsafe(name string) string {
	for i, r := range name {
		if unsafeRune(r) || invalidAt(name, i, r) {
			return replaceFrom(name, i)
		}
	}
	return name
}

func replaceFrom(name string, at int) string {
	var b strings.Builder
	b.Grow(len(name))
	b.WriteString(name[:at])
	for i, r := range name[at:] {
		if unsafeRune(r) || invalidAt(name, at+i, r) {
			r = '_'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// invalidAt distinguishes a byte that is not UTF-8 from the character U+FFFD itself, which is
// harmless.
func invalidAt(s string, i int, r rune) bool {
	if r != utf8.RuneError {
		return false
	}
	_, size := utf8.DecodeRuneInString(s[i:])
	return size == 1
}

// unsafeRune reports whether r is a character of rule 1. The list is fixed, not taken from a
// table of Unicode, so that a name does not change with the version of a library.
func unsafeRune(r rune) bool {
	switch {
	case r >= 0x20 && r < 0x7f:
		switch r {
		case '/', '\\', ':', '*', '?', '"', '<', '>', '|':
			return true
		}
		return false
	}
	return printable.Invisible(r)
}

// longestExtension is the longest extension, with its dot, that survives the cutting of a
// name.
const longestExtension = 32

// splitName splits a name before its extension, which is empty when there is none or when the
// text after the last dot is too long.
func splitName(name string) (stem, ext string) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || len(name)-i > longestExtension {
		return name, ""
	}
	return name[:i], name[i:]
}

// shorten cuts a name to at most n bytes, keeping its extension and whole characters.
func shorten(name string, n int) string {
	if len(name) <= n {
		return name
	}
	stem, ext := splitName(name)
	cut := n - len(ext)
	for cut > 0 && !utf8.RuneStart(stem[cut]) {
		cut--
	}
	if ext == "" {
		return strings.TrimRight(stem[:cut], ". ")
	}
	return stem[:cut] + ext
}

// reserved reports whether Windows reserves a name for a device, in any folder and with any
// extension.
func reserved(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.TrimRight(base, " ")
	if len(base) < len("CON") || len(base) > len("CONOUT$") || !strings.ContainsRune("CPANLcpanl", rune(base[0])) {
		return false // the common and cheap case
	}
	switch base = strings.ToUpper(base); base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	port, isCOM := strings.CutPrefix(base, "COM")
	if !isCOM {
		if port, isCOM = strings.CutPrefix(base, "LPT"); !isCOM {
			return false
		}
	}
	switch port {
	case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
		return true
	}
	return false
}

// shortNameTilde returns the index of the tilde of a name that Windows could have assigned to
// another file as its second, short name: up to eight characters ending in "~" and digits,
// and an extension of up to three. It returns -1 for all other names.
func shortNameTilde(name string) int {
	base, ext, _ := strings.Cut(name, ".")
	tilde := strings.LastIndexByte(base, '~')
	if tilde < 0 || tilde == len(base)-1 || len(base) > 8 || len(ext) > 3 {
		return -1
	}
	for _, c := range []byte(base[tilde+1:]) {
		if c < '0' || c > '9' {
			return -1
		}
	}
	return tilde
}

// Printable makes text from a stranger safe to show on a terminal or in a log, on one line:
// tabs and line breaks become spaces. Control characters, escape sequences, direction marks
// and bytes that are not UTF-8 become U+FFFD.
func Printable(s string) string { return printable.Of(s) }
