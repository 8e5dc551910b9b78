package metainfo

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckPaths(t *testing.T) {
	deep := strings.Repeat("d/", MaxPathDepth+1) + "x"
	for _, c := range []struct {
		paths []string
		want  string // empty: they can be
	}{
		{[]string{"t/a", "t/b", "t/d/a"}, ""},
		{[]string{"a", "b c/ö.txt"}, ""},
		{[]string{"../a"}, "nothing is left of \"..\""},
		{[]string{"t/./a"}, "nothing is left of"},
		{[]string{"/a"}, "nothing is left of \"\""},
		{[]string{"t//a"}, "nothing is left of"},
		{[]string{"t/"}, "nothing is left of"},
		{[]string{""}, "nothing is left of"},
		{[]string{`t\a`}, `"t_a" is`},
		{[]string{"a\x00b"}, `"a_b" is`},
		{[]string{"t/con"}, `"_con" is`},
		{[]string{"end."}, `"end" is`},
		{[]string{"x.shoal-new"}, `"x_shoal-new" is`},
		{[]string{strings.Repeat("x", 256)}, "is not a name everywhere"},
		{[]string{deep}, "elements, more than"},
		{[]string{"t/a", "t/A"}, "one name with that of another"},
		{[]string{"t/a", "T/a"}, "one name with that of another"},
		{[]string{"t/\u00e9", "t/e\u0301"}, "one name with that of another"},
		{[]string{"t/a", "t/A/b"}, "a folder of"},
		{[]string{"t/A/b", "t/a"}, "is a folder of another file"},
	} {
		err := CheckPaths(c.paths)
		if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrPath) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v, want %q", c.paths, err, c.want)
		}
	}
	for _, c := range [][2]string{{"t/A", "T/a"}, {"", ""}, {"é", "e\u0301"}, {"K", "\u212a"}, {"ß", "SS"}, {"a", "b"}, {"é", "e"}, {"ab", "a"}, {"\u212a", "l"}} {
		if want := PathKey(c[0]) == PathKey(c[1]); SamePath(c[0], c[1]) != want {
			t.Errorf("%q and %q are one: want %v", c[0], c[1], want)
		}
	}
	if !SamePath("t/A", "T/a") || SamePath("t/a", "t/b") || PathKey("T/A") != PathKey("t/a") {
		t.Error("what is one path for a file system is not")
	}
}
