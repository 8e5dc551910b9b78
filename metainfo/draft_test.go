package metainfo

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/bencode"
)

// hashes stands for what reading the files gives: the hash of each piece of a content of
// zeros.
func hashes(g Geometry) []byte {
	var out []byte
	for p := range g.Pieces {
		h := sha1.Sum(make([]byte, g.PieceSize(p)))
		out = append(out, h[:]...)
	}
	return out
}

func TestDraft(t *testing.T) {
	files := []NewFile{
		{[]string{"b.txt"}, 5},
		{[]string{"a", "z"}, 40_000},
		{[]string{"a!"}, 0},
		{[]string{"a", "b", "c"}, 1},
		{[]string{"Z"}, 7},
	}
	var first []byte
	for range len(files) {
		// Found in any order, they make the same torrent.
		files = append(files[1:], files[0])
		d, err := NewDraft("name", files, 16384)
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, f := range d.Files() {
			order = append(order, strings.Join(f.Path, "/"))
		}
		// By elements: all of a folder stays together, although "!" sorts before "/".
		if want := []string{"Z", "a/b/c", "a/z", "a!", "b.txt"}; !slices.Equal(order, want) {
			t.Fatalf("order %q, want %q", order, want)
		}
		if want := (Geometry{40_013, 16384, 3}); d.Geometry() != want {
			t.Fatalf("geometry %+v, want %+v", d.Geometry(), want)
		}
		info, err := d.Info(hashes(d.Geometry()))
		if err != nil {
			t.Fatal(err)
		}
		checkFiles(t, info)
		if info.Private || !info.MultiFile || info.Name != "name" || info.Geometry() != d.Geometry() || len(info.Warnings) != 0 {
			t.Errorf("%+v", info)
		}
		if first == nil {
			first = info.Raw
		} else if !bytes.Equal(info.Raw, first) {
			t.Errorf("another order gives another torrent:\n%q\n%q", info.Raw, first)
		}
	}
	const want = "d5:filesl" +
		"d6:lengthi7e4:pathl1:Zee" +
		"d6:lengthi1e4:pathl1:a1:b1:cee" +
		"d6:lengthi40000e4:pathl1:a1:zee" +
		"d6:lengthi0e4:pathl2:a!ee" +
		"d6:lengthi5e4:pathl5:b.txteee" +
		"4:name4:name12:piece lengthi16384e6:pieces60:"
	if !strings.HasPrefix(string(first), want) {
		t.Errorf("%q\nwant %q", first, want)
	}
}

