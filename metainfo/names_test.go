package metainfo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// checkSafe is written apart from SafeName: what must not be in a name, wherever it is saved.
func checkSafe(t *testing.T, name string) {
	t.Helper()
	bad := func(why string) { t.Errorf("name %q: %s", name, why) }
	if name == "" || len(name) > 255 || !utf8.ValidString(name) {
		bad("empty, too long or not UTF-8")
	}
	if strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") {
		bad("ends in a dot or space")
	}
	if strings.ContainsAny(name, "/\\:*?\"<>|\x00\x7f") {
		bad("a character with a meaning")
	}
	for _, r := range name {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Noncharacter_Code_Point, unicode.Zl, unicode.Zp) {
			bad(fmt.Sprintf("character %U", r))
		}
	}
	base, ext, _ := strings.Cut(strings.ToLower(name), ".")
	base = strings.TrimRight(base, " ")
	devices := []string{"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
	for _, d := range "0123456789¹²³" {
		devices = append(devices, "com"+string(d), "lpt"+string(d))
	}
	if slices.Contains(devices, base) {
		bad("a device of Windows")
	}
	if i := strings.LastIndexByte(base, '~'); i >= 0 && len(base) <= 8 && len(ext) <= 3 && i+1 < len(base) && strings.Trim(base[i+1:], "0123456789") == "" {
		bad("a short name of Windows")
	}
	if again := SafeName(name); again != name {
		bad("made safe again it is " + again)
	}
}

func TestSafeName(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range [][2]string{
		// Left as they are.
		{"Debian 12.iso", "Debian 12.iso"},
		{".bashrc", ".bashrc"},
		{" leading", " leading"},
		{"a..b", "a..b"},
		{"köln-日本.txt", "köln-日本.txt"},
		{"e\u0301", "e\u0301"},
		{"👨‍👩‍👧", "👨‍👩‍👧"},
		{"\ufffd", "\ufffd"},
		{"it's (1) [x] {y} #& $~!@%^+=,;`", "it's (1) [x] {y} #& $~!@%^+=,;`"},
		{"CONTEXT", "CONTEXT"},
		{"COM10", "COM10"},
		{"LPT", "LPT"},
		{"mycon", "mycon"},
		{"backup~", "backup~"},
		{"much longer~1.txt", "much longer~1.txt"},

		// Not a way out.
		{"", ""},
		{".", ""},
		{"..", ""},
		{"...", ""},
		{" ", ""},
		{". .", ""},
		{"/", "_"},
		{"../../etc/passwd", ".._.._etc_passwd"},
		{"/etc/passwd", "_etc_passwd"},
		{`\\server\share`, "__server_share"},
		{"C:\\x", "C__x"},
		{"file.txt:stream", "file.txt_stream"},

		// Characters with a meaning, or none.
		{"a\x00b", "a_b"},
		{"Icon\r", "Icon_"},
		{"\x1b[31m", "_[31m"},
		{`*?"<>|`, "______"},
		{"a\u0085b\u009b", "a_b_"},
		{"invoice\u202efdp.exe", "invoice_fdp.exe"},
		{"\u2066x\u2069\u061c\u200f", "_x___"},
		{"a\u2028b\u2029", "a_b_"},
		{"\ufeffa", "_a"},
		{"\ufffe\ufdd0\U0001ffff", "___"},
		{"\U000e0041", "_"},
		{"k\xf6ln", "k_ln"},
		{"\xc0\xaf..", "__"},
		{"\xed\xa0\x80", "___"}, // half of a surrogate pair

		// What Windows drops at the end.
		{"a.", "a"},
		{"a. . ", "a"},
		{"Vol. 1...", "Vol. 1"},

		// Devices.
		{"CON", "_CON"},
		{"con.txt", "_con.txt"},
		{"Nul.tar.gz", "_Nul.tar.gz"},
		{"aux .c", "_aux .c"},
		{"COM1", "_COM1"},
		{"lpt9.log", "_lpt9.log"},
		{"COM¹", "_COM¹"},
		{"CONIN$", "_CONIN$"},
		{"prn.", "_prn"},
		{"CON:", "CON_"},

		// Short names.
		{"PROGRA~1", "PROGRA_1"},
		{"a~12.txt", "a_12.txt"},
		{"~1", "_1"},

		// What shoal itself makes, and removes.
		{"a.shoal-new", "a_shoal-new"},
		{".0123.SHOAL-Part", ".0123_SHOAL-Part"},
		{"a.ſhoal-new", "a_ſhoal-new"},
		{"a.shoal-new.shoal-new", "a.shoal-new_shoal-new"},
		{"shoal-new", "shoal-new"},
		{"a.shoal-new.txt", "a.shoal-new.txt"},

		// Too long: cut in front of the extension, at a character.
		{long, long[:255]},
		{long + ".mkv", long[:251] + ".mkv"},
		{long + "." + long, long[:255]},
		{strings.Repeat("ü", 200) + ".txt", strings.Repeat("ü", 125) + ".txt"},
		{strings.Repeat("日", 100), strings.Repeat("日", 85)},
		{strings.Repeat(" ", 300) + "x", ""},
		{long[:254] + ". x", long[:252] + ". x"},
		{"CON." + long, "_CON." + long[:250]},
	} {
		got := SafeName(c[0])
		if got != c[1] {
			t.Errorf("%q: %q, want %q", c[0], got, c[1])
		}
		if got != "" {
			checkSafe(t, got)
		}
	}
}

