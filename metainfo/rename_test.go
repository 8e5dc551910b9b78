package metainfo

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckPaths(t *testing.T) {
	deep := strings.Repeat("d/", MaxPathDepth+1) + "x"
	for _, c := range []struct {
		paths  []string
		want   string // empty: they can be
		folded string // where case is ignored
	}{
		{[]string{"t/a", "t/b", "t/d/a"}, "", ""},
		{[]string{"a", "b c/ö.txt"}, "", ""},
		{[]string{"../a"}, `".." is not a name`, `".." is not a name`},
		{[]string{"t/./a"}, `"." is not a name`, `"." is not a name`},
		{[]string{"/a"}, `"" is not a name`, `"" is not a name`},
		{[]string{"t//a"}, `"" is not a name`, `"" is not a name`},
		{[]string{"t/"}, `"" is not a name`, `"" is not a name`},
		{[]string{""}, `"" is not a name`, `"" is not a name`},
		{[]string{"a\x00b"}, `"a_b" is possible`, `"a_b" is possible`},
		{[]string{"x.shoal-new"}, `"x_shoal-new" is possible`, `"x_shoal-new" is possible`},
		{[]string{strings.Repeat("x", 800)}, "no file can be called", "no file can be called"},
		{[]string{deep}, "elements, more than", "elements, more than"},
		{[]string{"t/a", "t/a"}, "two files would be called", "two files would be called"},
		{[]string{"t/a", "t/A"}, "", "are one name"},
		{[]string{"t/a", "T/a"}, "", "are one name"},
		{[]string{"t/\u00e9", "t/e\u0301"}, "", `"t/e\u0301" and "t/\u00e9", another file, are one name`},
		{[]string{"t/a", "t/A/b"}, "", "a folder of"},
		{[]string{"t/A/b", "t/a"}, "", "is a folder of another file"},
		// A name that the platform takes is the user's to choose.
		{[]string{`t\a`, "t/con", "end.", "a:b*c?", " ", "PROGRA~1", "k\xf6ln", strings.Repeat("x", 300)}, "", ""},
	} {
		if rewriteAll {
			c.want = c.folded
		}
		for i, want := range []string{c.want, c.folded} {
			err := []func([]string) error{CheckPaths, CheckFolded}[i](c.paths)
			if rewriteAll && want == "" {
				continue
			}
			if (err == nil) != (want == "") || err != nil && (!errors.Is(err, ErrPath) || !strings.Contains(err.Error(), want)) {
				t.Errorf("%q: %v, want %q", c.paths, err, want)
			}
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
