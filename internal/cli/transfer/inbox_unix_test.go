//go:build unix

package transfer

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"shoal"
	"shoal/internal/cli/source"
)

// What lies in a watched folder names links and URLs; the keyboard, pipes and files are for
// people to name.
func TestWatchedLinesAreLinks(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	b := newInbox([]string{dir})
	b.read = func(line string) (source.Source, error) {
		t.Errorf("%q is read", line)
		return source.Source{}, nil
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
			if _, err := b.sources(path); !errors.Is(err, shoal.ErrNotPlain) {
				t.Errorf("%s as %s: %v", to, ext, err)
			}
		}
		path := filepath.Join(t.TempDir(), "x"+ext)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := b.sources(path); !errors.Is(err, shoal.ErrNotPlain) {
			t.Errorf("a pipe as %s: %v", ext, err)
		}
	}
}