// Names that one file system or another takes for the same.
func TestFoldKey(t *testing.T) {
	same := [][]string{
		{"readme", "README", "ReadMe"},
		{"é", "É", "e\u0301", "E\u0301"},
		{"straße", "STRASSE", "STRAẞE"},
		{"K", "k", "\u212a"},            // Kelvin sign
		{"ſ", "S", "s"},                 // long s
		{"Å", "å", "\u212b", "A\u030a"}, // Ångström sign
		{"ﬁle", "FILE", "file"},         // ligature
		{"ΌΣΟΣ", "όσος", "Ο\u0301σοσ"},  // both small sigmas
		{"ᾳ", "ᾼ", "αι", "ΑΙ"},          // iota below
		{"İ", "i\u0307", "I\u0307"},     // dotted
		{"a\u200bb", "ab", "A\u00adB"},  // what does not show
		{"☀", "☀\ufe0f"},                // variation selector
		{"각", "\u1100\u1161\u11a8"},     // Hangul in parts
		{"ÿ", "Ÿ"},
		{"ŉ", "ʼN"},
		{"և", "ԵՒ"},
		{"a\u0323\u0307", "a\u0307\u0323"}, // accents in either order
	}
	keys := make(map[string]int)
	for i, names := range same {
		for _, n := range names {
			key := foldKey(n)
			if j, ok := keys[key]; ok && j != i {
				t.Errorf("%q is as good as %q", n, same[j][0])
			} else if i > 0 && key != foldKey(names[0]) {
				t.Errorf("%q and %q have keys %q and %q", n, names[0], key, foldKey(names[0]))
			}
			keys[key] = i
		}
	}
	for _, n := range []string{"a", "b", "1", "①", "a1", "a²", "ı", "ss ", "_", "ab "} {
		if j, ok := keys[foldKey(n)]; ok {
			t.Errorf("%q is as good as %q", n, same[j][0])
		}
	}
	if foldKey("x²") == foldKey("x2") {
		t.Error("compatibility characters are other characters")
	}
}

// paths names files in turn and checks that they keep apart.
func paths(t *testing.T, raw ...string) []string {
	t.Helper()
	n := newNamer("r", SafeName, foldKey)
	i := &Info{Name: "r", SafeName: "r", RawName: "r", MultiFile: true}
	var got []string
	for _, r := range raw {
		f := File{RawPath: append([]string{"r"}, strings.Split(r, "/")...)}
		f.SafePath = n.path(nil, f.RawPath[1:])
		i.Files = append(i.Files, f)
		got = append(got, strings.Join(f.SafePath[1:], "/"))
	}
	kept := i.Paths(Rules{})
	for k := range i.Files {
		i.Files[k].Path = kept[k]
	}
	checkFiles(t, i)
	return got
}

