package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"a b": {"a", "b"}, ` a  'b c' "d e"f `: {"a", "b c", "d ef"}, `a\ b`: {"a b"}, `"a\"b" 'c\d'`: {`a"b`, `c\d`}, `""`: {""},
		"$HOME `x` *": {"$HOME", "`x`", "*"}, `"x\y"`: {`x\y`}, "": nil, "\t\n": nil,
	} {
		if got, err := splitWords(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`'a`, `"a`, `a\`, `a '"`} {
		if got, err := splitWords(text); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}

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
	done := r.finish(exitDone, "complete")
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
	start(t, "get", s.torrent, "--dir", dir, "--on-complete", "/nothing/of/that/name x").finish(exitUsage, "error")
	start(t, "get", s.torrent, "--dir", dir, "--on-complete", "'").finish(exitUsage, "error")
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
		if code != exitDone || !bytes.Equal([]byte(stdout), want) {
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
		if e := r.finish(exitStalled, "error"); e["code"] != "stalled" || !strings.Contains(e["message"].(string), "no progress") {
			t.Errorf("%v", e)
		}
	}
	start(t, append([]string{"get", s.torrent, "--dir", s.dir}, append(quiet, "--stop-after", "1w")...)...).finish(exitDone, "complete")
}

// --wait also waits for a folder that is not there yet.
func TestWaitForFolder(t *testing.T) {
	s := newShare(t)
	volume := filepath.Join(t.TempDir(), "volume")
	quiet := []string{"--state", t.TempDir(), "--no-dht", "--listen", "127.0.0.1:0", "--dir", filepath.Join(volume, "files")}
	start(t, append([]string{"get", s.torrent}, quiet...)...).finish(exitFailed, "error")
	start(t, append([]string{"get", s.torrent, "--wait", "10ms"}, quiet...)...).finish(exitFailed, "error")
}

// A line of a program that is too long becomes several, and no letter of it is lost.
func TestLongNotes(t *testing.T) {
	for _, n := range []int{1, longestNote - 1, longestNote, longestNote + 1, 3*longestNote + 7} {
		for _, each := range []int{1, 1000, 1 << 20} {
			var errs bytes.Buffer
			w := &noteWriter{out: &output{errs: &errs, now: time.Now}}
			text := strings.Repeat("abcdefghij", n/10+1)[:n] + "\nend"
			for b := []byte(text); len(b) > 0; b = b[min(len(b), each):] {
				w.Write(b[:min(len(b), each)])
			}
			w.end()
			if got := strings.ReplaceAll(errs.String(), "\n", ""); got != strings.ReplaceAll(text, "\n", "") || !strings.HasSuffix(errs.String(), "\nend\n") {
				t.Errorf("%d letters in parts of %d: %d came", n, each, len(got))
			}
		}
	}
}
