//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/metainfo"
)

const wordsA = `A folder has the files of a torrent where some client put them, whole, and a seed stands by. The client is to find
them, and to fetch nothing. *X is stopped half-way* is real: X fetches half of a torrent, ends on a signal (shoal is
killed), and the client of the column goes on in the same folder.`

// rawly is where a client leaves files that takes every name as it is.
func rawly(folder, path string) string { return filepath.Join(folder, path) }

// suffixed is where a client leaves files that puts something behind their names.
func suffixed(suffix string) where {
	return func(folder, path string) string { return filepath.Join(folder, path) + suffix }
}

// named puts one folder name and one path in place of the torrent's.
func named(folder string, paths map[string]string) where {
	return func(f, path string) string {
		if to, ok := paths[path]; ok {
			path = to
		}
		if f != "" {
			f = folder
		}
		return filepath.Join(f, path)
	}
}

// left is a case of files that lie there.
func left(b blueprint, at where) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m, dir := b.build(t), folderOf(t)
		m.put(t, dir, at)
		return overtake(t, who, m, dir)
	}
}

// overtake has a client go on with what lies in a folder.
func overtake(t *testing.T, who string, m *made, dir string) string {
	t.Helper()
	var g *giver
	r := take(t, who, order{source: m.file, dir: dir, give: func(at netip.AddrPort) { g = give(t, m, at) }})
	switch sent := int(g.sent.Load()); {
	case r.crashed:
		return "crashes"
	case r.done && sent == 0:
		return "takes over"
	case r.done && sent < len(m.data)*5/8:
		return "takes part"
	case r.done:
		return "fetches again"
	case r.ended:
		t.Logf("%s refuses:\n%s", who, r.p.tail())
		return "refuses"
	}
	return "hangs"
}

// folder is a torrent of two files of which the first has a name of interest.
func folder(name string, first ...string) blueprint {
	return blueprint{name: name, files: []part{{raw: first, size: 200_001}, {path: "second.bin", size: 100_000}}}
}

// encoded is a torrent whose names are in an encoding of their time, with and without the
// keys that say the same in UTF-8.
func encoded(encoding, name, utf8 string, both bool) blueprint {
	p := part{raw: []string{name + ".txt"}, size: 200_001}
	b := blueprint{name: name, outer: dict{{"encoding", encoding}}}
	if both {
		p.more = dict{{"path.utf-8", []string{utf8 + ".txt"}}}
	}
	b.files = []part{p, {path: "second.bin", size: 100_000}}
	return b
}

func withUTF8Name(b blueprint, name string) blueprint {
	b.nameUTF8 = name
	return b
}

// halfway has one client fetch half of a torrent, and another go on.
func halfway(first string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		b := blueprint{name: "half", piece: 64 << 10, files: []part{{path: "a/first.bin", size: 1<<20 + 1}, {path: "b/second.bin", size: 2<<20 - 7}, {path: "third.bin", size: 1 << 20}}}
		m, dir := b.build(t), folderOf(t)
		var g *giver
		r := take(t, first, order{
			source: m.file, dir: dir, limit: 20 * time.Second, linger: true,
			give: func(at netip.AddrPort) {
				g = give(t, m, at, func(g *giver) {
					for i := len(m.data) / m.piece / 2; i*m.piece < len(m.data); i++ {
						if g.lack == nil {
							g.lack = make(map[int]bool)
						}
						g.lack[i] = true
					}
				})
			},
			until: func(*process) bool { return g != nil && int(g.sent.Load()) >= len(m.data)/m.piece/2*m.piece },
		})
		if !r.stopped {
			t.Fatalf("%s has not fetched half of it:\n%s", first, r.text)
		}
		time.Sleep(time.Second) // what it has received it may still have to write
		g.end()
		if first == "shoal" {
			r.p.cmd.Process.Kill()
			<-r.p.done
		} else {
			r.p.stop()
		}
		switch got := overtake(t, who, m, dir); got {
		case "takes part":
			return "takes over" // all that there was
		case "takes over":
			t.Fatal("half of it was whole")
			return ""
		default:
			return got
		}
	}
}

