package webseed

import (
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"testing"

	"shoal/internal/testkit"
	"shoal/metainfo"
)

// BEP 19: what is added to the URL, and how odd names are written. Singly or in a folder is
// decided by whether the torrent has a list of files, not by how many.
func TestFile(t *testing.T) {
	single := &metainfo.Info{RawName: "a b", Files: []metainfo.File{{RawPath: []string{"a b"}}}}
	multi := &metainfo.Info{RawName: "n", MultiFile: true, Files: []metainfo.File{
		{RawPath: []string{"n", "d", "100% + ü.txt"}},
		{RawPath: []string{"n", "..", "x"}},
		{RawPath: []string{"n", "a/b"}},
		{RawPath: []string{"n", "\x00?#&=:@;,!$'()*[]~-._"}},
		{RawPath: []string{"n", ""}},
	}}
	for _, c := range []struct {
		base string
		info *metainfo.Info
		file int
		want string // "-" for none
	}{
		{"http://h/f.bin", single, 0, "/f.bin"},
		{"http://h/d/", single, 0, "/d/a%20b"},
		{"http://h", single, 0, "/a%20b"},
		{"http://h/get?f=1", single, 0, "/get?f=1"},
		{"http://h/f%20g h%zz+\x01ü", single, 0, "/f%20g%20h%25zz+%01%C3%BC"},
		{"http://h/f#part", single, 0, "/f"},
		{"http://h/pub/", multi, 0, "/pub/n/d/100%25%20%2B%20%C3%BC.txt"},
		{"http://h/pub", multi, 0, "/pub/n/d/100%25%20%2B%20%C3%BC.txt"},
		{"http://h", multi, 0, "/n/d/100%25%20%2B%20%C3%BC.txt"},
		{"http://h/get?p=", multi, 2, "/get?p=/n/a%2Fb"},
		{"http://h/", multi, 1, "-"},
		{"http://h/", multi, 3, "/n/%00%3F%23%26%3D%3A%40%3B%2C%21%24%27%28%29%2A%5B%5D~-._"},
		{"http://h/", multi, 4, "-"},
	} {
		base, err := parse(c.base)
		if err != nil {
			t.Errorf("%s: %v", c.base, err)
			continue
		}
		got, ok := base.file(c.info, c.file)
		if !ok {
			got.path = "-"
		}
		if got.path != c.want {
			t.Errorf("%s, file %d: %s, want %s", c.base, c.file, got.path, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	for raw, want := range map[string]error{
		"http://h/": nil, "HTTPS://h:8443/x?y": nil, "http://[::1]:80/": nil, "http://user:pass@h/": nil,
		"ftp://h/": ErrScheme, "h/f": ErrScheme, "": ErrScheme, "file:///etc/passwd": ErrScheme,
		"http://": ErrURL, "http:///x": ErrURL, "http://h:0/": ErrURL, "http://h:65536/": ErrURL, "http://b\u00fccher/": ErrURL,
		"http://h\r\nX: y/": ErrURL, "http://h h/": ErrURL, "http://" + strings.Repeat("a", 254) + "/": ErrURL,
		"http://h/" + strings.Repeat("a", MaxURL): ErrURL,
	} {
		if _, err := Check(raw); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", raw, err, want)
		}
	}
}

func TestRedirect(t *testing.T) {
	for _, c := range []struct{ from, location, want, user string }{
		{"http://u:p@h/a/b", "c", "http://h/a/c", "dTpw"},
		{"http://u:p@h/a/b", "/c d", "http://h/c%20d", "dTpw"},
		{"http://u:p@h/a/b", "http://H:80/c", "http://h/c", "dTpw"},
		{"http://u:p@h/a/b", "http://o/c", "http://o/c", ""},
		{"http://u:p@h/a/b", "https://h/c", "https://h/c", ""},
		{"http://h/a", "http://x:y@o/c", "http://o/c", ""},
		{"http://h/a", "//o/c", "http://o/c", ""},
		{"https://u:p@h/a", "http://h/a", "http://h/a", ""},
		{"http://h/a", "ftp://h/a", "", ""},
		{"http://h/a", "http://h/" + strings.Repeat("a", MaxURL), "", ""},
	} {
		from, err := parse(c.from)
		if err != nil {
			t.Fatal(err)
		}
		to, err := from.redirect(c.location)
		got := ""
		if err == nil {
			got = "http://" + strings.ToLower(strings.TrimSuffix(to.authority, ":80")) + to.path
			if to.secure {
				got = "https" + got[4:]
			}
		}
		if got != c.want || to.user != c.user {
			t.Errorf("%s to %s: %q with %q, want %q with %q (%v)", c.from, c.location, got, to.user, c.want, c.user, err)
		}
	}
}

// The bytes of info-hashes in a query, as others write them.
func TestEscapeVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			ID      string
			Hash    string `json:"info_hash_hex"`
			Encoded string
		}
	}
	testkit.Vectors(t, "url-encoding.json", &file)
	n := 0
	for _, v := range file.Vectors {
		b, err := hex.DecodeString(v.Hash)
		if err != nil || len(b) != 20 || v.Encoded == "" {
			continue
		}
		n++
		base, _ := parse("http://h/s")
		got := base.blocks([20]byte(b), 3, 100, 50, false).path
		if want := "/s?info_hash=" + v.Encoded + "&piece=3&ranges=100-149"; got != want {
			t.Errorf("%s: %s, want %s", v.ID, got, want)
		}
	}
	if n < 3 {
		t.Errorf("%d vectors", n)
	}
	base, _ := parse("http://h/s?a=b")
	if got := base.blocks([20]byte{}, 3, 0, 50, true).path; !strings.HasPrefix(got, "/s?a=b&info_hash=%00") || !strings.HasSuffix(got, "&piece=3") {
		t.Error(got)
	}
}

// Whatever is in a URL or a name: a request line has no blank and no control in its path,
// and what is read back from an escaped name is the name.
func FuzzURL(f *testing.F) {
	f.Add("http://h/d/", "a b", "/x")
	f.Add("https://u:p@h:1/%", "..", "https://o/\r\n")
	f.Add("http://[::1%25lo]/", "\xff", "//x")
	f.Fuzz(func(t *testing.T, raw, name, location string) {
		base, err := parse(raw)
		if err != nil {
			return
		}
		look := func(x target) {
			for i := range len(x.path) {
				if x.path[i] <= ' ' || x.path[i] >= 0x7f {
					t.Fatalf("%q in a path", x.path)
				}
			}
			if strings.ContainsAny(x.authority+x.user, " \r\n\t\x00") || x.path[0] != '/' || x.port == 0 {
				t.Fatalf("%+v", x)
			}
		}
		look(base)
		info := &metainfo.Info{MultiFile: true, Files: []metainfo.File{{RawPath: []string{name}}}}
		if x, ok := base.file(info, 0); ok {
			look(x)
			if got, err := url.PathUnescape(x.path[strings.LastIndexByte(x.path, '/')+1:]); err != nil || got != name {
				t.Fatalf("%q is read as %q: %v", name, got, err)
			}
		}
		if x, err := base.redirect(location); err == nil {
			look(x)
			if base.secure && !x.secure || x.user != "" && !x.sameOrigin(base) {
				t.Fatalf("%+v leads to %+v", base, x)
			}
		}
	})
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-99/200")
	f.Add("bytes */200")
	f.Fuzz(func(t *testing.T, text string) {
		first, last, total, ok := contentRange(text)
		if ok && (first < 0 || last < first || total < -1) {
			t.Fatalf("%q: %d to %d of %d", text, first, last, total)
		}
	})
}
