package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"shoal/internal/cli/ui"
)

// How commands end that take time, by each signal. A service that is told to end by SIGTERM or
// SIGHUP ends with 0, whatever it is doing: up, at its start, checking, or looking for metadata
// that nobody has. Where something was to be done and is not, that is told. Ctrl-C is a person.
func TestEndings(t *testing.T) {
	s := newShare(t)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0") // nobody answers there
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	at := silent.LocalAddr().String()
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("event") == "stopped" {
			<-r.Context().Done() // it never answers that
			return
		}
		io.WriteString(w, "d8:intervali1800e5:peers0:e")
	}))
	defer answers.Close()
	hash := "0123456789abcdef0123456789abcdef01234567"
	link := "magnet:?xt=urn:btih:" + hash
	quiet := []string{"--no-dht", "--listen", "127.0.0.1:0"}
	with := func(more []string, args ...string) []string { return append(args, more...) }
	for _, c := range []struct {
		args    func() []string
		await   string // empty: at once
		service bool
	}{
		{func() []string { return with(quiet, "seed", s.torrent, "--dir", s.dir) }, "up", true},
		{func() []string { return with(quiet, "seed", s.torrent, "--dir", s.dir) }, "", true},
		{func() []string { return with(quiet, "seed", link, "--state", t.TempDir()) }, "looking", true},
		{func() []string { return with(quiet, "run", s.torrent, "--dir", t.TempDir(), "--state", t.TempDir()) }, "up", true},
		{func() []string { return with(quiet, "run", s.torrent, "--dir", t.TempDir(), "--state", t.TempDir()) }, "", true},
		{func() []string { return with(quiet, "run", link, "--dir", t.TempDir(), "--state", t.TempDir()) }, "looking", true},
		{func() []string { return with(quiet, "run", "--watch", t.TempDir(), "--state", t.TempDir()) }, "up", true},
		{func() []string { return with(quiet, "serve", s.torrent, "--dir", s.dir, "--state", t.TempDir()) }, "serving", true},
		{func() []string { return with(quiet, "serve", s.torrent, "--dir", s.dir, "--state", t.TempDir()) }, "complete", true},
		{func() []string { return with(quiet, "serve", s.torrent, "--dir", t.TempDir(), "--state", t.TempDir()) }, "serving", true},
		{func() []string { return with(quiet, "serve", link, "--dir", t.TempDir(), "--state", t.TempDir()) }, "looking", true},
		{func() []string { return []string{"tracker", "--listen", "127.0.0.1:0"} }, "up", true},
		{func() []string { return []string{"tracker", "--listen", "127.0.0.1:0"} }, "", true},
		{func() []string { return []string{"dht", "ping", at, "--listen", "127.0.0.1:0"} }, "", true},
		{func() []string {
			return []string{"dht", "find-node", hash, "--dht-node", at, "--listen", "127.0.0.1:0"}
		}, "", true},
		{func() []string {
			return []string{"dht", "get-peers", hash, "--dht-node", at, "--listen", "127.0.0.1:0"}
		}, "", true},
		{func() []string { return []string{"lab"} }, "", true},
		{func() []string { return with(quiet, "get", s.torrent, "--dir", s.dir, "--seed") }, "complete", true},
		{func() []string { return with(quiet, "get", link, "--dir", t.TempDir()) }, "looking", false},
		{func() []string { return with(quiet, "get", s.torrent, "--dir", t.TempDir()) }, "checked", false},
		{func() []string { return with(quiet, "get", s.torrent, "--dir", t.TempDir(), "--wait", "1h") }, "checked", false},
		{func() []string { return with(quiet, "get", s.torrent, "--dir", t.TempDir(), "--stop-after", "1h") }, "checked", false},
		{func() []string { return with(quiet, "get", s.torrent, link, "--dir", t.TempDir()) }, "listening", false},
		{func() []string {
			return with(quiet, "get", link, "--metadata-only", "-o", filepath.Join(t.TempDir(), "x"))
		}, "looking", false},
		{func() []string { return []string{"scrape", s.torrent, "--url", "udp://" + at} }, "", false},
		{func() []string { return []string{"announce", hash, "--url", "udp://" + at, "--state", "none"} }, "", false},
		{func() []string {
			return []string{"announce", hash, "--url", "udp://" + at, "--url", answers.URL + "/announce", "--state", "none", "--listen", "127.0.0.1:0"}
		}, "announced", false},
	} {
		for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
			args := c.args()
			r := start(t, args...)
			if c.await != "" {
				r.await(c.await, nil)
			}
			r.signals <- sig
			code, last := r.wait()
			want, ends := ui.ExitInterrupted, last["event"] == "error" && last["code"] == "interrupted"
			if c.service && sig != os.Interrupt {
				want, ends = ui.ExitDone, last["event"] == "complete" || last["event"] == "stopped"
			}
			if code != want || !ends {
				t.Errorf("%v at %q: %v ends it with %d and %v, want %d", args, c.await, sig, code, last, want)
			}
			if n := strings.Count(r.text(), `"event":"complete"`); args[0] == "serve" && n > 1 {
				t.Errorf("%v at %q: it says complete %d times", args, c.await, n)
			}
		}
	}
}

