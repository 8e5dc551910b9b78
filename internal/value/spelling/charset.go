package spelling

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

// maxText bounds the bytes of a name that we look up or decode from an old character set. No
// file system has names nearly as long.
const maxText = 4 << 10

// aliases are labels that torrents use and that are missing in the WHATWG's list.
var aliases = map[string]string{
	"cp936": "gbk", "ms936": "gbk", "windows-936": "gbk", "936": "gbk", "euc-cn": "gbk",
	"cp950": "big5", "ms950": "big5", "windows-950": "big5", "950": "big5",
	"cp932": "shift_jis", "ms932": "shift_jis", "windows-932": "shift_jis", "932": "shift_jis",
	"cp949": "euc-kr", "ms949": "euc-kr", "uhc": "euc-kr", "949": "euc-kr",
	"koi8r": "koi8-r", "koi8u": "koi8-u", "eucjp": "euc-jp", "sjis-win": "shift_jis",
	"1250": "windows-1250", "1251": "windows-1251", "1252": "windows-1252", "ansi": "windows-1252",
}

// guesses are the character sets to try for names whose torrent names none, the most common
// ones first.
var guesses = []string{
	"gbk", "big5", "shift_jis", "euc-kr", "euc-jp", "windows-1251", "koi8-r", "windows-1252",
	"windows-1250", "windows-1253", "windows-1254", "windows-1255", "windows-1256", "windows-874",
}

// Decode decodes the bytes of a name from the character set with this label, as in the key
// "encoding" of a torrent. It returns false for an unknown label, and for bytes that are not
// text in that set.
func Decode(name, label string) (string, bool) {
	label = strings.ToLower(strings.TrimSpace(label))
	if a, ok := aliases[label]; ok {
		label = a
	}
	if len(name) > maxText || len(label) > 40 {
		return "", false
	}
	enc, err := htmlindex.Get(label)
	if err != nil {
		return "", false
	}
	if c, err := htmlindex.Name(enc); err != nil || c == "utf-8" || c == "utf-16be" || c == "utf-16le" || c == "replacement" {
		return "", false
	}
	text, err := enc.NewDecoder().String(name)
	if err != nil || strings.ContainsRune(text, utf8.RuneError) {
		return "", false
	}
	return text, true
}

// Text returns a name as text: itself if it is UTF-8, else decoded by the label, else itself.
func Text(name, label string) string {
	if utf8.ValidString(name) {
		return name
	}
	if text, ok := Decode(name, label); ok {
		return text
	}
	return name
}

// Readings returns the texts for which the bytes of a name may stand, the likeliest first;
// the bytes themselves are among them.
func Readings(name, label string) []string {
	out := []string{name}
	add := func(label string) {
		if text, ok := Decode(name, label); ok {
			out = appendNew(out, text)
		}
	}
	if ascii(name) {
		return out
	}
	if label != "" {
		add(label)
	}
	if !utf8.ValidString(name) {
		for _, label := range guesses {
			add(label)
		}
		out = appendNew(out, strings.ToValidUTF8(name, "_"))
	}
	return out
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