func TestNamer(t *testing.T) {
	x := strings.Repeat("x", 255)
	for _, c := range []struct{ raw, want []string }{
		{[]string{"a", "b/c", "b/d"}, []string{"a", "b/c", "b/d"}},
		{[]string{"a.txt", "a.txt", "A.TXT"}, []string{"a.txt", "a (2).txt", "A (3).TXT"}},
		{[]string{"a", "a (2)", "a"}, []string{"a", "a (2)", "a (3)"}},
		{[]string{"a", "a", "a (2)"}, []string{"a", "a (2)", "a (2) (2)"}},
		{[]string{"a.tar.gz", "a.tar.gz", ".b", ".b"}, []string{"a.tar.gz", "a.tar (2).gz", ".b", ".b (2)"}},
		{[]string{"é", "e\u0301"}, []string{"é", "e\u0301 (2)"}},
		{[]string{"a?", "a*", "a_"}, []string{"a_", "a_ (2)", "a_ (3)"}},
		{[]string{"..", ".", "", "_"}, []string{"_", "_ (2)", "_ (3)", "_ (4)"}},
		// Folders that are one folder somewhere are one everywhere.
		{[]string{"D/a", "d/b", "d/A"}, []string{"D/a", "D/b", "D/A (2)"}},
		{[]string{"x?/a", "x*/a"}, []string{"x_/a", "x_/a (2)"}},
		{[]string{"../a", "./a"}, []string{"_/a", "_/a (2)"}},
		// A file and a folder of one name: who comes first keeps it, and all of a folder
		// stays together.
		{[]string{"a", "a/b", "A/c", "a/B"}, []string{"a", "a (2)/b", "a (2)/c", "a (2)/B (2)"}},
		{[]string{"a/b", "a", "a/c"}, []string{"a/b", "a (2)", "a/c"}},
		{[]string{"a", "a (2)/x", "a/b", "a"}, []string{"a", "a (2)/x", "a (3)/b", "a (4)"}},
		{[]string{"a/b", "a/b/c"}, []string{"a/b", "a/b (2)/c"}},
		// Room for the number is made.
		{[]string{x, x}, []string{x, x[:242] + " (2)"}},
		{[]string{x + ".mp3", x + ".mp3"}, []string{x[:251] + ".mp3", x[:238] + " (2).mp3"}},
		{[]string{x, x, x[:254] + "y", x[:254] + "y"}, []string{x, x[:242] + " (2)", x[:254] + "y", x[:242] + " (3)"}},
		{[]string{"CON", "con", "_CON"}, []string{"_CON", "_con (2)", "_CON (3)"}},
	} {
		if got := paths(t, c.raw...); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.raw, got, c.want)
		}
	}
}

// Twice the files make twice the work, in the cases where a naive table would look at all
// other names for each. Work is counted in allocations: every name tried is made first.
func TestNamerIsLinear(t *testing.T) {
	x := strings.Repeat("x", 240)
	for name, raw := range map[string]func(i int) []string{
		"one path for all":         func(int) []string { return []string{"a.txt"} },
		"a folder for each":        func(i int) []string { return []string{fmt.Sprint(i), "a"} },
		"a file and then a folder": func(i int) []string { return []string{"a", "a"}[:1+i%2] },
		"numbers taken already":    func(i int) []string { return []string{[]string{"a", fmt.Sprintf("a (%d)", i)}[i%2]} },
		"alike but for the end":    func(i int) []string { return []string{fmt.Sprintf("%s%08d", x, i/2)} },
		"folders in folders":       func(i int) []string { return append(slices.Repeat([]string{"d"}, i%100), fmt.Sprint(i)) },
	} {
		work := func(files int) float64 {
			return testing.AllocsPerRun(1, func() {
				n := newNamer("r", SafeName, foldKey)
				var dst []string
				for i := range files {
					dst = n.path(dst[:0], raw(i))
				}
			})
		}
		one, two := work(5000), work(10000)
		if two > 2.2*one {
			t.Errorf("%s: %v allocations for 5,000 files, %v for 10,000", name, one, two)
		}
	}
}
