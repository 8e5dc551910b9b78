// Package unwrap recognises a file that a user named as a torrent, and removes what is around
// the torrent: compression, an archive with one torrent in it, a byte order mark, blanks.
// Other packages judge the contents.
//
// Everything is bounded: how much is inflated, how often, and how many files of an archive
// are looked at (decision 0178).
package unwrap

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"
)

const (
	maxLayers   = 3    // nested compressions
	maxArchived = 1000 // files of an archive that we look at
	maxListed   = 10 * maxArchived
	maxText     = 1 << 20
)

// Content is what a file holds. Torrent or Text is set, or What says what it is instead.
type Content struct {
	Torrent []byte // begins as a torrent file does
	Text    string // text that may hold links
	What    string // such as "a web page"; empty for a torrent
	Hint    string // what to do about it; may be empty
}

// ErrTooLarge is returned when the contents inflate to more than the caller accepts.
var ErrTooLarge = errors.New("too large")

// Read unwraps the bytes of a file, to at most most bytes.
func Read(b []byte, most int64) (Content, error) { return read(b, most, maxLayers) }

func read(b []byte, most int64, layers int) (Content, error) {
	if torrent := trim(b); begins(torrent) {
		return Content{Torrent: torrent}, nil
	}
	if layers > 0 {
		var z io.Reader
		var err error
		switch {
		case bytes.HasPrefix(b, []byte("\x1f\x8b")):
			z, err = gzip.NewReader(bytes.NewReader(b))
		case len(b) > 2 && b[0]&0x0f == 8 && b[0]>>4 <= 7 && (uint(b[0])<<8|uint(b[1]))%31 == 0:
			z, err = zlib.NewReader(bytes.NewReader(b))
		case bytes.HasPrefix(b, []byte("PK\x03\x04")):
			return archive(b, most, layers)
		}
		if z != nil && err == nil {
			// The data before a damaged end may be whole all the same.
			plain, err := io.ReadAll(io.LimitReader(z, most+1))
			if int64(len(plain)) > most {
				return Content{}, fmt.Errorf("%w: it inflates to over %d bytes", ErrTooLarge, most)
			}
			if len(plain) > 0 || err == nil {
				return read(plain, most, layers-1)
			}
		}
	}
	return other(b), nil
}

// archive returns the one torrent in a zip file.
func archive(b []byte, most int64, layers int) (Content, error) {
	const what = "a zip archive"
	// archive/zip keeps some hundred bytes for each file that the list at the end names with
	// 47, and the whole archive may come out of a gzip file of a few kilobytes.
	if bytes.Count(b, []byte("PK\x01\x02")) > maxListed {
		return Content{What: what + " of too many files", Hint: unpack}, nil
	}
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return Content{What: "a damaged zip archive"}, nil
	}
	var found []*zip.File
	for _, f := range r.File[:min(len(r.File), maxArchived)] {
		if strings.EqualFold(path.Ext(f.Name), ".torrent") && !strings.HasPrefix(f.Name, "__MACOSX/") {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 0:
		return Content{What: what + " without a .torrent file in it"}, nil
	case 1:
	default:
		return Content{What: fmt.Sprintf("%s with %d .torrent files in it", what, len(found)), Hint: "unpack it, and name one of them or their folder"}, nil
	}
	f, err := found[0].Open()
	if err != nil {
		return Content{What: what + " that cannot be unpacked here", Hint: "unpack it, and name the .torrent file in it"}, nil
	}
	defer f.Close()
	plain, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case int64(len(plain)) > most:
		return Content{}, fmt.Errorf("%w: the torrent in it is over %d bytes", ErrTooLarge, most)
	case err != nil:
		return Content{What: "a damaged zip archive"}, nil
	}
	return read(plain, most, layers-1)
}

// trim removes leading blanks and byte order marks.
func trim(b []byte) []byte {
	for {
		short := bytes.TrimPrefix(bytes.TrimLeft(b, " \t\r\n\f\v\x00"), []byte("\xef\xbb\xbf"))
		if len(short) == len(b) {
			return b
		}
		b = short
	}
}

// begins reports whether b begins like a dictionary.
func begins(b []byte) bool {
	return len(b) >= 2 && b[0] == 'd' && (b[1] >= '0' && b[1] <= '9' || b[1] == 'e')
}

const unpack = "unpack it, and name the .torrent file in it"

// magics are the first bytes of files that people have instead of a torrent.
var magics = []struct{ begin, what, hint string }{
	{"PK\x03\x04", "a zip archive", unpack},
	{"PK\x05\x06", "an empty zip archive", ""},
	{"Rar!", "a RAR archive", unpack},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive", unpack},
	{"\x1f\x8b", "a damaged gzip file", ""},
	{"BZh", "a bzip2 file", unpack},
	{"\xfd7zXZ", "an xz file", unpack},
	{"\x28\xb5\x2f\xfd", "a zstd file", unpack},
	{"%PDF", "a PDF document", ""},
	{"\x89PNG", "a picture (PNG)", ""},
	{"\xff\xd8\xff", "a picture (JPEG)", ""},
	{"GIF8", "a picture (GIF)", ""},
	{"\x1aE\xdf\xa3", "a video (Matroska or WebM)", ""},
	{"RIFF", "a sound, picture or video file (RIFF)", ""},
	{"OggS", "a sound or video file (Ogg)", ""},
	{"fLaC", "a sound file (FLAC)", ""},
	{"ID3", "a sound file (MP3)", ""},
	{"\x7fELF", "a program", ""},
	{"MZ", "a Windows program", ""},
	{"SQLite format 3", "a database", ""},
}

// other says what a file is that is not a torrent.
func other(b []byte) Content {
	text := trim(b)
	if len(text) == 0 {
		return Content{What: "an empty file", Hint: "get it again from where it came from"}
	}
	for _, m := range magics {
		if bytes.HasPrefix(b, []byte(m.begin)) {
			return Content{What: m.what, Hint: m.hint}
		}
	}
	if len(b) > 12 && string(b[4:8]) == "ftyp" {
		return Content{What: "a video (MP4)"}
	}
	if !isText(text) {
		return Content{What: "a file of another kind"}
	}
	c := markup(string(text[:min(len(text), maxText)]))
	c.Text = string(text[:min(len(text), maxText)])
	return c
}

// markup distinguishes kinds of text.
func markup(text string) Content {
	head := strings.ToLower(text[:min(len(text), 4096)])
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(head, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("<!doctype nzb", "<nzb"):
		return Content{What: "an NZB file, which is for Usenet", Hint: "look for a .torrent file or a magnet link of the same"}
	case has("<metalink"):
		return Content{What: "a Metalink file"}
	case has("<rss", "<feed"):
		return Content{What: "a feed", Hint: "name one of the links in it"}
	case has("<!doctype html", "<html", "<head", "<body", "<title", "<script", "<meta "):
		return Content{What: "a web page", Hint: "log in there? Get the .torrent file with a browser, and name its path"}
	case strings.HasPrefix(head, "<"):
		return Content{What: "XML"}
	case strings.HasPrefix(head, "{"), strings.HasPrefix(head, "["):
		return Content{What: "JSON"}
	}
	return Content{What: "a text"}
}

// isText reports whether the beginning of b is text in UTF-8 or a similar character set.
func isText(b []byte) bool {
	b = b[:min(len(b), 1024)]
	odd := 0
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' && c != '\f' && c != 0x1b {
			return false
		}
		if c >= 0x80 {
			odd++
		}
	}
	return odd < len(b)/2 || utf8.Valid(b)
}