// spoiled is a case of a file that has the right name and other bytes: good is how much of
// it is as the torrent has it. How the file is there, tie says.
func spoiled(good int, tie func(t *testing.T, file string) (other string)) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m, dir := folder("mine", "precious.bin").build(t), folderOf(t)
		file := filepath.Join(dir, "mine", "precious.bin")
		mine := slices.Clone(m.content("precious.bin"))
		for i := good; i < len(mine); i++ {
			mine[i] ^= 0x55
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, mine, 0o644); err != nil {
			t.Fatal(err)
		}
		other := tie(t, file)
		r := take(t, who, order{source: m.file, dir: dir, give: func(at netip.AddrPort) { give(t, m, at) }})
		if r.crashed {
			return "crashes"
		}
		if !r.done && !r.ended {
			return "hangs"
		}
		kept := false
		root := dir
		if other != "" {
			root = other
		}
		filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				b, _ := os.ReadFile(name)
				kept = kept || bytes.Equal(b, mine)
			}
			return nil
		})
		switch {
		case !kept:
			return "overwrites"
		case !r.done:
			return "refuses"
		}
		return "keeps it"
	}
}

func alone(*testing.T, string) string { return "" }

func hardLinked(t *testing.T, file string) string {
	other := filepath.Join(t.TempDir(), "another name")
	if err := os.Link(file, other); err != nil {
		t.Fatal(err)
	}
	return other
}

// linked is a case of a symbolic link that the user made: which of the paths is a link, and
// whether what it leads to is whole.
func linked(link string, whole bool) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		b := blueprint{name: "album", files: []part{{path: "disc/first.bin", size: 200_001}, {path: "second.bin", size: 100_000}}}
		m, dir := b.build(t), folderOf(t)
		m.put(t, dir, asNamed)
		at, there := filepath.Join(dir, link), filepath.Join(t.TempDir(), "elsewhere")
		err := os.Rename(at, there)
		if err == nil {
			err = os.Symlink(there, at)
		}
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "album", "disc", "first.bin")
		if !whole {
			if err := os.Truncate(file, 100_000); err != nil {
				t.Fatal(err)
			}
		}
		got := overtake(t, who, m, dir)
		st, err := os.Lstat(at)
		target := there + strings.TrimPrefix(file, at)
		b2, _ := os.ReadFile(target)
		switch {
		case err != nil || st.Mode()&fs.ModeSymlink == 0:
			return "overwrites"
		case (got == "takes over" || got == "takes part") && !bytes.Equal(b2, m.content("disc/first.bin")):
			return "fetches again"
		case got == "takes part" && !whole:
			return "takes over"
		}
		return got
	}
}

// outside is a case of a torrent that would be written outside of its folder.
func outside(b blueprint) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m, dir := b.build(t), folderOf(t)
		r := take(t, who, order{source: m.file, dir: dir, give: func(at netip.AddrPort) { give(t, m, at) }})
		escaped := false
		filepath.WalkDir(filepath.Dir(dir), func(name string, d fs.DirEntry, err error) error {
			escaped = escaped || err == nil && !strings.HasPrefix(name, dir) && name != filepath.Dir(dir)
			return nil
		})
		switch {
		case escaped:
			return "overwrites"
		case r.crashed:
			return "crashes"
		case r.done:
			return "stays inside"
		case r.ended:
			return "refuses"
		}
		return "hangs"
	}
}

// fresh is a case of a torrent that is fetched into an empty folder.
func fresh(b blueprint) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m := b.build(t)
		return accepted(take(t, who, order{source: m.file, dir: folderOf(t), give: func(at netip.AddrPort) { give(t, m, at) }}))
	}
}

func accepted(r result) string {
	switch {
	case r.crashed:
		return "crashes"
	case r.done:
		return "accepts"
	case r.ended:
		return "refuses"
	}
	return "hangs"
}

// creating is a case of a folder to make a torrent of. Accepted is it when the torrent has
// the wanted paths, or the folder's name alone where none are given.
func creating(fill func(t *testing.T, dir string) (path string), want ...string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		out := filepath.Join(t.TempDir(), "made.torrent")
		path := fill(t, folderOf(t))
		var p *process
		switch who {
		case "shoal":
			p = start(t, who, shoal, "create", path, "-o", out)
		case "libtorrent":
			p = start(t, who, python, "ltclient.py", "create", path, out, "16384")
		case "Transmission":
			p = start(t, who, "transmission-create", "-o", out, path)
		}
		if !within(8*time.Second, p.over) {
			return "hangs"
		}
		text, err := os.ReadFile(out)
		if err != nil {
			return "refuses"
		}
		names := rawNames(t, text)
		slices.Sort(names)
		slices.Sort(want)
		if slices.Equal(names, want) {
			return "accepts"
		}
		t.Logf("%s made a torrent of %q", who, names)
		return "alters names"
	}
}

