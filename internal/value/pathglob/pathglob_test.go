package pathglob

import (
	"strings"
	"testing"
)

func TestFits(t *testing.T) {
	for _, c := range []struct {
		pattern, file string
		want          bool
	}{
		{"*.mkv", "series/season 1/e01.mkv", true},
		{"*.mkv", "film.mkv", true},
		{"*.mkv", "series/e01.avi", false},
		{"season 1", "series/season 1/e01.mkv", true},
		{"season ?/e01.*", "series/season 1/e01.mkv", true},
		{"season 1/**", "series/season 1/extras/a.txt", true},
		{"**/extras/*", "series/season 1/extras/a.txt", true},
		{"**", "anything", true},
		{"series", "series/e01.mkv", false}, // that would be every file
		{"series/**", "series/e01.mkv", true},
		{"a/b", "x/a/b/c/d", true},
		{"[", "[", false},
		{"", "x", false},
	} {
		if got := Fits(c.pattern, c.file); got != c.want {
			t.Errorf("%q fits %q: %v", c.pattern, c.file, got)
		}
	}
	if Check("a/[") == nil || Check("**/*.mkv") != nil {
		t.Error("it takes a malformed pattern, or refuses a right one")
	}
}

// FuzzFits shows that the work is bounded: many stars do not make it slow.
func FuzzFits(f *testing.F) {
	f.Add(strings.Repeat("**/", 50)+"x", strings.Repeat("a/", 100)+"y")
	f.Add("*a*a*a*a*b", strings.Repeat("a", 200))
	f.Fuzz(func(t *testing.T, pattern, file string) {
		if Fits(pattern, file) && Check(pattern) != nil {
			t.Errorf("malformed %q fits %q", pattern, file)
		}
	})
}
