package spelling

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// What each client leaves on disk for a name, and on which systems.
func TestFind(t *testing.T) {
	long := strings.Repeat("A very long name ", 16) + "- the end.mkv" // 272 bytes
	cjk := strings.Repeat("日本語の名前", 20) + ".mkv"
	for _, c := range []struct {
		name Name
		disk string
	}{
		{Name{Raw: "a.mkv"}, "a.mkv"},
		// What Windows refuses.
		{Name{Raw: "Re: Collection"}, "Re_ Collection"},
		{Name{Raw: "Re: Collection"}, "Re Collection"},
		{Name{Raw: "Re: Collection"}, "Re- Collection"},
		{Name{Raw: "Re: Collection"}, "Re： Collection"},
		{Name{Raw: "Re: Collection"}, "Re%3A Collection"},
		{Name{Raw: "a*b?.mkv"}, "a_b_.mkv"},
		{Name{Raw: "a*b?.mkv"}, "ab.mkv"},
		{Name{Raw: `a\b|c"d`}, "a_b_c_d"},
		{Name{Raw: `a\b|c"d`}, "ab_c_d"}, // libtorrent drops separators
		{Name{Raw: "Vol. 1..."}, "Vol. 1"},
		{Name{Raw: " both ends "}, "both ends"},
		{Name{Raw: "CON"}, "_CON"},
		{Name{Raw: "aux.txt"}, "_aux.txt"},
		{Name{Raw: "PROGRA~1"}, "PROGRA_1"},
		{Name{Raw: "What?"}, "What"},
		{Name{Raw: "???"}, "___"},
		{Name{Raw: "???"}, "？？？"},
		{Name{Raw: "a\x01b\x7f"}, "a_b_"},
		{Name{Raw: "a\x01b"}, "a%01b"},
		{Name{Raw: "exe.\u202efdp"}, "exe.fdp"},
		{Name{Raw: "a\u200bb"}, "ab"},
		// Composition, case and width.
		{Name{Raw: "caf\u00e9"}, "cafe\u0301"},
		{Name{Raw: "cafe\u0301"}, "caf\u00e9"},
		{Name{Raw: "\u1112\u1161\u11ab"}, "\ud55c"},
		{Name{Raw: "ReadMe"}, "README"},
		{Name{Raw: "ＡＢＣ"}, "abc"},
		{Name{Raw: "a\u00a0b"}, "a b"},
		// Character sets: declared, and not.
		{Name{Raw: "\xd6\xd0\xce\xc4.mkv", Charset: "GBK"}, "中文.mkv"},
		{Name{Raw: "\xd6\xd0\xce\xc4.mkv"}, "中文.mkv"},
		{Name{Raw: "\xd6\xd0\xce\xc4.mkv"}, "____.mkv"},
		{Name{Raw: "\xd6\xd0\xce\xc4.mkv"}, "%D6%D0%CE%C4.mkv"},
		{Name{Raw: "\xd6\xd0\xce\xc4.mkv"}, "\xd6\xd0\xce\xc4.mkv"},
		{Name{Raw: "\xd6\xd0\xce\xc4.mkv"}, "ÖÐÎÄ.mkv"},
		{Name{Raw: "\xd6\xd0\xce\xc4.mkv"}, "\ufffd\ufffd\ufffd\ufffd.mkv"},
		{Name{Raw: "\xa4\xa4\xa4\xe5.mkv", Charset: "BIG5"}, "中文.mkv"},
		{Name{Raw: "\x83t\x83@\x83C\x83\x8b.txt", Charset: "Shift_JIS"}, "ファイル.txt"},
		{Name{Raw: "\xcf\xf0\xe8\xe2\xe5\xf2.txt", Charset: "windows-1251"}, "Привет.txt"},
		{Name{Raw: "\xf0\xd2\xc9\xd7\xc5\xd4.txt"}, "Привет.txt"}, // KOI8-R
		{Name{Raw: "\xc7\xd1\xb1\xdb.txt", Charset: "cp949"}, "한글.txt"},
		{Name{Raw: "k\xf6ln.txt"}, "köln.txt"},
		{Name{Raw: "中文.mkv", Also: []string{"\xd6\xd0\xce\xc4.mkv"}}, "\xd6\xd0\xce\xc4.mkv"},
		// What is not complete.
		{Name{Raw: "a.mkv"}, "a.mkv.part"},
		{Name{Raw: "a.mkv"}, "a.mkv.!qB"},
		{Name{Raw: "a.mkv"}, "a.mkv.!ut"},
		{Name{Raw: "a.mkv"}, "a.mkv.!bt"},
		{Name{Raw: "a.mkv"}, "a.mkv.bc!"},
		{Name{Raw: "a.mkv"}, "a.mkv.incomplete"},
		{Name{Raw: "a:b.mkv"}, "a_b.mkv.PART"},
		{Name{Raw: "a.part"}, "a.part"},
		{Name{Raw: "a.part"}, "a.part.part"},
		// Cut for length.
		{Name{Raw: long}, strings.TrimSpace(long[:240]) + ".mkv"},
		{Name{Raw: long}, long[:240]},
		{Name{Raw: long}, long[:150] + ".mkv.!qB"},
		{Name{Raw: cjk}, strings.Repeat("日本語の名前", 13) + ".mkv"},
	} {
		l := NewListing([]string{"zzz", c.disk, "other.txt", "a.torrent", c.disk + ".aria2", c.disk + ".torrent"})
		got := l.Find(c.name)
		if len(got) != 1 || got[0].Name != c.disk {
			t.Errorf("%q: %+v, want %q", c.name, got, c.disk)
		}
	}
}