// rawNames gives the paths of a torrent's files as its bytes have them; of one file, its name.
func rawNames(t *testing.T, text []byte) []string {
	t.Helper()
	var names []string
	if _, err := metainfo.Parse(text); err != nil {
		t.Fatalf("no torrent: %v", err)
	}
	s := string(text)
	for {
		_, rest, found := strings.Cut(s, "4:pathl")
		if !found {
			break
		}
		var path []string
		for rest[0] != 'e' {
			var n int
			head, body, _ := strings.Cut(rest, ":")
			if err := json.Unmarshal([]byte(head), &n); err != nil {
				t.Fatal(err)
			}
			path, rest = append(path, body[:n]), body[n:]
		}
		names, s = append(names, strings.Join(path, "/")), rest
	}
	if names == nil {
		_, rest, _ := strings.Cut(s, "4:name")
		head, body, _ := strings.Cut(rest, ":")
		var n int
		if err := json.Unmarshal([]byte(head), &n); err != nil {
			t.Fatal(err)
		}
		names = []string{body[:n]}
	}
	return names
}

// filled writes files of a few bytes.
func filled(t *testing.T, dir string, paths ...string) string {
	t.Helper()
	for _, p := range paths {
		p = filepath.Join(dir, p)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("some bytes"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func trialsA() []trial {
	const gbk, utf8 = "\xce\xc4\xbc\xfe", "文件"
	makers := []string{"libtorrent", "Transmission"}
	pads := func(name string, attr bool) blueprint {
		return blueprint{name: "padded", files: []part{
			{path: "first.bin", size: 20_000}, {raw: strings.Split(name, "/"), size: 2*16384 - 20_000, pad: attr}, {path: "second.bin", size: 100_000},
		}}
	}
	return []trial{
		{name: "`Re: Collection/Disc: One?/a*b.mkv` as on Linux", want: "takes over", why: "names are the torrent's wherever the file system takes them", run: left(folder("Re: Collection", "Disc: One?", "a*b.mkv"), rawly)},
		{name: "`<x>|\"y\".bin`", want: "takes over", why: "the same", run: left(folder("quotes", `<x>|"y".bin`), rawly)},
		{name: "a final dot, in folder and file", want: "takes over", why: "the same", run: left(folder("Vol. 1.", "The end.", "a."), rawly)},
		{name: "a blank at the end and in front", want: "takes over", why: "the same", run: left(folder("blank ", " a ", "b "), rawly)},
		{name: "`CON`, `aux.txt`", want: "takes over", why: "these names are taken on Windows alone", run: left(folder("CON", "aux.txt"), rawly)},
		{name: "a backslash in a name", want: "takes over", why: "it separates nothing on Linux", run: left(folder("back", `a\b.bin`), rawly)},
		{name: "a line break in a name", want: "takes over", why: "it is shown escaped, and kept on disk", run: left(folder("lines", "a\nb.bin"), rawly)},
		{name: "a name that turns the direction of writing", want: "takes over", why: "the same", run: left(folder("bidi", "a\u202egpj.exe"), rawly)},
		{name: "`...` as a name", want: "takes over", why: "only one dot and two mean something", run: left(folder("dots", "...", "a.bin"), rawly)},
		{name: "names that differ in case alone", want: "takes over", why: "two files where the file system keeps two", run: left(blueprint{name: "case", files: []part{{path: "Readme", size: 50_000}, {path: "README", size: 60_000}, {path: "readme", size: 70_000}}}, rawly)},
		{name: "a name in NFC, on disk in NFD", want: "takes over", why: "macOS writes NFD", run: left(folder("caf\u00e9", "caf\u00e9.bin"), named("cafe\u0301", map[string]string{"caf\u00e9.bin": "cafe\u0301.bin"}))},
		{name: "a name in NFD, on disk in NFC", want: "takes over", why: "torrents that were made on macOS", run: left(folder("cafe\u0301", "cafe\u0301.bin"), named("caf\u00e9", map[string]string{"cafe\u0301.bin": "caf\u00e9.bin"}))},
		{name: "names in GBK with `path.utf-8`, on disk in UTF-8", want: "takes over", why: "every client of today writes those", run: left(withUTF8Name(encoded("GBK", gbk, utf8, true), utf8), named(utf8, map[string]string{gbk + ".txt": utf8 + ".txt"}))},
		{name: "names in GBK with `path.utf-8`, on disk in GBK", want: "takes over", why: "older clients wrote the bytes", run: left(withUTF8Name(encoded("GBK", gbk, utf8, true), utf8), rawly)},
		{name: "`encoding` is GBK, on disk in UTF-8", want: "takes over", why: "as clients that decode it write them", run: left(encoded("GBK", gbk, utf8, false), named(utf8, map[string]string{gbk + ".txt": utf8 + ".txt"}))},
		{name: "`encoding` is GBK, on disk in GBK", want: "takes over", why: "as clients that don't", run: left(encoded("GBK", gbk, utf8, false), rawly)},
		{name: "`encoding` is Shift_JIS, on disk in UTF-8", want: "takes over", why: "the same", run: left(encoded("Shift_JIS", "\x83\x74\x83\x40\x83\x43\x83\x8b", "ファイル", false), named("ファイル", map[string]string{"\x83\x74\x83\x40\x83\x43\x83\x8b.txt": "ファイル.txt"}))},
		{name: "`encoding` is windows-1251, on disk in UTF-8", want: "takes over", why: "the same", run: left(encoded("windows-1251", "\xf4\xe0\xe9\xeb", "файл", false), named("файл", map[string]string{"\xf4\xe0\xe9\xeb.txt": "файл.txt"}))},
		{name: "Latin-1 without a word, on disk as it is", want: "takes over", why: "what can't be decoded is kept as bytes", run: left(folder("caf\xe9", "caf\xe9.bin"), rawly)},
		{name: "Latin-1 without a word, with `_` on disk", want: "takes over", why: "libtorrent and qBittorrent write `_` for what is not UTF-8", run: left(folder("plain", "caf\xe9.bin"), named("plain", map[string]string{"caf\xe9.bin": "caf_.bin"}))},
		{name: "`a_b.mkv` on disk for `a:b.mkv`", want: "takes over", why: "as Transmission writes it, and shoal did", run: left(folder("rewritten", "a:b.mkv"), named("rewritten", map[string]string{"a:b.mkv": "a_b.mkv"}))},
		{name: "`NAME.part`", want: "takes over", why: "Transmission's name of what is not whole", run: left(folder("parts", "sub", "a.bin"), suffixed(".part"))},
		{name: "`NAME.!qB`", want: "takes over", why: "qBittorrent's", run: left(folder("parts", "sub", "a.bin"), suffixed(".!qB"))},
		{name: "`NAME.!ut`", want: "takes over", why: "µTorrent's", run: left(folder("parts", "sub", "a.bin"), suffixed(".!ut"))},
		{name: "`NAME.bc!`", want: "takes over", why: "BitComet's", run: left(folder("parts", "sub", "a.bin"), suffixed(".bc!"))},
		{name: "one file, `NAME.part`", want: "takes over", why: "the same without a folder", run: left(blueprint{name: "film.mkv", size: 300_000}, suffixed(".part"))},
		{name: "without the torrent's folder", want: "takes over", why: "qBittorrent's layout “no subfolder”", run: left(folder("nofolder", "sub", "a.bin"), func(_, path string) string { return path })},
		{name: "one file in a folder of its name", want: "takes over", why: "qBittorrent's layout “subfolder”", run: left(blueprint{name: "film.mkv", size: 300_000}, func(_, path string) string { return "film/film.mkv" })},
		{name: "padding with the attribute, not on disk", want: "takes over", why: "BEP 47: zeros", run: left(pads(".pad/12768", true), rawly)},
		{name: "padding named by BitComet, not on disk", want: "takes over", why: "zeros, never missing", run: left(pads("_____padding_file_0_如果您看到此文件，请升级到BitComet(比特彗星)0.85或以上版本____", false), rawly)},
		{name: "padding named `.pad/12768` without the attribute", want: "takes over", why: "as libtorrent and others named them before BEP 47", run: left(pads(".pad/12768", false), rawly)},
		{name: "padding named `.____padding_file/0`", want: "takes over", why: "BitComet's newer form", run: left(pads(".____padding_file/0", false), rawly)},
		{name: "a name of 300 bytes", want: "accepts", why: "no file system keeps it: it is shortened", run: fresh(folder("long", strings.Repeat("long name ", 30)+".bin"))},
		{name: "a file and a folder of one name", want: "accepts", why: "one of the two gets another name", run: fresh(blueprint{name: "clash", files: []part{{path: "a", size: 50_000}, {path: "a/b", size: 50_000}}})},
		{name: "the same path twice", want: "accepts", why: "two files never share bytes", run: fresh(blueprint{name: "twice", files: []part{{path: "a", size: 50_000}, {path: "a", size: 50_000}}})},
		{name: "`..` in a path", want: "stays inside", why: "a rule of safety", run: outside(folder("up", "..", "..", "a.bin"))},
		{name: "`..` as the torrent's name", want: "stays inside", why: "a rule of safety", run: outside(folder("..", "a.bin"))},
		{name: "a slash in a name", want: "stays inside", why: "a rule of safety", run: outside(folder("slash", "../../a.bin"))},
		{name: "an absolute path", want: "stays inside", why: "a rule of safety", run: outside(folder("/tmp/interop-absolute", "/a.bin"))},
		{name: "the user's link to a whole file", want: "takes over", why: "links that lay there are the user's will", run: linked("album/disc/first.bin", true)},
		{name: "the user's link to a part of a file", want: "takes over", why: "it is completed where the link leads", run: linked("album/disc/first.bin", false)},
		{name: "the user's link to a folder inside", want: "takes over", why: "the same", run: linked("album/disc", true)},
		{name: "the torrent's folder is a link", want: "takes over", why: "the same", run: linked("album", false)},
		{name: "a file of the right name without one fitting piece", want: "keeps it", why: "nothing that may be the user's is written over silently", run: spoiled(0, alone)},
		{name: "a hard link whose other name is elsewhere", want: "keeps it", why: "a copy breaks the link", run: spoiled(100_000, hardLinked)},
		{name: "a hard link without one fitting piece", want: "keeps it", why: "the same", run: spoiled(0, hardLinked)},
		{name: "Transmission is stopped half-way", want: "takes over", why: "its names end in `.part`", run: halfway("Transmission")},
		{name: "aria2 is stopped half-way", want: "takes over", why: "it leaves a control file beside", run: halfway("aria2")},
		{name: "libtorrent is stopped half-way", want: "takes over", why: "it leaves sparse files", run: halfway("libtorrent")},
		{name: "shoal is stopped half-way", want: "takes over", why: "it leaves the files, and its journal elsewhere", run: halfway("shoal")},
		{name: "create: `a:b?.txt`, `CON`, `end.`", want: "accepts", why: "any name that the platform takes; a warning says which systems can't", others: makers, run: creating(func(t *testing.T, dir string) string {
			return filled(t, dir, "a:b?.txt", "CON", "end.", "sub/x*y")
		}, "a:b?.txt", "CON", "end.", "sub/x*y")},
		{name: "create: names that differ in case alone", want: "accepts", why: "the same", others: makers, run: creating(func(t *testing.T, dir string) string { return filled(t, dir, "Readme", "README") }, "Readme", "README")},
		{name: "create: `.DS_Store`, `Thumbs.db`, `desktop.ini`", want: "accepts", why: "left out, with a word", others: makers, run: creating(func(t *testing.T, dir string) string {
			return filled(t, dir, "a", ".DS_Store", "sub/Thumbs.db", "sub/desktop.ini", "sub/b")
		}, "a", "sub/b")},
		{name: "create: the argument is a link to a folder", want: "accepts", why: "who names a link means what it leads to", others: makers, run: creating(func(t *testing.T, dir string) string {
			filled(t, dir, "real/a", "real/b")
			if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "link")
		}, "a", "b")},
		{name: "create: the argument is a link to a file", want: "accepts", why: "the same; the torrent has the link's name", others: makers, run: creating(func(t *testing.T, dir string) string {
			filled(t, dir, "real")
			if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "link")
		}, "link")},
	}
}
