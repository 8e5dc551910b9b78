package unwrap

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"strconv"
	"strings"
	"testing"
)

const torrent = "d8:announce9:http://a/4:infod6:lengthi0eee"

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func deflated(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func archived(names ...string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		w, _ := z.Create(name)
		w.Write([]byte(torrent))
	}
	z.Close()
	return b.String()
}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct{ in, what string }{
		"plain":                {torrent, ""},
		"a byte order mark":    {"\xef\xbb\xbf" + torrent, ""},
		"blanks":               {"\r\n \t" + torrent, ""},
		"both":                 {"\n\xef\xbb\xbf\n" + torrent, ""},
		"gzip":                 {zipped(torrent), ""},
		"gzip twice":           {zipped(zipped(torrent)), ""},
		"gzip without its end": {zipped(torrent)[:len(zipped(torrent))-8], ""},
		"gzip and more":        {zipped(torrent) + "more", ""},
		"zlib":                 {deflated(torrent), ""},
		"zlib in gzip":         {zipped(deflated(torrent)), ""},
		"gzip too often":       {zipped(zipped(zipped(zipped(torrent)))), "a damaged gzip file"},
		"a zip":                {archived("a/b.TORRENT"), ""},
		"a zip with notes":     {archived("read.me", "b.torrent", "__MACOSX/b.torrent"), ""},
		"a zip of two":         {archived("a.torrent", "b.torrent"), "a zip archive with 2 .torrent files in it"},
		"a zip of others":      {archived("a.txt"), "a zip archive without a .torrent file in it"},
		"half a zip":           {archived("a.torrent")[:60], "a damaged zip archive"},
		"half a gzip":          {"\x1f\x8b\x08", "a damaged gzip file"},
		"nothing":              {"", "an empty file"},
		"blanks alone":         {" \r\n\x00", "an empty file"},
		"a page":               {"<!DOCTYPE html><html><title>Sign in", "a web page"},
		"a page behind a mark": {"\xef\xbb\xbf\n<!-- x --><HTML>", "a web page"},
		"a page in XHTML":      {"<?xml version='1.0'?><!DOCTYPE html>", "a web page"},
		"an NZB":               {"<?xml version='1.0'?><!DOCTYPE nzb PUBLIC>", "an NZB file, which is for Usenet"},
		"a feed":               {"<?xml version='1.0'?><rss>", "a feed"},
		"XML":                  {"<?xml version='1.0'?><a/>", "XML"},
		"JSON":                 {` {"error": "login"}`, "JSON"},
		"a RAR":                {"Rar!\x1a\x07\x00", "a RAR archive"},
		"a 7z":                 {"7z\xbc\xaf\x27\x1c", "a 7z archive"},
		"a PDF":                {"%PDF-1.7", "a PDF document"},
		"a video":              {"\x00\x00\x00\x20ftypisom\x00\x00", "a video (MP4)"},
		"words":                {"Hello.\n", "a text"},
		"a link":               {"magnet:?xt=urn:btih:00", "a text"},
		"Latin 1":              {"Gr\xfc\xdfe aus K\xf6ln", "a text"},
		"bytes":                {"\x01\x02\x03", "a file of another kind"},
	} {
		got, err := Read([]byte(c.in), 1<<20)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.What != c.what || c.what == "" && string(got.Torrent) != torrent {
			t.Errorf("%s: %q, torrent %q", name, got.What, got.Torrent)
		}
		if text := got.Text != ""; text != (c.what == "a text" || strings.Contains("a web page JSON XML a feed an NZB file, which is for Usenet", c.what) && c.what != "") {
			t.Errorf("%s: text %q", name, got.Text)
		}
	}
}

func TestBombs(t *testing.T) {
	bomb := strings.Repeat("x", 1<<21)
	for name, in := range map[string]string{"gzip": zipped(bomb), "zlib": deflated(bomb), "twice": zipped(zipped(bomb))} {
		if c, err := Read([]byte(in), 1<<20); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, %v", name, c.What, err)
		}
	}
}

// Whatever a file holds, it is one thing, and what comes out has its bound.
func FuzzRead(f *testing.F) {
	for _, s := range []string{torrent, zipped(torrent), deflated(torrent), archived("a.torrent"), "<html>", "{}", "Rar!"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Read(b, 4096)
		if err == nil && (c.What == "") != (c.Torrent != nil) {
			t.Fatalf("%+v", c)
		}
		if len(c.Torrent) > max(4096, len(b)) || len(c.Text) > maxText {
			t.Fatalf("%d and %d bytes", len(c.Torrent), len(c.Text))
		}
	})
}

// An archive that lists very many files is not opened: the list takes many times its size in
// memory.
func TestArchiveOfManyFiles(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range maxListed + 1 {
		if _, err := z.Create(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := Read(b.Bytes(), 64<<20); err != nil || c.What != "a zip archive of too many files" {
		t.Errorf("%q, %v", c.What, err)
	}
}
