package metainfo

import (
	"strings"
	"unicode/utf8"

	"shoal/internal/value/printable"
)

// MaxName bounds the bytes of one element of a safe path. Linux takes that many bytes,
// Windows and macOS that many UTF-16 units, which are never more.
const MaxName = 255

// SafeName turns one element of a path from a torrent into a name that every platform takes
// for what it is: one file or folder, in the folder where it is made. The rule is the same
// everywhere, so a torrent has the same files on every machine. In this order:
//
//  1. These become "_", each by itself: the separators / and \, the characters : * ? " < > |
//     that Windows refuses or gives a meaning, control characters (NUL, C0, DEL, C1), line
//     and paragraph separators, marks that change the direction of text, the byte order
//     mark, characters that Unicode says are none, and every byte that is not UTF-8.
//  2. Dots and spaces at the end are cut off, as Windows does without telling. So nothing is
//     left of "." and "..".
//  3. A name longer than MaxName bytes is cut at a character, in front of its extension.
//  4. A name that Windows keeps for a device, with any extension (CON, nul.txt, COM1), gets
//     "_" in front; and one in the form of a Windows short name (PROGRA~1.TXT), which could
//     reach another file, has its "~" replaced by "_".
//  5. A name that ends like the files that shoal makes beside those of torrents, and removes
//     (.shoal-new, .shoal-part, in any case), has the dot of that ending replaced by "_".
//
// The result is empty when nothing is left; the caller knows what to use instead.
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

// ownEnding tells the endings of rule 5.
func ownEnding(ext string) bool {
	if len(ext) < len(".shoal-new") { // most names, at no cost
		return false
	}
	key := foldKey(ext)
	return key == ".shoal-new" || key == ".shoal-part"
}

// replaceUnsafe replaces what rule 1 lists. Most names come back as they are.
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

// invalidAt tells a byte that is not UTF-8 from the character U+FFFD, spelled out, which is
// harmless.
func invalidAt(s string, i int, r rune) bool {
	if r != utf8.RuneError {
		return false
	}
	_, size := utf8.DecodeRuneInString(s[i:])
	return size == 1
}

// unsafeRune tells the characters of rule 1. The list is fixed, not taken from a table of
// Unicode, so that a name does not change with the version of a library.
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

// longestExtension is the longest ending, with its dot, that is kept when a name is cut.
const longestExtension = 32

// splitName divides a name in front of its extension, which is empty when there is none or
// when what follows the last dot is too long to be one.
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

// reserved tells the names that Windows keeps for devices, in any folder and with any
// extension.
func reserved(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.TrimRight(base, " ")
	if len(base) < len("CON") || len(base) > len("CONOUT$") || !strings.ContainsRune("CPANLcpanl", rune(base[0])) {
		return false // most names, at no cost
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

// shortNameTilde finds the tilde of a name that Windows could have given to another file as
// its second, short name: up to eight characters ending in "~" and digits, and an extension
// of up to three. It returns -1 for all other names.
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
// tabs and line breaks become spaces. Control characters, escape sequences, marks that turn
// the direction of text and bytes that are not UTF-8 become U+FFFD.
func Printable(s string) string { return printable.Of(s) }
