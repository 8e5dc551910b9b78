package metainfo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestKeepName(t *testing.T) {
	long := strings.Repeat("x", 800)
	for _, c := range [][2]string{
		// A file system of Unix takes all of these.
		{"Re: Collection", "Re: Collection"},
		{"a*b?.mkv", "a*b?.mkv"},
		{`C:\x`, `C:\x`},
		{"end. ", "end. "},
		{"CON", "CON"},
		{"aux.txt", "aux.txt"},
		{"PROGRA~1", "PROGRA~1"},
		{"...", "..."},
		{" ", " "},
		{"k\xf6ln", "k\xf6ln"},
		{"exe.\u202efdp", "exe.\u202efdp"},
		{"a\nb\x1b", "a\nb\x1b"},
		{strings.Repeat("x", 300), strings.Repeat("x", 300)},
		{"\ufeffa", "\ufeffa"},
		// No file system does.
		{"", ""},
		{".", ""},
		{"..", ""},
		{"a/b", "a_b"},
		{"../../etc", ".._.._etc"},
		{"a\x00b", "a_b"},
		{long + ".mkv", long[:251] + ".mkv"},
		// These are ours.
		{"a.shoal-new", "a_shoal-new"},
		{".x.SHOAL-PART", ".x_SHOAL-PART"},
		{"a.shoal-new.shoal-new", "a.shoal-new_shoal-new"},
	} {
		if got := keepName(c[0]); got != c[1] {
			t.Errorf("%q: %q, want %q", c[0], got, c[1])
		} else if got != "" {
			checkKept(t, got)
		}
	}
}

