//go:build unix

package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/files/storage"
)

// A pipe in a folder of torrents is passed over: waiting for its other end would never end,
// also not by a signal.
func TestPipeInFolder(t *testing.T) {
	s := newShare(t)
	dir := t.TempDir()
	raw, err := os.ReadFile(s.torrent)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Mkfifo(filepath.Join(dir, "a.torrent"), 0o600), os.WriteFile(filepath.Join(dir, "b.torrent"), raw, 0o600)); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	found, err := readFolder(&output{out: &out, errs: &errs}, dir)
	if err != nil || len(found) != 1 || !strings.Contains(errs.String(), "a.torrent is not a plain file") {
		t.Errorf("%d found, %v: %s", len(found), err, errs.String())
	}
}

// What lies in a watched folder names links and URLs; the keyboard, pipes and files are for
// people to name.
func TestWatchedLinesAreLinks(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	b := newInbox([]string{dir})
	b.read = func(line string) (source, error) {
		t.Errorf("%q is read", line)
		return source{}, nil
	}
	for _, line := range []string{"-", pipe, "file://" + pipe, "/dev/zero", "data:,x", "ftp://h.example/x"} {
		path := filepath.Join(dir, "x.magnet")
		if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := b.sources(path); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

// What is not a plain file is neither read nor waited for, also where it replaced one after the
// look: a pipe, a socket, a device, a folder, and links to them.
func TestOnlyPlainFilesArrive(t *testing.T) {
	dir := t.TempDir()
	pipe, socket := filepath.Join(dir, "pipe"), filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	b := newInbox([]string{dir})
	for _, ext := range []string{".torrent", ".magnet"} {
		for _, to := range []string{pipe, socket, "/dev/zero", dir} {
			path := filepath.Join(t.TempDir(), "x"+ext)
			if err := os.Symlink(to, path); err != nil {
				t.Fatal(err)
			}
			if _, err := b.sources(path); !errors.Is(err, storage.ErrUnsafe) {
				t.Errorf("%s as %s: %v", to, ext, err)
			}
		}
		path := filepath.Join(t.TempDir(), "x"+ext)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := b.sources(path); !errors.Is(err, storage.ErrUnsafe) {
			t.Errorf("a pipe as %s: %v", ext, err)
		}
	}
}

// The last line of a program is told without a line break behind it, too.
func TestLastWords(t *testing.T) {
	var errs strings.Builder
	w := &noteWriter{out: &output{out: &errs, errs: &errs}}
	if _, err := w.Write([]byte("one\ntwo")); err != nil {
		t.Fatal(err)
	}
	w.end()
	if errs.String() != "one\ntwo\n" {
		t.Errorf("%q", errs.String())
	}
}
