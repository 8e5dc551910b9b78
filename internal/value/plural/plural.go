// Package plural puts a number before a noun, in English: 1 piece, 2 addresses, 12,345 files.
// All text for users counts with it.
package plural

import (
	"strconv"
	"strings"
)

// Of returns n with its noun; noun is the singular.
func Of[N int | int32 | int64 | uint32 | uint64](n N, noun string) string {
	return Group(n) + " " + Noun(n, noun)
}

// Noun returns the form of a noun that goes with n.
func Noun[N int | int32 | int64 | uint32 | uint64](n N, noun string) string {
	if n == 1 {
		return noun
	}
	for _, end := range []string{"s", "x", "ch", "sh"} {
		if strings.HasSuffix(noun, end) {
			return noun + "es"
		}
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok && stem != "" && !strings.ContainsRune("aeiou", rune(stem[len(stem)-1])) {
		return stem + "ies"
	}
	return noun + "s"
}

// Group returns n with commas between groups of three digits.
func Group[N int | int32 | int64 | uint32 | uint64](n N) string {
	s := strconv.FormatUint(uint64(n), 10)
	if n < 0 {
		s = strconv.FormatInt(int64(n), 10)
	}
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