func TestFindRanks(t *testing.T) {
	l := NewListing([]string{"Re_ x.mkv", "Re x.mkv", "RE- X.MKV", "Re: x.mkv.part", "Re: x.mkv", "re.x.mkv"})
	var got []string
	for _, m := range l.Find(Name{Raw: "Re: x.mkv", Also: []string{"Re_ x.mkv"}}) {
		got = append(got, m.Name)
	}
	want := []string{"Re_ x.mkv", "Re: x.mkv", "Re: x.mkv.part", "Re x.mkv", "RE- X.MKV", "re.x.mkv"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, none := range []string{"Re: y.mkv", "???", "", "x.mkv"} {
		if m := l.Find(Name{Raw: none}); m != nil {
			t.Errorf("%q: %+v", none, m)
		}
	}
	if m := NewListing([]string{"a.part"}).Find(Name{Raw: "a.part"}); len(m) != 1 || m[0].Suffix != "" {
		t.Errorf("a name of the torrent's: %+v", m)
	}
}

func TestPad(t *testing.T) {
	for path, want := range map[string]bool{
		"_____padding_file_0_if you see this file, please update to BitComet 0.85 or above____": true,
		"d/_____padding_file_17_x": true,
		".pad/0":                   true,
		".pad/12345":               true,
		"d/.pad/3":                 true,
		".____padding_file/0":      true,
		".pad/readme":              false,
		".pad/":                    false,
		".pad":                     false,
		"padding_file_0":           false,
		"12":                       false,
		"a/12":                     false,
	} {
		if Pad(strings.Split(path, "/")) != want {
			t.Errorf("%q: want %v", path, want)
		}
	}
	if Pad(nil) {
		t.Error("no path is padding")
	}
}

func TestDecode(t *testing.T) {
	for _, c := range [][3]string{
		{"\xd6\xd0", "GBK", "中"},
		{"\xd6\xd0", " gb2312 ", "中"},
		{"\xd6\xd0", "CP936", "中"},
		{"\x83t", "sjis", "フ"},
		{"\xcf", "CP1251", "П"},
		{"\xd6", "gbk", ""},
		{"\xd6\xd0", "utf-8", ""},
		{"\xd6\xd0", "nonsense", ""},
		{"\xd6\xd0", "", ""},
		{"ab", "utf-16le", ""},
	} {
		if got, ok := Decode(c[0], c[1]); got != c[2] || ok != (c[2] != "") {
			t.Errorf("%q in %s: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

// FuzzFind: whatever the names are, no form of a name leads out of a folder, and a match lies
// on disk.
func FuzzFind(f *testing.F) {
	f.Add("Re: a.mkv", "gbk", "Re_ a.mkv.part", "..")
	f.Add("..", "", "%2e%2e%2f", "_")
	f.Add("\xd6\xd0/../x", "GBK", "中", "a\x00")
	f.Add(strings.Repeat("x", 300), "big5", strings.Repeat("x", 200), "x")
	f.Fuzz(func(t *testing.T, raw, charset, a, b string) {
		for _, text := range append(Readings(raw, charset), a, b) {
			for _, form := range Forms(text) {
				if form == "" || form == "." || form == ".." || strings.ContainsAny(form, "/\x00") {
					t.Fatalf("a form of %q is %q", text, form)
				}
			}
			if key := Key(text); !utf8.ValidString(key) || strings.ContainsAny(key, "/\\.\x00 ") {
				t.Fatalf("the key of %q is %q", text, key)
			}
		}
		for _, m := range NewListing([]string{a, b}).Find(Name{Raw: raw, Charset: charset, Also: []string{b}}) {
			if m.Name != a && m.Name != b || m.Stem()+m.Suffix != m.Name {
				t.Fatalf("%q matches %+v, which is not there", raw, m)
			}
		}
		Pad(strings.Split(raw, "/"))
	})
}
