package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal/internal/cli/ui"
)

// Before get ends its trackers know that the torrent is complete; one that refuses to hear
// it for too long is named and not waited for.
func TestTell(t *testing.T) {
	var refuses atomic.Bool
	var told atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.FormValue("event") != "completed" {
			rw.Write([]byte("d8:intervali1800e5:peers0:e"))
			return
		}
		told.Add(1)
		if refuses.Load() {
			rw.Write([]byte("d14:failure reason34:minimum announce interval violated8:intervali1800ee"))
			return
		}
		rw.Write([]byte("d8:intervali1800e5:peers0:e"))
	}))
	defer server.Close()
	s := newShare(t, "--tracker", server.URL+"/announce")
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	get := []string{"get", s.torrent, "--state", "none", "--no-dht", "--no-lsd", "--listen", "127.0.0.1:0", "--peer", addr, "--dir"}
	start(t, append(get, t.TempDir())...).finish(ui.ExitDone, "complete")
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	refuses.Store(true)
	var out strings.Builder
	code := runPlain(t, &out, append(get, t.TempDir())...)
	if code != 0 || told.Load() != 2 || !strings.Contains(out.String(), "does not hear yet") || !strings.Contains(out.String(), "violated") {
		t.Errorf("exit code %d, told %d times, said\n%s", code, told.Load(), out.String())
	}
}

// runPlain runs a command as at a pipe, and gives its exit code.
func runPlain(t *testing.T, out io.Writer, args ...string) int {
	t.Helper()
	return run(t.Context(), args, ui.Env{Stdout: out, Stderr: io.Discard, Getenv: func(string) string { return "" }, Now: time.Now})
}
