package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
)

// A program runs when a torrent is complete, without a shell and with the torrent in its
// environment; how it ends is told, and changes nothing.
func TestOnComplete(t *testing.T) {
	s := newShare(t)
	dir := t.TempDir()
	note := filepath.Join(t.TempDir(), "note")
	script := filepath.Join(t.TempDir(), "hook")
	text := "#!/bin/sh\nprintf '%s|%s|%s|%s|%s' \"$SHOAL_NAME\" \"$SHOAL_HASH\" \"$SHOAL_PATH\" \"$SHOAL_SIZE\" \"$1\" > " + note + "\necho said\nexit 3\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	r := start(t, "get", s.torrent, "--dir", dir, "--state", t.TempDir(), "--no-dht", "--listen", "127.0.0.1:0", "--on-complete", script+` '$(touch x); a'`)
	done := r.finish(ui.ExitDone, "complete")
	e := r.await("on-complete", nil)
	if number(t, e, "exit") != 3 || e["program"] != script {
		t.Errorf("told %v", e)
	}
	want := "files|" + done["info_hash"].(string) + "|" + filepath.Join(dir, "files") + "|800008|$(touch x); a"
	if b, err := os.ReadFile(note); err != nil || string(b) != want {
		t.Errorf("%q, %v; want %q", b, err, want)
	}
	if !strings.Contains(r.stderr.String(), "said\n") || !strings.Contains(r.stderr.String(), "ended with exit code 3") {
		t.Errorf("stderr: %s", r.stderr.String())
	}
	start(t, "get", s.torrent, "--dir", dir, "--on-complete", "/nothing/of/that/name x").finish(ui.ExitUsage, "error")
	start(t, "get", s.torrent, "--dir", dir, "--on-complete", "'").finish(ui.ExitUsage, "error")
}

// The file that is streamed is named behind a blank or a sign; a word alone is the torrent.
func TestStreamArgs(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"get x.torrent --stream *.bin", "get x.torrent --stream=*.bin"},
		{"get --stream *.bin x.torrent", "get --stream=*.bin x.torrent"},
		{"get x.torrent --stream=*.bin", "get x.torrent --stream=*.bin"},
		{"get --stream x.torrent", "get --stream x.torrent"},
		{"get x.torrent --stream", "get x.torrent --stream"},
		{"get x.torrent --stream --no-dht", "get x.torrent --stream --no-dht"},
		{"get x.torrent --dir d --stream 3", "get x.torrent --dir d --stream=3"},
		{"get --dir d --stream x.torrent", "get --dir d --stream x.torrent"},
		{"seed x --stream y", "seed x --stream y"},
		{"get x -- --stream y", "get x -- --stream y"},
	} {
		if got := strings.Join(streamArgs(strings.Fields(c.in), wordsOf), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
	s := newShare(t)
	want, err := os.ReadFile(filepath.Join(s.dir, "files", "sub", "two.bin"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--stream", "two.bin"}, {"--stream=3"}, {"--stream", "TWO.*", "--ignore-case"}} {
		stdout, stderr, code := command(t, append([]string{"get", s.torrent, "--dir", s.dir, "--state", t.TempDir(), "--no-dht", "--listen", "127.0.0.1:0"}, args...)...)
		if code != ui.ExitDone || !bytes.Equal([]byte(stdout), want) {
			t.Errorf("%v: %d, %d bytes: %s", args, code, len(stdout), stderr)
		}
	}
}

// A download of which nothing comes is given up when that was asked for.
func TestStopAfter(t *testing.T) {
	s := newShare(t)
	quiet := []string{"--state", t.TempDir(), "--no-dht", "--listen", "127.0.0.1:0", "--stop-after", "10ms"}
	for _, source := range []string{s.torrent, "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567"} {
		r := start(t, append([]string{"get", source, "--dir", t.TempDir()}, quiet...)...)
		if e := r.finish(ui.ExitStalled, "error"); e["code"] != "stalled" || !strings.Contains(e["message"].(string), "no progress") {
			t.Errorf("%v", e)
		}
	}
	start(t, append([]string{"get", s.torrent, "--dir", s.dir}, append(quiet, "--stop-after", "1w")...)...).finish(ui.ExitDone, "complete")
}

// --wait also waits for a folder that is not there yet.
func TestWaitForFolder(t *testing.T) {
	s := newShare(t)
	volume := filepath.Join(t.TempDir(), "volume")
	quiet := []string{"--state", t.TempDir(), "--no-dht", "--listen", "127.0.0.1:0", "--dir", filepath.Join(volume, "files")}
	start(t, append([]string{"get", s.torrent}, quiet...)...).finish(ui.ExitFailed, "error")
	start(t, append([]string{"get", s.torrent, "--wait", "10ms"}, quiet...)...).finish(ui.ExitFailed, "error")
}