// A service says once in text, too, that it is complete.
func TestCompleteOnce(t *testing.T) {
	s := newShare(t)
	for _, args := range [][]string{
		{"serve", s.torrent, "--dir", s.dir, "--state", "none"},
		{"get", s.torrent, "--dir", s.dir, "--state", "none", "--seed"},
	} {
		signals := make(chan os.Signal, 2)
		out := &signalling{at: "until Ctrl-C", to: signals}
		var errs bytes.Buffer
		code := run(t.Context(), append(args, "--no-dht", "--listen", "127.0.0.1:0"),
			ui.Env{Stdout: out, Stderr: &errs, Getenv: func(string) string { return "" }, Signals: signals, Now: time.Now})
		text := out.String()
		if code != ui.ExitDone || strings.Count(text, "complete: ") != 1 || strings.Count(text, "saved as") != 1 || !strings.Contains(text, "stopped") {
			t.Errorf("%v: %d, %s%s", args, code, text, errs.String())
		}
	}
}

// signalling sends a signal when a text was written.
type signalling struct {
	mu   sync.Mutex
	b    strings.Builder
	at   string
	to   chan<- os.Signal
	sent bool
}

func (s *signalling) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *signalling) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Write(b)
	if !s.sent && strings.Contains(s.b.String(), s.at) {
		s.sent = true
		s.to <- syscall.SIGTERM
	}
	return len(b), nil
}

// A HOME, XDG_STATE_HOME or --state that can't be used is named, with what to do.
func TestFolderOfStateIsNamed(t *testing.T) {
	s := newShare(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ home, xdg, state, says string }{
		{"", "", "", "HOME is not set"},
		{file, "", "", "HOME is " + file},
		{t.TempDir(), file, "", "XDG_STATE_HOME is " + file},
		{t.TempDir(), "", file, "from --state"},
	} {
		t.Setenv("HOME", c.home)
		t.Setenv("XDG_STATE_HOME", c.xdg)
		var more []string
		if c.state != "" {
			more = []string{"--state", c.state}
		}
		for _, args := range [][]string{
			{"run", s.torrent, "--dir", s.dir, "--no-dht", "--listen", "127.0.0.1:0"},
			{"move", s.torrent, t.TempDir(), "--dir", s.dir},
			{"rename", s.torrent, "files", "x", "--dir", s.dir},
			{"list"},
			{"forget", "abcdef"},
		} {
			_, stderr, code := command(t, append(args, more...)...)
			if code != ui.ExitFailed || !strings.Contains(stderr, c.says) || !strings.Contains(stderr, "--state") {
				t.Errorf("%+v: %v: %d, %s", c, args, code, stderr)
			}
		}
		// These go on without, and say so once.
		for _, args := range [][]string{
			{"verify", s.torrent, "--dir", s.dir}, {"get", s.torrent, "--dir", s.dir, "--no-dht", "--listen", "127.0.0.1:0"},
		} {
			_, stderr, code := command(t, append(args, more...)...)
			if code != ui.ExitDone || strings.Count(stderr, c.says) != 1 {
				t.Errorf("%+v: %v: %d, %s", c, args, code, stderr)
			}
		}
	}
}

// The second signal ends at once also what would end with 0.
func TestSecondSignalEndsService(t *testing.T) {
	var out, errs bytes.Buffer
	signals := make(chan os.Signal, 2)
	signals <- syscall.SIGHUP
	signals <- syscall.SIGHUP
	block := make(chan struct{})
	ended := make(chan struct{})
	code := runWith(t.Context(), []string{"seed"}, ui.Env{Stdout: &out, Stderr: &errs, Getenv: os.Getenv, Signals: signals, Now: time.Now},
		func(context.Context, []string, *ui.Output, ui.Env) error { defer close(ended); <-block; return nil })
	if code != ui.ExitInterrupted {
		t.Errorf("%d, %s", code, errs.String())
	}
	close(block)
	<-ended
}
