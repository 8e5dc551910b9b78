package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
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

// A request for what nobody has ends, with an error that a player understands; one of
// HTTP/1.0 without a name is answered.
func TestServeNobody(t *testing.T) {
	s := newShare(t)
	r := start(t, "serve", s.torrent, "--dir", t.TempDir(), "--state", "none", "--no-dht", "--no-lsd", "--listen", "127.0.0.1:0", "--http-wait", "50ms", "--http-name", "films.lan")
	e := r.await("serving", nil)
	u, err := url.Parse(e["url"].(string))
	if err != nil || u.Hostname() != "films.lan" {
		t.Fatal(e)
	}
	ask := func(request string) *http.Response {
		t.Helper()
		conn, err := dialLoopback(t.Context(), "tcp", "127.0.0.1:"+u.Port())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, request, net.JoinHostPort(u.Hostname(), u.Port()))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	if resp := ask("GET /files/one.bin HTTP/1.1\r\nHost: %s\r\nRange: bytes=5-9\r\n\r\n"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("Content-Range") != "" {
		t.Errorf("what nobody has: %v", resp)
	}
	if resp := ask("HEAD /files/one.bin HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"); resp.StatusCode != 200 || resp.ContentLength != int64(shared["one.bin"]) || resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("its head: %v", resp)
	}
	for request, code := range map[string]int{
		"GET / HTTP/1.0\r\n\r\n%.0s":                                         200,
		"GET http://evil.example/ HTTP/1.0\r\n\r\n%.0s":                      421,
		"GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n%.0s":                   421,
		"GET / HTTP/1.1\r\nConnection: close\r\n\r\n%.0s":                    400,
		"GET /files/ HTTP/1.0\r\n\r\n%.0s":                                   200,
		"GET /files/none HTTP/1.0\r\n\r\n%.0s":                               404,
		"GET /files/../../etc/passwd HTTP/1.0\r\n\r\n%.0s":                   404,
		"GET / HTTP/1.1\r\nHost: films.lan\r\nConnection: close\r\n\r\n%.0s": 200,
	} {
		resp := ask(request)
		io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != code {
			t.Errorf("%q: %d, want %d", request, resp.StatusCode, code)
		}
	}
	r.signals <- syscall.SIGTERM
	r.finish(exitDone, "stopped")
	if !strings.Contains(r.text(), "nobody has sent") {
		t.Errorf("it said nothing of it: %s", r.text())
	}
}

// Every file of a torrent has its own address, whatever its name means to web servers, and
// every folder a list.
func TestServeOddNames(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"index.html": "top", "sub/index.html": "sub", "sub/a?b#c%41 d&e;f.txt": "odd", "sub/x:y.txt": "colon",
		"index.html.d/index.html": "deep", "sub/.hidden": "dot", "sub/ ": "blank",
	}
	if runtime.GOOS == "windows" {
		t.Skip("some of these names are not possible")
	}
	for name, text := range files {
		p := filepath.Join(dir, "site", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o777), os.WriteFile(p, []byte(text), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "site", "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	torrent := filepath.Join(dir, "site.torrent")
	start(t, "create", filepath.Join(dir, "site"), "-o", torrent).finish(exitDone, "complete")
	r := start(t, "serve", torrent, "--dir", dir, "--state", "none", "--no-dht", "--listen", "127.0.0.1:0")
	root := r.await("serving", nil)["url"].(string)
	tr := &http.Transport{DisableKeepAlives: true, DialContext: dialLoopback}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(address string) (int, string) {
		t.Helper()
		resp, err := client.Get(root + address)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for name, text := range files {
		if code, body := get((&url.URL{Path: "site/" + name}).EscapedPath()); code != 200 || body != text {
			t.Errorf("%s: %d %q", name, code, body)
		}
	}
	for _, folder := range []string{"site/", "site/sub/", "site/index.html.d/"} {
		if code, body := get(folder); code != 200 || !strings.Contains(body, ">index.html</a>") {
			t.Errorf("%s: %d %q", folder, code, body)
		}
	}
	for _, none := range []string{"site/none/index.html", "index.html", "site/index.html/", "site/nothing"} {
		if code, body := get(none); code != 404 {
			t.Errorf("%s: %d %q", none, code, body)
		}
	}
}
