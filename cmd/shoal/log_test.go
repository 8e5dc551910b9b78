package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
)

// What is said goes to the log with time and level, without passkeys; -q says nothing else,
// -v more.
func TestLog(t *testing.T) {
	s := newShare(t)
	log := filepath.Join(t.TempDir(), "log")
	get := []string{"get", s.torrent, "--dir", s.dir, "--state", t.TempDir(), "--no-dht", "--listen", "127.0.0.1:0", "--log", log}
	stdout, stderr, code := command(t, append(get, "-q")...)
	if code != ui.ExitDone || stdout != "" || !strings.Contains(stderr, "no way to find peers") {
		t.Errorf("-q: %d, %q, %q", code, stdout, stderr)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^2026-05-04T03:02:01\.987Z (INFO |WARN |ERROR|DEBUG) \S`)
	for line := range strings.Lines(string(b)) {
		if !form.MatchString(line) {
			t.Errorf("line %q", line)
		}
	}
	if text := string(b); !strings.Contains(text, "INFO  complete: ") || !strings.Contains(text, "WARN  no way") && !strings.Contains(text, "WARN  shoal: no way") || strings.Contains(text, "DEBUG") {
		t.Errorf("the log:\n%s", text)
	}
	_, stderr, _ = command(t, append(get, "-v")...)
	if b, _ = os.ReadFile(log); !strings.Contains(string(b), "DEBUG listening") || !strings.Contains(stderr, "listening") {
		t.Errorf("-v: %s\n%s", stderr, b)
	}
	// What went wrong is in it, too, and with --json it is the same.
	if _, _, code := command(t, "get", filepath.Join(s.dir, "nothing.torrent"), "--log", log, "--json"); code != ui.ExitSource {
		t.Errorf("exit code %d", code)
	}
	if b, _ = os.ReadFile(log); !strings.Contains(string(b), "ERROR shoal: ") {
		t.Errorf("the log:\n%s", b)
	}
	for _, args := range [][]string{{"list", "-q", "-v"}, {"list", "--log", t.TempDir()}} {
		if _, _, code := command(t, args...); code == ui.ExitDone {
			t.Errorf("%v is taken", args)
		}
	}
	a, _, _ := command(t, "version")
	if v, _, code := command(t, "--version"); code != ui.ExitDone || v != a {
		t.Errorf("--version: %d, %q", code, v)
	}
}
