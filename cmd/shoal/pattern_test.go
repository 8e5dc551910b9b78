package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
)

// A mistake is told before a folder is made or anybody is asked, whatever flag has it.
func TestWrongChoiceIsFoundFirst(t *testing.T) {
	s := newShare(t)
	dir, state := filepath.Join(t.TempDir(), "new"), filepath.Join(t.TempDir(), "state")
	for _, args := range [][]string{
		{"--only", "nothing.*"},
		{"--only", "["},
		{"--only", "9"},
		{"--skip", "x"},
		{"--high", "x"},
		{"--low", "0"},
		{"--skip", "**"},
		{"--rename", "x=y"},
		{"--rename", "one.bin"},
		{"--only", ""},
	} {
		for _, cmd := range []string{"get", "serve"} {
			if cmd == "serve" && args[0] == "--rename" {
				continue
			}
			r := start(t, append([]string{cmd, s.torrent, "--dir", dir, "--state", state, "--no-dht", "--listen", "127.0.0.1:0"}, args...)...)
			r.finish(ui.ExitUsage, "error")
			if strings.Contains(r.text(), `"listening"`) {
				t.Errorf("%s %v: a port was opened", cmd, args)
			}
			for _, made := range []string{dir, state} {
				if _, err := os.Lstat(made); err == nil {
					t.Errorf("%s %v: %s was made", cmd, args, made)
				}
			}
		}
	}
	_, stderr, code := command(t, "get", s.torrent, "--stream=x", "--dir", dir)
	if _, err := os.Lstat(dir); code != ui.ExitUsage || err == nil {
		t.Errorf("--stream: %d, %s", code, stderr)
	}
}

// Files are chosen by number, and the header says what is wanted; the part file is explained,
// and goes when nothing needs it any more.
func TestChosenByNumber(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	dir := t.TempDir()
	get := []string{"get", s.torrent, "--dir", dir, "--state", t.TempDir(), "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr}
	r := start(t, append(get, "--only", "3")...)
	r.finish(ui.ExitDone, "complete")
	if e := r.await("torrent", nil); number(t, e, "wanted_files") != 1 || number(t, e, "files") != 4 || number(t, e, "wanted") != 300000 {
		t.Errorf("told %v", e)
	}
	if _, err := os.Stat(filepath.Join(dir, "files", "sub", "two.bin")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "files", "one.bin")); err == nil {
		t.Error("another file was made")
	}
	parts := func() int {
		n, entries := 0, must(os.ReadDir(dir))
		for _, e := range entries {
			if e.Name() != "files" {
				n++
			}
		}
		return n
	}
	if parts() != 1 {
		t.Fatalf("%d part files", parts())
	}
	stdout, _, code := command(t, append(get, "--only", "TWO.bin", "--ignore-case")...)
	if code != ui.ExitDone || !strings.Contains(stdout, "1 of 4 files, 293 KiB of 781 KiB") || !strings.Contains(stdout, "is needed to share and check") {
		t.Errorf("%d: %s", code, stdout)
	}
	start(t, get...).finish(ui.ExitDone, "complete")
	if s.sameFiles(t, dir); parts() != 0 {
		t.Errorf("%d part files when all is there", parts())
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
