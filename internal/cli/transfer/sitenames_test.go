package transfer

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

// Under which names a request is answered: those that no stranger can make lead to us.
func TestSiteNames(t *testing.T) {
	for _, c := range []struct {
		addr, names, host string
		minor             int // of HTTP/1
		ours              bool
	}{
		{"127.0.0.1:8080", "", "127.0.0.1:8080", 1, true},
		{"127.0.0.1:8080", "", "localhost:8080", 1, true},
		{"127.0.0.1:8080", "", "LOCALHOST.:8080", 1, true},
		{"127.0.0.1:8080", "", "127.0.0.1", 1, false},
		{"127.0.0.1:8080", "", "127.0.0.1:80", 1, false},
		{"127.0.0.1:8080", "", "evil.example:8080", 1, false},
		{"127.0.0.1:8080", "", "192.0.2.1:8080", 1, false},
		{"127.0.0.1:8080", "", "", 1, false},
		{"127.0.0.1:8080", "", "", 0, true},
		{"127.0.0.1:8080", "", "evil.example", 0, false},
		{"127.0.0.1:80", "", "127.0.0.1", 1, true},
		{"127.0.0.1:80", "", "127.0.0.1:80", 1, true},
		{"127.0.0.1:80", "", "localhost", 1, true},
		{"127.0.0.1:80", "", "evil.example", 1, false},
		{"[::1]:80", "", "[::1]", 1, true},
		{"[::1]:8080", "", "[::1]:8080", 1, true},
		{"0.0.0.0:80", "", "192.168.1.4", 1, true},
		{"0.0.0.0:80", "", "films.lan", 1, false},
		{"0.0.0.0:80", "films.lan,tv", "films.lan", 1, true},
		{"0.0.0.0:80", "films.lan,tv", "FILMS.LAN.:80", 1, true},
		{"0.0.0.0:8080", "films.lan,tv", "tv", 1, true}, // behind another server
		{"0.0.0.0:8080", "films.lan,tv", "tv:443", 1, true},
		{"0.0.0.0:8080", "films.lan,tv", "tv.evil.example", 1, false},
	} {
		s := &site{addr: netip.MustParseAddrPort(c.addr)}
		for name := range strings.SplitSeq(c.names, ",") {
			if name != "" {
				s.names = append(s.names, name)
			}
		}
		if got := s.ours(&http.Request{Host: c.host, ProtoMajor: 1, ProtoMinor: c.minor}); got != c.ours {
			t.Errorf("%s at %s (%s), HTTP/1.%d: %v", c.host, c.addr, c.names, c.minor, got)
		}
	}
	var n namesFlag
	for text, good := range map[string]bool{"films.lan": true, "Films.LAN.": true, "http://films.lan": false, "films.lan:80": false, "": false, "a b": false} {
		if err := n.Set(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What is printed can be typed.
func TestSiteRoots(t *testing.T) {
	for addr, want := range map[string][]string{
		"127.0.0.1:80":   {"http://films.lan/", "http://127.0.0.1/"},
		"127.0.0.1:8080": {"http://films.lan:8080/", "http://127.0.0.1:8080/"},
		"[::1]:80":       {"http://films.lan/", "http://[::1]/"},
		"[::1]:8080":     {"http://films.lan:8080/", "http://[::1]:8080/"},
	} {
		s := &site{addr: netip.MustParseAddrPort(addr), names: []string{"films.lan"}}
		if got := s.roots(); !slices.Equal(got, want) {
			t.Errorf("%s: %q", addr, got)
		}
	}
	s := &site{addr: netip.MustParseAddrPort("0.0.0.0:8080")}
	for _, root := range s.roots() {
		if u, err := url.Parse(root); err != nil || u.Hostname() == "0.0.0.0" || u.Port() != "8080" {
			t.Errorf("%s", root)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	for name, want := range map[string]string{
		"a/b.MKV": "video/x-matroska", "a.mp4": "video/mp4", "a.webm": "video/webm", "a.flac": "audio/flac", "a.opus": "audio/ogg",
		"a.srt": "application/x-subrip", "a.vtt": "text/vtt; charset=utf-8", "a.m3u8": "application/vnd.apple.mpegurl",
		"a.epub": "application/epub+zip", "a.pdf": "application/pdf", "a": "application/octet-stream", "a.xyz": "application/octet-stream",
		"a.tar.gz": "application/gzip", ".mp3": "audio/mpeg",
	} {
		if got := mediaType(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	for ext, kind := range mediaTypes {
		if ext != strings.ToLower(ext) || path.Ext("x"+ext) != ext || strings.Count(kind, "/") != 1 {
			t.Errorf("%s: %s", ext, kind)
		}
	}
}
