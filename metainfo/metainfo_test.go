package metainfo

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/bencode"
	"shoal/internal/value/infohash"
)

type torrentVector struct {
	ID         string
	Torrent    []byte  `json:"torrent_base64"`
	V1         *string `json:"v1_info_hash"`
	MustReject bool    `json:"must_reject"`
	LT         struct {
		Accepts   bool
		Name      string
		NumFiles  int    `json:"num_files"`
		NumPieces uint32 `json:"num_pieces"`
		Total     int64
		Private   bool
		V1        *string
	} `json:"libtorrent"`
}

// Every valid torrent of the vectors loads with the info-hash, name and sizes on which other
// programs agree; those without a v1 part are refused with a word of their own.
func TestVectors(t *testing.T) {
	for _, v := range loadVectors[torrentVector](t, "torrents.json") {
		t.Run(v.ID, func(t *testing.T) {
			tor, err := Parse(v.Torrent)
			if v.V1 == nil {
				if !errors.Is(err, ErrV2Only) {
					t.Fatalf("error %v, want v2 only", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tor.InfoHash.String() != *v.V1 || tor.Info.Hash != tor.InfoHash {
				t.Errorf("info-hash %v, want %v", tor.InfoHash, *v.V1)
			}
			i := tor.Info
			if i.Name != v.LT.Name || len(i.Files) != v.LT.NumFiles || i.NumPieces() != v.LT.NumPieces || i.Length != v.LT.Total || i.Private != v.LT.Private {
				t.Errorf("name %q, %d files, %d pieces, %d bytes, private %v; want %+v", i.Name, len(i.Files), i.NumPieces(), i.Length, i.Private, v.LT)
			}
			checkTorrent(t, tor)
		})
	}
}

// What the vectors say must be refused is refused; the rest is listed here with the answer
// that this package gives.
func TestInvalidVectors(t *testing.T) {
	refused := map[string]place{ // the reason, and what stands at the place told
		"no-info":                    {"info: missing", "d8:announce"},
		"info-not-dict":              {"info: integer instead of dictionary", "i1ee"},
		"pieces-too-few":             {"info.pieces: 20 bytes of hashes instead of 60", "20:"},
		"pieces-too-many":            {"info.pieces: 40 bytes of hashes instead of 20", "40:"},
		"piece-length-negative":      {"info.piece length: -1 is not from 1 byte to 512 MiB", "i-1e"},
		"length-huge":                {"info.piece length: 9223372036854775807 bytes in pieces of 16384 make more than 2097152 pieces", "i16384e"},
		"no-name":                    {"info.name: missing", "d6:length"},
		"files-negative":             {"info.files[0].length: negative length", "i-5e"},
		"files-empty":                {"info.files: no files", "le4:name"},
		"hybrid-inconsistent-length": {`info.file tree: the v1 and v2 parts describe different files: "x" has 39999 and 40000 bytes`, "d6:lengthi40000e"},

		// These need not be refused.
		"piece-length-huge": {"info.piece length: 4611686018427387904 is not from 1 byte to 512 MiB", "i4611686018427387904e"},
		"length-and-files":  {"info.files: there is info.length as well", "ld6:length"},
		"path-empty-list":   {"info.files[0].path: a path without elements", "leee"},
		"v2-no-layers":      {"info: BitTorrent v2 only; not supported yet", "i2e4:name"},
		"v2-layer-wrong":    {"info: BitTorrent v2 only; not supported yet", "i2e4:name"},
	}
	paths := map[string][]string{
		"name-slash":               {".._.._etc_passwd"},
		"name-empty":               {"3b7091e4f73d67f6ac38d3c3a66e3f07d5a40eee"}, // the info-hash
		"name-nul":                 {"a_b"},
		"name-windows":             {"C__x_CON"},
		"path-inner-slash":         {"d/a_.._.._b"},
		"path-duplicate":           {"d/a", "d/a (2)"},
		"path-case-collision":      {"d/A", "d/a (2)"},
		"zero-length-only":         {"abc"},
		"hybrid-inconsistent-data": {"x"}, // is found only when the data is hashed
	}
	kept := map[string][]string{ // where the file system takes these names
		"name-windows":        {`C:\x\CON`},
		"path-case-collision": {"d/A", "d/a"},
	}
	for _, v := range loadVectors[torrentVector](t, "torrents-invalid.json") {
		t.Run(v.ID, func(t *testing.T) {
			tor, err := Parse(v.Torrent)
			want, isPath := paths[v.ID]
			if v.MustReject && isPath {
				t.Fatal("the vector must be rejected")
			}
			if !isPath {
				want, isKnown := refused[v.ID]
				if !isKnown { // all other v2 torrents, whatever else is wrong with them
					want = refused["v2-no-layers"]
				}
				checkRefused(t, err, v.Torrent, want)
				if strings.HasPrefix(v.ID, "v2-") != errors.Is(err, ErrV2Only) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got, safe []string
			for _, f := range tor.Info.Files {
				got, safe = append(got, strings.Join(f.Path, "/")), append(safe, strings.Join(f.SafePath, "/"))
			}
			if !slices.Equal(safe, want) {
				t.Errorf("safe paths %q, want %q", safe, want)
			}
			asKept, isKept := kept[v.ID]
			if isKept = isKept && !rewriteAll; isKept {
				want = asKept
			}
			if !slices.Equal(got, want) {
				t.Errorf("paths %q, want %q", got, want)
			}
			if v.LT.V1 != nil && tor.InfoHash.String() != *v.LT.V1 {
				t.Errorf("info-hash %v, others say %v", tor.InfoHash, *v.LT.V1)
			}
			if saved := v.ID != "zero-length-only" && v.ID != "hybrid-inconsistent-data" && !isKept; saved != (len(tor.Warnings) == 1) {
				t.Errorf("warnings %q", tor.Warnings)
			}
			checkTorrent(t, tor)
		})
	}
}

// place is the reason of a refusal, and what stands at the place it tells.
type place struct{ reason, at string }

func checkRefused(t *testing.T, err error, in []byte, want place) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("%.200q\nerror %v, want an *Error: %s", in, err, want.reason)
		return
	}
	if !strings.HasPrefix(err.Error(), "torrent refused: "+want.reason+" (at byte ") || !bytes.HasPrefix(in[e.Offset:], []byte(want.at)) {
		t.Errorf("%.200q\n%v: %.20q\nwant %s: %q", in, err, in[e.Offset:], want.reason, want.at)
	}
}

// checkTorrent checks what holds for every torrent that was accepted.
func checkTorrent(t *testing.T, tor *Torrent) {
	t.Helper()
	i := tor.Info
	if infohash.Of(i.Raw) != i.Hash {
		t.Errorf("hash %v is not that of the raw bytes", i.Hash)
	}
	g := i.Geometry()
	if want, ok := newGeometry(i.Length, i.PieceLength); !ok || g != want {
		t.Errorf("geometry %+v, want %+v", g, want)
	}
	for p := range g.Pieces {
		if h := i.PieceHash(p); !bytes.Equal(h[:], i.pieces[p*20:p*20+20]) {
			t.Errorf("hash of piece %d is %x", p, h)
		}
	}
	checkFiles(t, i)
	if len(tor.Warnings) > maxWarnings {
		t.Errorf("%d warnings", len(tor.Warnings))
	}
	for _, w := range tor.Warnings {
		if Printable(w) != w {
			t.Errorf("warning is not printable: %q", w)
		}
	}
}

// checkFiles checks that the files tile the content, and that each has a safe path of its
// own that is no folder of another, also where case and the composition of accents do not
// count.
func checkFiles(t *testing.T, i *Info) {
	t.Helper()
	if len(i.Files) == 0 {
		t.Fatal("no files")
	}
	at := int64(0)
	for n, f := range i.Files {
		if f.Offset != at || f.Length < 0 {
			t.Errorf("file %d at %d, want %d; length %d", n, f.Offset, at, f.Length)
		}
		at += f.Length
		if f.Pad {
			if f.Path != nil {
				t.Errorf("pad file %d has path %q", n, f.Path)
			}
			continue
		}
		for _, p := range [][]string{f.Path, f.SafePath} {
			if len(p) != len(f.RawPath) || i.MultiFile != (len(p) > 1) {
				t.Errorf("file %d has path %q, raw %q", n, p, f.RawPath)
			}
		}
		if f.Path[0] != i.Name || f.SafePath[0] != i.SafeName || f.RawPath[0] != i.RawName {
			t.Errorf("file %d has paths %q, %q, %q; names %q, %q, %q", n, f.Path, f.SafePath, f.RawPath, i.Name, i.SafeName, i.RawName)
		}
		for _, elem := range f.SafePath {
			checkSafe(t, elem)
		}
		for _, elem := range f.Path {
			checkKept(t, elem)
		}
	}
	checkApart(t, i, func(f File) []string { return f.SafePath }, foldKey)
	checkApart(t, i, func(f File) []string { return f.Path }, same)
	if at != i.Length {
		t.Errorf("files hold %d bytes, the torrent says %d", at, i.Length)
	}
}

// checkKept is written apart from KeepName: what no file can be called.
func checkKept(t *testing.T, name string) {
	t.Helper()
	low := strings.ToLower(name)
	if name == "" || name == "." || name == ".." || len(name) > 765 || strings.ContainsAny(name, "/\x00") ||
		strings.HasSuffix(low, ".shoal-new") || strings.HasSuffix(low, ".shoal-part") {
		t.Errorf("name %q", name)
	}
}

// checkApart checks that no two files have one path, and that none is a folder of another.
func checkApart(t *testing.T, i *Info, pathOf func(File) []string, keyOf func(string) string) {
	t.Helper()
	const folder = -2
	taken := make(map[string]int)
	for n, f := range i.Files {
		key := ""
		for d, elem := range pathOf(f) {
			key += "/" + keyOf(elem)
			old, ok := taken[key]
			switch {
			case d == len(pathOf(f))-1 && ok:
				t.Errorf("file %d has the path %q of another (%d)", n, pathOf(f), old)
			case d == len(pathOf(f))-1:
				taken[key] = n
			case ok && old != folder:
				t.Errorf("file %d lies in %q, which is file %d", n, pathOf(f)[:d+1], old)
			default:
				taken[key] = folder
			}
		}
	}
}

// info makes a torrent file around an info dictionary.
func info(dict string) string { return "d4:info" + dict + "e" }

const hash1 = "12345678901234567890" // stands for the hash of one piece

func TestRefused(t *testing.T) {
	one := func(entries string) string {
		return "d" + entries + "4:name1:n12:piece lengthi16384e6:pieces20:" + hash1 + "e"
	}
	files := func(list string) string { return one("5:files" + list) }
	for _, c := range []struct {
		in     string
		reason string
		at     string // what stands at the place told
		err    error
	}{
		{"", "not bencode: input ends inside a value", "", bencode.ErrTruncated},
		{"<!DOCTYPE html>", "not bencode: no value begins with this byte", "<!DOC", bencode.ErrSyntax},
		{"le", "list instead of dictionary", "le", nil},
		{info("d4:name1:a4:name1:be"), "info.name: it occurs twice, with two values", "d4:name1:a", bencode.ErrDuplicate},
		{info(one("6:lengthi5e1:zi1e6:lengthi6e")), "info.length: it occurs twice, with two values", "d6:length", bencode.ErrDuplicate},
		{info(files("ld6:lengthi1e4:pathl1:ae4:pathl1:beee")), "info.files[0].path: it occurs twice, with two values", "d6:lengthi1e4:pathl1:a", bencode.ErrDuplicate},
		{"d4:infod4:name1:ae4:infod4:name1:bee", "info: it occurs twice, with two values", "d4:info", bencode.ErrDuplicate},
		{info(one("6:lengthi99999999999999999999e")), "info.length: the number does not fit into 64 bits", "i99", nil},
		{info(one("")), "info: neither length nor files", "d4:name", nil},
		{info(one("6:length2:xx")), "info.length: string instead of integer", "2:xx", nil},
		{info(one("6:lengthi-1e")), "info.length: negative length", "i-1e", nil},
		{info(one("6:lengthi5e12:meta versioni3e")), "info.meta version: unknown version 3", "i3e", ErrVersion},
		{info(one("5:filesd1:a1:be")), "info.files: dictionary instead of list", "d1:a", nil},
		{info(files("li1ee")), "info.files[0]: integer instead of dictionary", "i1ee", nil},
		{info(files("ld4:pathl1:aeee")), "info.pieces: 20 bytes of hashes instead of 0", "20:", nil}, // taken for empty
		{info(files("ld6:lengthi1eee")), "info.files[0].path: missing", "d6:lengthi1ee", nil},
		{info(files("ld6:lengthi1e4:path1:aee")), "info.files[0].path: string instead of list", "1:aee", nil},
		{info(files("ld6:lengthi1e4:pathl1:aeed6:lengthi1e4:pathl1:bi7eeee")), "info.files[1].path[1]: integer instead of string", "i7e", nil},
		{info(files("ld6:lengthi9223372036854775807e4:pathl1:aeed6:lengthi1e4:pathl1:beee")), "info.files[1].length: the sum of the lengths does not fit into 64 bits", "i1e4:pathl1:b", nil},
		{info(files("ld6:lengthi1e4:pathl" + strings.Repeat("1:a", MaxPathDepth+1) + "eee")), "info.files[0].path: 101 elements, more than 100", "l1:a1:a", ErrTooLarge},
		{info("d6:lengthi0e4:name1:n12:piece lengthi0e6:pieces0:e"), "info.piece length: 0 is not from 1 byte to 512 MiB", "i0e6:pieces", nil},
		{info("d6:lengthi1e4:name1:n12:piece lengthi536870913e6:pieces20:" + hash1 + "e"), "info.piece length: 536870913 is not from 1 byte to 512 MiB", "i536870913e", nil},
		{info("d6:lengthi1e4:name1:n12:piece lengthi1e6:pieces19:1234567890123456789e"), "info.pieces: 19 bytes of hashes instead of 20", "19:", nil},
		{info("d6:lengthi1e4:name1:n12:piece lengthi1ee"), "info.pieces: missing", "d6:length", nil},
		{info("d6:lengthi1e4:namei7e12:piece lengthi1e6:pieces20:" + hash1 + "e"), "info.name: integer instead of string", "i7e", nil},
	} {
		_, err := Parse([]byte(c.in))
		checkRefused(t, err, []byte(c.in), place{c.reason, c.at})
		if c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%.80q: error %v is not %v", c.in, err, c.err)
		}
	}
	large := make([]byte, MaxSize+1)
	if _, err := Parse(large); !errors.Is(err, ErrTooLarge) {
		t.Errorf("file over the limit: %v", err)
	}
	if _, err := ParseInfo(large); !errors.Is(err, ErrTooLarge) {
		t.Errorf("info dictionary over the limit: %v", err)
	}
	if _, err := ParseInfo([]byte("le")); err == nil || err.Error() != "torrent refused: info: list instead of dictionary (at byte 0)" {
		t.Errorf("a list for an info dictionary: %v", err)
	}
	if _, err := ParseInfo([]byte("de")); err == nil || !strings.Contains(err.Error(), "info.name: missing") {
		t.Errorf("an empty info dictionary: %v", err)
	}
}

// What is odd inside info and decides nothing loads, with the hash of what was sent.
func TestOddInside(t *testing.T) {
	const tail = "12:piece lengthi16384e6:pieces20:" + hash1
	for _, c := range []struct {
		in       string
		warnings int
	}{
		{"d6:lengthi5e4:name1:n" + tail + "1:zi1e1:zi2ee", 0},
		{"d1:zi1e6:lengthi5e4:name1:n" + tail + "1:zi2e1:ai0ee", 0},
		{"d1:zi007e6:lengthi5e4:name1:n" + tail + "e", 0},
		{"d6:lengthi5e4:name1:n" + tail + "1:zi1.5ee", 0},
		{"d6:lengthi5e4:name1:n" + tail + "1:zi99999999999999999999ee", 0},
		{"d6:lengthi5e4:name1:n4:name1:n" + tail + "e", 0},
		{"d6:lengthi5e12:meta version1:24:name1:n" + tail + "e", 0},
		{"d6:lengthi5e4:name1:n" + tail + "7:private1:1e", 0},
		{"d5:filesld4:pathl1:aeed6:lengthi5e1:qi1e1:qi2e4:pathl1:beee4:name1:n" + tail + "e", 1},
		{"d4:name1:n12:piece lengthi16384e6:pieces0:e", 1},
		{"d6:lengthi5e4:name1:n12:piece lengthi10000e6:pieces20:" + hash1 + "e", 0},
	} {
		i, err := ParseInfo([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if i.Hash != infohash.Of([]byte(c.in)) || len(i.Warnings) != c.warnings {
			t.Errorf("%s: hash %s, warnings %q", c.in, i.Hash, i.Warnings)
		}
		for _, around := range []string{"", " \r\n", "\xef\xbb\xbf", "\n\xef\xbb\xbf\r\n"} {
			tor, err := Parse([]byte(around + "d4:info" + c.in + "e\r\n"))
			if err != nil || tor.InfoHash != i.Hash {
				t.Errorf("%q before %s: %v", around, c.in, err)
			}
		}
	}
	if _, err := Parse([]byte(" \n<html>")); err == nil || err.(*Error).Offset != 2 {
		t.Errorf("where a page begins: %v", err)
	}
}

// The whole file, outside info: all that is given is taken, what is faulty is left out with
// a warning, and nothing of it refuses the torrent.
func TestAround(t *testing.T) {
	const info = "4:infod6:lengthi5e4:name1:n12:piece lengthi16384e6:pieces20:" + hash1 + "e"
	parse := func(before, after string) *Torrent {
		t.Helper()
		tor, err := Parse([]byte("d" + before + info + after + "e"))
		if err != nil {
			t.Fatalf("%s...%s: %v", before, after, err)
		}
		checkTorrent(t, tor)
		return tor
	}

	tor := parse("8:announce11:http://t/a\n"+
		"13:announce-listll2:u15:http:el2:u22:u1elee"+
		"7:comment5:hello10:created by4:prog13:creation datei1700000000e8:encoding5:UTF-8",
		"5:nodesll9:127.0.0.1i6881eel11:2001:db8::1i1eel11:a.exampleX.i2eee8:url-list9:http://w/")
	tor.Info = nil
	tor.InfoHash = Hash{}
	want := &Torrent{
		Announce:     "http://t/a",
		AnnounceList: [][]string{{"u1", "http:"}, {"u2"}},
		Nodes:        []string{"127.0.0.1:6881", "[2001:db8::1]:1", "a.exampleX.:2"},
		URLList:      []string{"http://w/"},
		Comment:      "hello",
		CreatedBy:    "prog",
		CreationDate: time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC),
		Unknown:      []Entry{{"encoding", []byte("5:UTF-8")}},
	}
	if !reflect.DeepEqual(tor, want) {
		t.Errorf("parsed\n%+v, want\n%+v", tor, want)
	}

	for _, c := range []struct {
		before, after string
		get           func(*Torrent) any
		want          any
		warnings      []string
	}{
		{"", "", func(t *Torrent) any { return t.Trackers() }, [][]string(nil), nil},
		{"8:announce1:a", "", func(t *Torrent) any { return t.Trackers() }, [][]string{{"a"}}, nil},
		{"8:announce1:a13:announce-listle", "", func(t *Torrent) any { return t.Trackers() }, [][]string{{"a"}}, nil},
		{"8:announce1:a13:announce-listllelee", "", func(t *Torrent) any { return t.Trackers() }, [][]string{{"a"}}, nil},
		{"8:announce1:a13:announce-listll1:bee", "", func(t *Torrent) any { return t.Trackers() }, [][]string{{"b"}}, nil},
		{"8:announce1:a13:announce-list1:b", "", func(t *Torrent) any { return t.Trackers() }, [][]string{{"a"}, {"b"}}, nil},
		{"8:announce1:a13:announce-listi1e", "", func(t *Torrent) any { return t.Trackers() }, [][]string{{"a"}}, []string{"announce-list is not a list and is ignored"}},
		{"8:announce1:a13:announce-listl1:bl1:cee", "", func(t *Torrent) any { return t.Trackers() }, [][]string{{"a"}, {"b"}, {"c"}}, nil},
		{"8:announce1:b13:announce-listl1:bl1:cee", "", func(t *Torrent) any { return t.Trackers() }, [][]string{{"b"}, {"c"}}, nil},
		{"8:announce1:a13:announce-listli1el1:cee", "", func(t *Torrent) any { return t.Trackers() }, [][]string{{"c"}}, []string{"announce-list has a tier that is not a list and is ignored"}},
		{"8:announcel1:a1:be", "", func(t *Torrent) any { return t.Trackers() }, [][]string{{"a"}}, nil},
		{"8:announce1:a8:announce1:b", "7:comment1:x7:comment1:y", func(t *Torrent) any { return t.Announce + t.Comment }, "ax", []string{`"announce" occurs twice; the first counts`, `"comment" occurs twice; the first counts`}},
		{"1:zi1e1:zi2e", "1:yi1.5e", func(t *Torrent) any { return t.Unknown }, []Entry{{"z", []byte("i1e")}, {"y", []byte("i1.5e")}}, []string{`"z" occurs twice; the first counts`}},
		{"13:creation datei1.5e", "", func(t *Torrent) any { return t.CreationDate.IsZero() }, true, []string{"creation date is not a time and is ignored"}},
		{"13:creation date10:1700000000", "", func(t *Torrent) any { return t.CreationDate.Unix() }, int64(1700000000), nil},
		{"13:creation datei99999999999999999999e", "", func(t *Torrent) any { return t.CreationDate.IsZero() }, true, []string{"creation date is not a time and is ignored"}},
		{"", "5:nodesl8:a.test:7l6:b.test1:8el1:ci9.5eee", func(t *Torrent) any { return t.Nodes }, []string{"a.test:7", "b.test:8"}, []string{`a node that is not a pair of host and port is ignored: "l1:ci9.5ee"`}},
		{"9:httpseeds1:a", "", func(t *Torrent) any { return t.HTTPSeeds }, []string{"a"}, nil},
		{"8:announcei1e", "", func(t *Torrent) any { return t.Announce }, "", []string{"announce is not text and is ignored"}},
		{"8:announce0:", "", func(t *Torrent) any { return t.Announce }, "", nil},
		{"8:announce5:a\x1b[2J", "", func(t *Torrent) any { return t.Announce }, "", []string{`announce is ignored: "a\x1b[2J": not a URL`}},
		{"8:announce8193:" + strings.Repeat("u", 8193), "", func(t *Torrent) any { return t.Announce }, "", []string{`announce is ignored: "` + strings.Repeat("u", 100) + `" and 8093 bytes more: longer than 8192 bytes`}},
		{"7:commenti1e10:created byle13:creation datei-1e", "", func(t *Torrent) any { return t.Comment + t.CreatedBy }, "", []string{"comment is not text and is ignored", "created by is not text and is ignored", "creation date is not a time and is ignored"}},
		{"7:comment3:k\xf6l13:comment.utf-84:k\xc3\xb6l", "", func(t *Torrent) any { return t.Comment }, "köl", nil},
		{"13:creation datei253402300800e", "", func(t *Torrent) any { return t.CreationDate.IsZero() }, true, []string{"creation date is not a time and is ignored"}},
		{"", "5:nodes3:abc", func(t *Torrent) any { return len(t.Nodes) }, 0, []string{"nodes is not a list and is ignored"}},
		{"", "5:nodesl3:abcl1:aeli1ei1eel1:ai0eel1:ai65536eel3:a bi1eel2:::i1eel1:bi9eee", func(t *Torrent) any { return t.Nodes }, []string{"[::]:1", "b:9"}, []string{
			`a node that is not a pair of host and port is ignored: "3:abc"`,
			`a node that is not a pair of host and port is ignored: "l1:ae"`,
			`a node that is not a pair of host and port is ignored: "li1ei1ee"`,
			`a node that is not a pair of host and port is ignored: "l1:ai0ee"`,
			`a node that is not a pair of host and port is ignored: "l1:ai65536ee"`,
			`a node that is not a pair of host and port is ignored: "l3:a bi1ee"`,
		}},
		{"9:httpseedsl1:a0:1:bi1ee", "8:url-list0:", func(t *Torrent) any { return append(t.HTTPSeeds, t.URLList...) }, []string{"a", "b"}, []string{"httpseeds is not text and is ignored"}},
		{"9:httpseedsi1e", "8:url-listd1:a1:be", func(t *Torrent) any { return len(t.HTTPSeeds) + len(t.URLList) }, 0, []string{"httpseeds is not a list and is ignored", "url-list is not a list and is ignored"}},
		{"", "7:privatei1e", func(t *Torrent) any { return t.Info.Private }, false, nil},
		{"", "e\r", func(t *Torrent) any { return t.InfoHash.IsZero() }, false, []string{"2 bytes after the end of the torrent are ignored"}},
	} {
		tor := parse(c.before, c.after)
		if got := c.get(tor); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%.80s...%s: %v, want %v", c.before, c.after, got, c.want)
		}
		if !slices.Equal(tor.Warnings, c.warnings) {
			t.Errorf("%.80s...%s: warnings\n%q, want\n%q", c.before, c.after, tor.Warnings, c.warnings)
		}
	}
}

// Lists are cut at their bounds, and so are the warnings about them.
func TestAroundBounds(t *testing.T) {
	list := func(n int, item func(i int) string) string {
		var b strings.Builder
		b.WriteByte('l')
		for i := range n {
			b.WriteString(item(i))
		}
		b.WriteByte('e')
		return b.String()
	}
	url := func(i int) string { return "8:" + "http://" + string(rune('a'+i%26)) }
	tier := func(i int) string {
		s := "u" + strings.Repeat("x", i)
		return "l" + string(bencode.AppendString(nil, s)) + "e"
	}
	const info = "4:infod6:lengthi0e4:name1:n12:piece lengthi1e6:pieces0:e"
	tor, err := Parse([]byte("d13:announce-list" + list(MaxTrackers+5, tier) + "9:httpseeds" + list(MaxWebSeeds+5, url) + info +
		"5:nodes" + list(MaxNodes+5, func(int) string { return "l1:ai1ee" }) + "e"))
	if err != nil {
		t.Fatal(err)
	}
	if len(tor.AnnounceList) != MaxTrackers || len(tor.HTTPSeeds) != MaxWebSeeds || len(tor.Nodes) != MaxNodes || len(tor.Warnings) != 3 {
		t.Errorf("%d trackers, %d web seeds, %d nodes, warnings %q", len(tor.AnnounceList), len(tor.HTTPSeeds), len(tor.Nodes), tor.Warnings)
	}
	tor, err = Parse([]byte("d" + info + "5:nodes" + list(1000, func(int) string { return "0:" }) + "e"))
	if err != nil {
		t.Fatal(err)
	}
	if len(tor.Warnings) != maxWarnings || tor.Warnings[maxWarnings-1] != "there are more warnings" {
		t.Errorf("%d warnings, the last %q", len(tor.Warnings), tor.Warnings[len(tor.Warnings)-1])
	}
}

func TestInfo(t *testing.T) {
	const tail = "12:piece lengthi16384e6:pieces20:" + hash1 + "e"
	parse := func(in string) *Info {
		t.Helper()
		i, err := ParseInfo([]byte(in))
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		checkFiles(t, i)
		return i
	}
	// One file in a list is still a folder with a file.
	i := parse("d5:filesld4:attr1:x6:lengthi5e4:pathl1:aeee4:name1:n" + tail)
	if !i.MultiFile || !i.Files[0].Executable || !slices.Equal(i.Files[0].Path, []string{"n", "a"}) {
		t.Errorf("%+v", i)
	}
	i = parse("d4:attr1:x6:lengthi5e4:name1:n" + tail)
	if i.MultiFile || !i.Files[0].Executable || !slices.Equal(i.Files[0].Path, []string{"n"}) {
		t.Errorf("%+v", i)
	}
	// The twin in UTF-8 wins, if it is what it says.
	i = parse("d5:filesld6:lengthi5e4:pathl2:a\xffe10:path.utf-8l3:a\xc3\xa9eee4:name2:n\xff10:name.utf-83:n\xc3\xa9" + tail)
	if i.Name != "né" || i.Files[0].Path[1] != "aé" || len(i.Warnings) != 0 {
		t.Errorf("name %q, path %q, warnings %q", i.Name, i.Files[0].Path, i.Warnings)
	}
	i = parse("d5:filesld6:lengthi5e4:pathl1:ae10:path.utf-8l1:\xffeee4:name1:n10:name.utf-81:\xff" + tail)
	if i.Name != "n" || i.Files[0].Path[1] != "a" {
		t.Errorf("name %q, path %q", i.Name, i.Files[0].Path)
	}
	// Private is the integer 1.
	for in, want := range map[string]bool{"i1e": true, "i0e": false, "i2e": false, "1:1": false} {
		if i := parse("d6:lengthi5e4:name1:n" + strings.TrimSuffix(tail, "e") + "7:private" + in + "e"); i.Private != want {
			t.Errorf("private %s: %v", in, i.Private)
		}
	}
	// Pad files are known by their attribute, whatever their names, or by the names that
	// clients give them; several may share one.
	i = parse("d5:filesl" +
		"d6:lengthi1e4:pathl1:aee" +
		"d4:attr1:p6:lengthi2e4:pathl4:.pad1:2ee" +
		"d6:lengthi1e4:pathl24:_____padding_file_0_xxxxee" +
		"d4:attr1:p6:lengthi2e4:pathl4:.pad1:2ee" +
		"d4:attr2:px6:lengthi2ee" +
		"e4:name1:n" + tail)
	var pads []bool
	for _, f := range i.Files {
		pads = append(pads, f.Pad)
	}
	if !slices.Equal(pads, []bool{false, true, true, true, true}) || i.Length != 8 || len(i.Warnings) != 0 {
		t.Errorf("pads %v, length %d, warnings %q", pads, i.Length, i.Warnings)
	}
	if i.Files[2].Path != nil || i.Files[4].RawPath != nil || !slices.Equal(i.Files[3].RawPath, []string{"n", ".pad", "2"}) {
		t.Errorf("raw paths %q and %q", i.Files[3].RawPath, i.Files[4].RawPath)
	}
	// Only empty files: no pieces.
	i = parse("d5:filesld6:lengthi0e4:pathl1:aeed6:lengthi0e4:pathl1:beee4:name1:n12:piece lengthi16384e6:pieces0:e")
	if i.NumPieces() != 0 || i.Geometry() != (Geometry{0, 16384, 0}) {
		t.Errorf("geometry %+v", i.Geometry())
	}
	// Symbolic links are not made (BEP 47).
	i = parse("d5:filesld4:attr1:l6:lengthi0e4:pathl1:aeed6:lengthi5e4:pathl1:beee4:name1:n" + tail)
	if len(i.Warnings) != 1 || i.Warnings[0] != "1 symbolic links are saved as plain files" {
		t.Errorf("warnings %q", i.Warnings)
	}
	// Hybrids whose halves disagree in number or order.
	for _, tree := range []string{"d1:ad0:d6:lengthi5eeee", "d1:ad0:d6:lengthi2eee1:bd0:d6:lengthi3eeee", "d1:ad0:d6:lengthi3eee1:bd0:d6:lengthi2eee1:cd0:d6:lengthi0eeee", "de", "i1e", "d1:ai1ee", "d1:ad0:deee"} {
		_, err := ParseInfo([]byte("d9:file tree" + tree + "5:filesld6:lengthi3e4:pathl1:aeed6:lengthi2e4:pathl1:beee12:meta versioni2e4:name1:n" + tail))
		var e *Error
		if !errors.As(err, &e) || e.Field != "info.file tree" {
			t.Errorf("tree %s: %v", tree, err)
		}
	}
}
