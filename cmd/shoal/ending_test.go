package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A service that is told to end by SIGTERM or SIGHUP ends with 0, whatever it is doing: up,
// at its start, checking, or looking for metadata that nobody has.
func TestServicesEnd(t *testing.T) {
	s := newShare(t)
	quiet := []string{"--no-dht", "--listen", "127.0.0.1:0"}
	link := "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567"
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		for _, c := range []struct {
			args  []string
			await string // empty: at once
		}{
			{append([]string{"seed", s.torrent, "--dir", s.dir}, quiet...), "up"},
			{append([]string{"seed", s.torrent, "--dir", s.dir}, quiet...), ""},
			{append([]string{"seed", link, "--state", t.TempDir()}, quiet...), "looking"},
			{append([]string{"run", s.torrent, "--dir", t.TempDir(), "--state", t.TempDir()}, quiet...), "up"},
			{append([]string{"run", s.torrent, "--dir", t.TempDir(), "--state", t.TempDir()}, quiet...), ""},
			{append([]string{"run", link, "--dir", t.TempDir(), "--state", t.TempDir()}, quiet...), "looking"},
			{append([]string{"serve", s.torrent, "--dir", s.dir, "--state", t.TempDir()}, quiet...), "serving"},
			{append([]string{"serve", link, "--dir", t.TempDir(), "--state", t.TempDir()}, quiet...), "looking"},
			{[]string{"tracker", "--listen", "127.0.0.1:0"}, "up"},
			{[]string{"tracker", "--listen", "127.0.0.1:0"}, ""},
		} {
			r := start(t, c.args...)
			if c.await != "" {
				r.await(c.await, nil)
			}
			r.signals <- sig
			code, last := r.wait()
			if code != exitDone || last["event"] != "complete" && last["event"] != "stopped" {
				t.Errorf("%v at %q: %v ends it with %d and %v", c.args, c.await, sig, code, last)
			}
		}
		// What is left undone is told; Ctrl-C is a person.
		r := start(t, append([]string{"get", link, "--dir", t.TempDir()}, quiet...)...)
		r.await("looking", nil)
		r.signals <- sig
		r.finish(exitInterrupted, "error")
	}
	r := start(t, append([]string{"seed", s.torrent, "--dir", s.dir}, quiet...)...)
	r.await("up", nil)
	r.signals <- os.Interrupt
	r.finish(exitInterrupted, "error")
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
			if code != exitFailed || !strings.Contains(stderr, c.says) || !strings.Contains(stderr, "--state") {
				t.Errorf("%+v: %v: %d, %s", c, args, code, stderr)
			}
		}
		// These go on without, and say so once.
		for _, args := range [][]string{
			{"verify", s.torrent, "--dir", s.dir}, {"get", s.torrent, "--dir", s.dir, "--no-dht", "--listen", "127.0.0.1:0"},
		} {
			_, stderr, code := command(t, append(args, more...)...)
			if code != exitDone || strings.Count(stderr, c.says) != 1 {
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
	code := runWith(t.Context(), []string{"seed"}, env{stdout: &out, stderr: &errs, getenv: os.Getenv, signals: signals, now: time.Now},
		func(context.Context, []string, *output, env) error { defer close(ended); <-block; return nil })
	if code != exitInterrupted {
		t.Errorf("%d, %s", code, errs.String())
	}
	close(block)
	<-ended
}
