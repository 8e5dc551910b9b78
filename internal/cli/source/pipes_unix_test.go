//go:build unix

package source

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/cli/ui"
)

// A pipe in a folder of torrents is passed over: waiting for its other end would never end,
// also not by a signal.
func TestPipeInFolder(t *testing.T) {
	dir := t.TempDir()
	raw, err := os.ReadFile("../../../cmd/shoal/testdata/torrents/v1-multi.torrent")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Mkfifo(filepath.Join(dir, "a.torrent"), 0o600), os.WriteFile(filepath.Join(dir, "b.torrent"), raw, 0o600)); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	found, err := readFolder(&ui.Output{Out: &out, Errs: &errs}, dir)
	if err != nil || len(found) != 1 || !strings.Contains(errs.String(), "a.torrent is not a plain file") {
		t.Errorf("%d found, %v: %s", len(found), err, errs.String())
	}
}
