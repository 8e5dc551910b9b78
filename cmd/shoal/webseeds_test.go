package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/internal/cli/ui"
)

// A torrent that names a web server is fetched from there, without a peer; the tracer says
// what was asked and why.
func TestGetFromWebSeed(t *testing.T) {
	s := newShare(t)
	server := httptest.NewServer(http.StripPrefix("/pub/", http.FileServer(http.Dir(s.dir))))
	defer server.Close()
	torrent := filepath.Join(s.dir, "web.torrent")
	start(t, "create", filepath.Join(s.dir, "files"), "-o", torrent, "--piece-length", "16KiB", "--web-seed", server.URL+"/pub/").
		finish(ui.ExitDone, "complete")
	if seeds := start(t, "show", torrent).finish(ui.ExitDone, "complete")["web_seeds"].([]any); len(seeds) != 1 || seeds[0] != server.URL+"/pub/" {
		t.Errorf("show: %v", seeds)
	}

	dir, trace := t.TempDir(), filepath.Join(t.TempDir(), "trace.jsonl")
	r := start(t, "get", torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0", "--trace", trace)
	done := r.finish(ui.ExitDone, "complete")
	if n := number(t, done, "downloaded"); n != s.size {
		t.Errorf("%d bytes for %d", n, s.size)
	}
	r.await("web-seed", func(e map[string]any) bool { return e["url"] == server.URL+"/pub/" })
	r.await("progress", func(e map[string]any) bool { return number(t, e, "web_downloaded") == s.size })
	s.sameFiles(t, dir)
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"proto":"web","way":"sent","what":"fetch"`, `"why":"web-spread"`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the trace has no %s", want)
		}
	}
	if bytes.Contains(text, []byte("/pub/")) {
		t.Error("the trace has the path of the web seed")
	}
}

// The user names a web server, and another one that lies; a torrent of one file is at the
// URL itself.
func TestGetWithWebSeed(t *testing.T) {
	s := newShare(t)
	one := filepath.Join(s.dir, "files", "one.bin")
	torrent := filepath.Join(s.dir, "one.torrent")
	start(t, "create", one, "-o", torrent, "--piece-length", "16KiB").finish(ui.ExitDone, "complete")
	data, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	lies := bytes.Repeat([]byte("lies"), len(data)/4+1)[:len(data)]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/get":
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		case "/lies":
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(lies))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	r := start(t, "get", torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0", "--web-seed", server.URL+"/lies")
	if e := r.await("web-seed", func(e map[string]any) bool { return e["state"] == "given-up" }); !strings.Contains(e["error"].(string), "bad data") {
		t.Errorf("given up: %v", e)
	}
	r.signals <- os.Interrupt
	r.finish(ui.ExitInterrupted, "error")

	start(t, "get", torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0",
		"--web-seed", server.URL+"/lies", "--web-seed", server.URL+"/not-there", "--web-seed", server.URL+"/get?f=one").finish(ui.ExitDone, "complete")
	if got, err := os.ReadFile(filepath.Join(dir, "one.bin")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes instead of %d, or others (%v)", len(got), len(data), err)
	}
}
