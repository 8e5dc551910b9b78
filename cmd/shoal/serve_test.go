package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoal/internal/cli/ui"
	"shoal/internal/net/netio"
)

// A torrent is served while it is fetched, to whoever asks properly.
func TestServe(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	r := start(t, "serve", s.torrent, "--dir", t.TempDir(), "--state", "none", "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr)
	e := r.await("serving", nil)
	root := e["url"].(string)
	want, err := os.ReadFile(filepath.Join(s.dir, "files", "one.bin"))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, url, host, ranges string) (int, []byte, http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			req.Host = host
		}
		if ranges != "" {
			req.Header.Set("Range", ranges)
		}
		tr := &http.Transport{DisableKeepAlives: true, DialContext: dialLoopback}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, body, resp.Header
	}
	if code, body, _ := ask("GET", root+"files/one.bin", "", "bytes=100000-100099"); code != 206 || !bytes.Equal(body, want[100_000:100_100]) {
		t.Errorf("a range: %d, %d bytes", code, len(body))
	}
	if code, body, _ := ask("GET", root+"files/one.bin", "", ""); code != 200 || !bytes.Equal(body, want) {
		t.Errorf("all of it: %d, %d bytes", code, len(body))
	}
	code, body, h := ask("GET", root, "", "")
	if code != 200 || !strings.Contains(string(body), `href="/files/one.bin"`) ||
		!strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the page: %d %v\n%s", code, h, body)
	}
	if code, _, _ := ask("GET", root, "evil.example", ""); code != 421 {
		t.Errorf("another name: %d", code)
	}
	if code, _, _ := ask("POST", root, "", ""); code != 405 {
		t.Errorf("a POST: %d", code)
	}
	if code, _, _ := ask("GET", root+"files/../../etc/passwd", "", ""); code != 404 && code != 400 {
		t.Errorf("a way out: %d", code)
	}
	r.await("peer-left", nil) // once both have everything
	r.signals <- syscall.SIGTERM
	r.finish(ui.ExitDone, "stopped")
}

// A file is written to standard output as it comes, and nothing else is.
func TestStream(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	want, err := os.ReadFile(filepath.Join(s.dir, "files", "one.bin"))
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{
		"get", s.torrent, "--dir", t.TempDir(), "--state", "none", "--no-dht",
		"--listen", "127.0.0.1:0", "--peer", addr, "--stream=one.bin",
	},
		ui.Env{Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }, Now: time.Now})
	if code != 0 || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("exit code %d, %d bytes of %d\n%s", code, out.Len(), len(want), errs.String())
	}
	if !strings.Contains(errs.String(), "complete") {
		t.Errorf("said: %s", errs.String())
	}
}

// Some of the files are left out.
func TestChoose(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	dir := t.TempDir()
	get := []string{"get", s.torrent, "--dir", dir, "--state", t.TempDir(), "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr}
	some := start(t, append(get, "--skip", "one.bin")...)
	if e := some.finish(ui.ExitDone, "complete"); number(t, e, "bytes") >= s.size {
		t.Errorf("as if nothing were left out: %v", e)
	}
	if _, err := os.Stat(filepath.Join(dir, "files", "one.bin")); !os.IsNotExist(err) {
		t.Errorf("what was left out is there: %v", err)
	}
	start(t, append(get, "--only", "no such file")...).finish(ui.ExitUsage, "error")
	start(t, append(get, "--skip", "*")...).finish(ui.ExitUsage, "error")
	r := start(t, get...)
	r.finish(ui.ExitDone, "complete")
	if e := r.await("checked", nil); number(t, e, "hashed") != 0 {
		t.Errorf("hashed again: %v", e)
	}
	s.sameFiles(t, dir)
}

// dialLoopback reaches what these tests have started, and nothing else.
func dialLoopback(ctx context.Context, _, addr string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	return netio.New(netio.Policy{LoopbackOnly: true}).Dial(ctx, to)
}

// Files are moved, with what is known of them; what is in the way stops it.
func TestMove(t *testing.T) {
	s := newShare(t)
	to, state := t.TempDir(), t.TempDir()
	before := t.TempDir()
	if err := os.CopyFS(before, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	r := start(t, "move", s.torrent, to, "--dir", s.dir, "--state", state)
	r.finish(ui.ExitDone, "complete")
	r.await("progress", nil)
	if _, err := os.Stat(filepath.Join(s.dir, "files")); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
	v := start(t, "verify", s.torrent, "--dir", to)
	v.finish(ui.ExitDone, "complete")
	start(t, "move", s.torrent, before, "--dir", to, "--state", state).finish(ui.ExitDone, "complete") // the same bytes are there
	start(t, "move", s.torrent, filepath.Join(to, "none"), "--dir", before, "--state", state).finish(ui.ExitFailed, "error")
	start(t, "move", s.torrent, to, "--dir", t.TempDir(), "--state", "none").finish(ui.ExitFailed, "error")
}