func TestDraftSingle(t *testing.T) {
	d, err := NewDraft("one.bin", []NewFile{{nil, 20_000}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.Private = true
	info, err := d.Info(hashes(d.Geometry()))
	if err != nil {
		t.Fatal(err)
	}
	if !info.Private || info.MultiFile || info.NumPieces() != 2 || !slices.Equal(info.Files[0].Path, []string{"one.bin"}) {
		t.Errorf("%+v", info)
	}
	if info.PieceHash(1) != sha1.Sum(make([]byte, 20_000-16384)) {
		t.Errorf("hash of piece 1 is %x", info.PieceHash(1))
	}

	// Nothing but empty files is a torrent as well.
	d, err = NewDraft("none", []NewFile{{[]string{"a"}, 0}, {[]string{"b"}, 0}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if info, err = d.Info(nil); err != nil || info.NumPieces() != 0 || len(info.Files) != 2 {
		t.Errorf("%+v, %v", info, err)
	}

	// Awkward names go in as they are, and stay so where the file system takes them.
	d, err = NewDraft("what?", []NewFile{{[]string{"a:b"}, 0}, {[]string{"ok"}, 0}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if info, err = d.Info(nil); err != nil || info.RawName != "what?" || info.SafeName != "what_" || len(info.Warnings) != 0 ||
		!slices.Equal(info.Files[0].SafePath, []string{"what_", "a_b"}) {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestDraftRefuses(t *testing.T) {
	file := func(length int64, path ...string) NewFile { return NewFile{path, length} }
	for _, c := range []struct {
		name        string
		files       []NewFile
		pieceLength int64
		want        string
	}{
		{"", []NewFile{file(1)}, 0, `name "": not the name of a file or folder`},
		{"..", []NewFile{file(1)}, 0, `name "..": not the name of a file or folder`},
		{"a/b", []NewFile{file(1)}, 0, `name "a/b": the name contains a slash or NUL`},
		{"a\xff", []NewFile{file(1)}, 0, `name "a\xff": the name is not UTF-8, as names in torrents must be`},
		{"n", nil, 0, "no files"},
		{"n", []NewFile{file(1), file(1, "a")}, 0, `"": a file without a path, beside other files`},
		{"n", []NewFile{file(1, "a", "")}, 0, `"a/": not the name of a file or folder`},
		{"n", []NewFile{file(-1, "a")}, 0, `"a": negative length`},
		{"n", []NewFile{file(1, "a"), file(2, "b"), file(3, "a")}, 0, `"a": it occurs twice, or it is a folder and a file`},
		{"n", []NewFile{file(1, "a", "b"), file(2, "a!"), file(3, "a")}, 0, `"a": it occurs twice, or it is a folder and a file`},
		{"n", []NewFile{file(math.MaxInt64, "a"), file(1, "b")}, 0, "the sum of the lengths does not fit into 64 bits"},
		{"n", []NewFile{file(1, slices.Repeat([]string{"d"}, 101)...)}, 0, `"` + strings.Repeat("d/", 50) + `" and 101 bytes more: 101 folders deep, more than 100: too large`},
		{"n", make([]NewFile, MaxFiles+1), 0, "1000001 files, more than 1000000: too large"},
		{"n", []NewFile{file(1)}, 8192, "piece length 8192: want a power of two from 16 KiB to 512 MiB"},
		{"n", []NewFile{file(1)}, 20000, "piece length 20000: want a power of two from 16 KiB to 512 MiB"},
		{"n", []NewFile{file(1)}, 1 << 30, "piece length 1073741824: want a power of two from 16 KiB to 512 MiB"},
		{"n", []NewFile{file(1)}, -16384, "piece length -16384: want a power of two from 16 KiB to 512 MiB"},
		{"n", []NewFile{file(1 << 40)}, 16384, "piece length 16384: 1099511627776 bytes would make more than 2097152 pieces: too large"},
	} {
		_, err := NewDraft(c.name, c.files, c.pieceLength)
		if err == nil || err.Error() != "create torrent: "+c.want {
			t.Errorf("got %v\nwant create torrent: %s", err, c.want)
		}
	}
	d, err := NewDraft("n", []NewFile{file(1)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 19, 21, 40} {
		if _, err := d.Info(make([]byte, n)); err == nil {
			t.Errorf("%d bytes of hashes for one piece", n)
		}
	}
	// More names than a torrent file has room for.
	var big []NewFile
	folder := strings.Repeat("x", 1<<20)
	for i := range 65 {
		big = append(big, file(0, folder, string(rune('a'+i))))
	}
	if d, err = NewDraft("n", big, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Info(nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a torrent over the limit: %v", err)
	}
}

func TestRecommendedPieceLength(t *testing.T) {
	for _, c := range []struct{ total, want int64 }{
		{0, 16 << 10},
		{32 << 20, 16 << 10},
		{32<<20 + 1, 32 << 10},
		{1 << 30, 512 << 10},
		{32 << 30, 16 << 20},
		{1 << 40, 16 << 20},
		{1<<40 + 1, 32 << 20},
		{1 << 45, 512 << 20},
		{math.MaxInt64, 512 << 20},
	} {
		if got := RecommendedPieceLength(c.total); got != c.want {
			t.Errorf("%d bytes: %d, want %d", c.total, got, c.want)
		}
	}
}

func testInfo(t testing.TB) *Info {
	t.Helper()
	info, err := ParseInfo([]byte("d6:lengthi5e4:name1:n12:piece lengthi16384e6:pieces20:" + hash1 + "e"))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestEncode(t *testing.T) {
	info := testInfo(t)
	for _, c := range []struct {
		t    Torrent
		want string // INFO stands for the info dictionary
	}{
		{Torrent{}, "d4:infoINFOe"},
		{Torrent{Announce: "a"}, "d8:announce1:a4:infoINFOe"},
		{Torrent{AnnounceList: [][]string{{"a"}}}, "d8:announce1:a4:infoINFOe"},
		{Torrent{Announce: "a", AnnounceList: [][]string{{"b"}}}, "d8:announce1:a13:announce-listll1:bee4:infoINFOe"},
		{Torrent{AnnounceList: [][]string{{"a", "b"}, {"c"}}}, "d8:announce1:a13:announce-listll1:a1:bel1:cee4:infoINFOe"},
		{Torrent{Nodes: []string{"h:1", "[::1]:2"}}, "d4:infoINFO5:nodesll1:hi1eel3:::1i2eeee"},
		{Torrent{
			Comment: "c", CreatedBy: "p", CreationDate: time.Unix(7, 0), HTTPSeeds: []string{"h"}, URLList: []string{"u"},
			Unknown: []Entry{{"z", []byte("i01e")}, {"azureus", []byte("de")}, {"comment", []byte("i1e")}},
		}, "d7:azureusde7:comment1:c10:created by1:p13:creation datei7e9:httpseedsl1:he4:infoINFO8:url-listl1:ue1:zi01ee"},
	} {
		c.t.Info = info
		got, err := c.t.Encode()
		if want := strings.Replace(c.want, "INFO", string(info.Raw), 1); string(got) != want || err != nil {
			t.Errorf("%q, %v\nwant %q", got, err, want)
		}
		back, err := Parse(got)
		if err != nil || len(back.Warnings) != 0 || back.InfoHash != info.Hash || !reflect.DeepEqual(back.Nodes, c.t.Nodes) {
			t.Errorf("loaded again: %+v, %v", back, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	var big []Entry
	raw := bencode.AppendString(nil, strings.Repeat("x", 1<<20))
	for i := range 65 {
		big = append(big, Entry{string(rune('A' + i)), raw})
	}
	tooMany := slices.Repeat([]string{"x:1"}, MaxNodes+1)
	for _, c := range []struct {
		t    Torrent
		want string
	}{
		{Torrent{Announce: "a\nb"}, `URL "a\nb": not a URL`},
		{Torrent{Announce: " a"}, `URL " a": not a URL`},
		{Torrent{URLList: []string{""}}, `URL "": not a URL`},
		{Torrent{HTTPSeeds: []string{"\xff"}}, `URL "\xff": not a URL`},
		{Torrent{AnnounceList: [][]string{{"a"}, {}}}, "a tier without trackers"},
		{Torrent{AnnounceList: [][]string{slices.Repeat([]string{"a"}, MaxTrackers+1)}}, "1001 trackers, more than 1000: too large"},
		{Torrent{Nodes: tooMany}, "201 nodes, more than 200: too large"},
		{Torrent{Nodes: []string{"host"}}, `node "host": want host:port`},
		{Torrent{Nodes: []string{"host:0"}}, `node "host:0": want a port from 1 to 65535`},
		{Torrent{Nodes: []string{"host:65536"}}, `node "host:65536": want a port from 1 to 65535`},
		{Torrent{Nodes: []string{"host:+1"}}, `node "host:+1": want a port from 1 to 65535`},
		{Torrent{Nodes: []string{":1"}}, `node ":1": not a host name or address`},
		{Torrent{Nodes: []string{"::1:1"}}, `node "::1:1": want [IPv6]:port`},
		{Torrent{Nodes: []string{"[1.2.3.4]:1"}}, `node "[1.2.3.4]:1": not a host name or address`},
		{Torrent{Nodes: []string{"[::1:1"}}, `node "[::1:1": not a host name or address`},
		{Torrent{Nodes: []string{"[::x]:1"}}, `node "[::x]:1": not a host name or address`},
		{Torrent{Nodes: []string{"http://h:1"}}, `node "http://h:1": want [IPv6]:port`},
		{Torrent{CreationDate: time.Unix(-1, 0)}, "creation date 1969-12-31 23:59:59 +0000 UTC is not from 1970 to 9999"},
		{Torrent{Unknown: []Entry{{"k", []byte("i1")}}}, `"k": bencode: input ends inside a value at byte 2`},
		{Torrent{Unknown: []Entry{{"k", []byte("le")}, {"k", []byte("le")}}}, `"k" occurs twice`},
		{Torrent{Unknown: big}, "68158240 bytes, more than 64 MiB: too large"},
	} {
		c.t.Info = testInfo(t)
		c.t.CreationDate = c.t.CreationDate.UTC()
		if b, err := c.t.Encode(); err == nil || err.Error() != "encode torrent: "+c.want {
			t.Errorf("%.200q, %v\nwant encode torrent: %s", b, err, c.want)
		}
	}
	if _, err := (&Torrent{}).Encode(); err == nil {
		t.Error("a torrent without an info dictionary")
	}
}

// Every torrent of the vectors comes out as it went in, apart from what was odd about it.
func TestEncodeVectors(t *testing.T) {
	for _, v := range loadVectors[torrentVector](t, "torrents.json") {
		if v.V1 == nil {
			continue
		}
		tor, err := Parse(v.Torrent)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tor.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, v.Torrent) {
			t.Errorf("%s:\n%q\nwas %q", v.ID, got, v.Torrent)
		}
	}
}

// Source and entropy are part of what the info-hash covers, in the order of the keys.
func TestDraftSourceAndEntropy(t *testing.T) {
	seen := map[string]string{}
	for name, set := range map[string]func(*Draft){
		"plain":   func(*Draft) {},
		"source":  func(d *Draft) { d.Source = "TRACKER" },
		"entropy": func(d *Draft) { d.Entropy = "00ff" },
		"all":     func(d *Draft) { d.Source, d.Entropy, d.Private = "TRACKER", "00ff", true },
	} {
		for _, files := range [][]NewFile{{{nil, 5}}, {{[]string{"a"}, 5}}} {
			d, err := NewDraft("name", files, 0)
			if err != nil {
				t.Fatal(err)
			}
			set(d)
			info, err := d.Info(hashes(d.Geometry()))
			if err != nil {
				t.Fatal(err)
			}
			if len(info.Warnings) > 0 || info.Source() != d.Source {
				t.Errorf("%s: warnings %q, source %q", name, info.Warnings, info.Source())
			}
			if other := seen[info.Hash.String()]; other != "" {
				t.Errorf("%s and %s have one info-hash", name, other)
			}
			seen[info.Hash.String()] = name
			if name == "all" && (!bytes.Contains(info.Raw, []byte("7:entropy4:00ff")) || !bytes.Contains(info.Raw, []byte("6:source7:TRACKER"))) {
				t.Errorf("%s: %q", name, info.Raw)
			}
		}
	}
}

// Names that are not UTF-8 stay as they are when the caller wants it.
func TestRawDraft(t *testing.T) {
	files := []NewFile{{[]string{"caf\xe9"}, 5}}
	if _, err := NewDraft("name", files, 0); err == nil {
		t.Error("a name that is not UTF-8 was taken")
	}
	d, err := NewRawDraft("na\xefve", files, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := d.Info(hashes(d.Geometry()))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Files[0].RawPath; !slices.Equal(got, []string{"na\xefve", "caf\xe9"}) {
		t.Errorf("path %q", got)
	}
}
