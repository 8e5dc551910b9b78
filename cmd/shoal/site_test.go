package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/cli/ui"
)

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
	r.finish(ui.ExitDone, "stopped")
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
	start(t, "create", filepath.Join(dir, "site"), "-o", torrent).finish(ui.ExitDone, "complete")
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