// What becomes of names that a file system refuses, or takes for one.
func TestPaths(t *testing.T) {
	if rewriteAll {
		t.Skip("names are safe everywhere here")
	}
	info := func(files ...string) *Info {
		in := "d5:filesl"
		for _, f := range files {
			in += "d6:lengthi0e4:pathl"
			for _, e := range strings.Split(f, "/") {
				in += fmt.Sprintf("%d:%s", len(e), e)
			}
			in += "ee"
		}
		i, err := ParseInfo([]byte(in + "e4:name6:R: top12:piece lengthi16384e6:pieces0:e"))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	long := strings.Repeat("é", 100) // 200 bytes
	for _, c := range []struct {
		files  []string
		refuse string
		fold   bool
		want   []string
	}{
		{[]string{"a:b", "A:B", "x?"}, "", false, []string{"R: top/a:b", "R: top/A:B", "R: top/x?"}},
		{[]string{"a:b", "A:B", "x?"}, ":", false, []string{"R_ top/a_b", "R_ top/A_B", "R_ top/x?"}},
		{[]string{"a:b", "a_b", "D:/a", "D_/a"}, ":", false, []string{"R_ top/a_b", "R_ top/a_b (2)", "R_ top/D_/a", "R_ top/D_/a (2)"}},
		{[]string{"x", "X", "D/a", "d/b", "d/A"}, "", true, []string{"R: top/x", "R: top/X (2)", "R: top/D/a", "R: top/D/b", "R: top/D/A (2)"}},
		{[]string{long + ".mkv", long + ".mkv"}, "long", false, []string{"R: top/" + long[:136] + ".mkv", "R: top/" + long[:122] + " (2).mkv"}},
	} {
		r := Rules{Fold: c.fold}
		switch c.refuse {
		case "":
		case "long":
			r.Takes = func(name string) bool { return len(name) <= 143 }
		default:
			r.Takes = func(name string) bool { return !strings.ContainsAny(name, c.refuse) }
		}
		var got []string
		for _, p := range info(c.files...).Paths(r) {
			got = append(got, strings.Join(p, "/"))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q refusing %q: %q, want %q", c.files, c.refuse, got, c.want)
		}
	}
}

// The name that wins is UTF-8 where there is any; else what the torrent's character set makes
// of it; else its bytes.
func TestCharset(t *testing.T) {
	const gbk = "\xd6\xd0\xce\xc4" // 中文
	file := func(extra, path string) string {
		return "d" + extra + "4:infod5:filesld6:lengthi0e4:pathl" + path + "eee4:name4:" + gbk + "12:piece lengthi16384e6:pieces0:ee"
	}
	for _, c := range []struct{ in, name, path string }{
		{file("8:encoding3:GBK", "4:"+gbk), "中文", "中文/中文"},
		{file("8:encoding6:gb2312", "1:a4:"+gbk), "中文", "中文/a/中文"},
		{file("8:encoding5:UTF-8", "4:"+gbk), gbk, gbk + "/" + gbk},
		{file("", "4:"+gbk), gbk, gbk + "/" + gbk},
		{file("8:encoding3:GBK", "6:中文"), "中文", "中文/中文"},
		{file("8:encoding3:GBK", "2:\xd6:"), "中文", "中文/\xd6:"}, // no text in GBK
		{file("8:encodingi1e", "4:"+gbk), gbk, gbk + "/" + gbk},
		{file("8:encoding3:GBK", "4:"+gbk+"e10:path.utf-8l6:日本"), "中文", "中文/日本"},
	} {
		tor, err := Parse([]byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(tor.Info.Files[0].Path, "/"); !rewriteAll && (tor.Info.Name != c.name || got != c.path || len(tor.Warnings) != 0) {
			t.Errorf("%q: name %q, path %q, warnings %q; want %q, %q", c.in, tor.Info.Name, got, tor.Warnings, c.name, c.path)
		}
		if tor.Info.RawName != gbk {
			t.Errorf("raw name %q", tor.Info.RawName)
		}
		checkTorrent(t, tor)
	}
}

func TestDistinct(t *testing.T) {
	for _, c := range [][4]string{
		{"a", "b", `"a"`, `"b"`},
		{"caf\u00e9", "cafe\u0301", `"caf\u00e9"`, `"cafe\u0301"`},
		{"日本 a", "日本\u00a0a", `"日本 a"`, `"日本\u00a0a"`},
		{"a", "a ", `"a"`, `"a\x20"`},
		{"ab", "a\u200bb", `"ab"`, `"a\u200bb"`},
		{"a", "\u0430", `"a"`, `"\u0430"`},
		{"it's", "it\u2019s", `"it's"`, `"it\u2019s"`},
		{"a-b", "a\u2013b", `"a-b"`, `"a\u2013b"`},
		{"x\xd6", "x\xd7", `"x\xd6"`, `"x\xd7"`},
		{"\u212b", "\u00c5", `"\u212b"`, `"\u00c5"`},
		{"ﬁle", "file", `"\ufb01le"`, `"file"`},
		{"same", "same", `"same"`, `"same"`},
	} {
		if a, b := Distinct(c[0], c[1]); a != c[2] || b != c[3] {
			t.Errorf("%q and %q: %s and %s, want %s and %s", c[0], c[1], a, b, c[2], c[3])
		}
	}
}

// FuzzKeepName: no name leads out of its folder or is one of ours, whatever a torrent says,
// and no two files get one path under any rules.
func FuzzKeepName(f *testing.F) {
	f.Add("a:b", "A:B", ":", true)
	f.Add("..", "a/../b", "", false)
	f.Add("x.shoal-new", "CON", "C", true)
	f.Fuzz(func(t *testing.T, a, b, refused string, fold bool) {
		for _, s := range []string{a, b} {
			if name := KeepName(s); name != "" {
				checkKept(t, name)
				if again := KeepName(name); again != name {
					t.Errorf("%q kept is %q, and again %q", s, name, again)
				}
			}
			Distinct(a, b)
		}
		i := &Info{Name: "r", SafeName: "r", RawName: "r", MultiFile: true}
		for _, raw := range [][]string{{a}, {b}, {a, b}, {b, a}, {a}, {a, b}, {a, a, a}} {
			i.Files = append(i.Files, File{RawPath: append([]string{"r"}, raw...)})
		}
		r := Rules{Fold: fold}
		if refused != "" {
			r.Takes = func(name string) bool { return !strings.ContainsAny(name, refused) }
		}
		for k, p := range i.Paths(r) {
			i.Files[k].Path = p
			for _, elem := range p {
				checkKept(t, elem)
			}
		}
		key := same
		if fold {
			key = foldKey
		}
		checkApart(t, i, func(f File) []string { return f.Path }, key)
	})
}

func TestDoubts(t *testing.T) {
	long := strings.Repeat("x", 200)
	for name, want := range map[string][]string{
		"a.txt":      nil,
		"käse":       nil,
		"a:b?c:":     {"a:b", "a?b"},
		"end.":       {"a."},
		"end. ":      {"a "},
		"CON":        {"CON"},
		"nul.txt":    {"nul.txt"},
		"PROGRA~1":   {ShortName},
		"k\xf6\xf7l": {"a\xffb"},
		"a\nb":       {"a\nb"},
		long:         {long},
	} {
		if got := Doubts(name); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestOtherNames(t *testing.T) {
	const tail = "12:piece lengthi16384e6:pieces0:e"
	i, err := ParseInfo([]byte("d5:filesl" +
		"d6:lengthi0e4:pathl1:a2:\xd6\xd0e10:path.utf-8l1:a3:中ee" +
		"d6:lengthi0e4:pathl1:xe10:path.utf-8l1:\xffee" +
		"d6:lengthi0e4:pathl1:ye10:path.utf-8l1:yee" +
		"d6:lengthi0e4:pathl1:z1:qe10:path.utf-8l1:zee" +
		"e4:name2:\xd6\xd010:name.utf-83:中" + tail))
	if err != nil {
		t.Fatal(err)
	}
	got := i.OtherNames()
	if got.Name != "\xd6\xd0" || len(got.Paths) != 2 || !slices.Equal(got.Paths[0], []string{"a", "\xd6\xd0"}) || !slices.Equal(got.Paths[1], []string{"\xff"}) {
		t.Errorf("%+v", got)
	}
	i, err = ParseInfo([]byte("d6:lengthi0e4:name1:n" + tail))
	if err != nil || i.OtherNames().Name != "" {
		t.Errorf("%v", err)
	}
}
