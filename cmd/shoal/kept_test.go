package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
)

// A file that lies where one of the torrent's goes is kept and told; --overwrite writes over it.
func TestGetKeepsFilesOfTheUser(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	for _, overwrite := range []bool{false, true} {
		dir := t.TempDir()
		name := filepath.Join(dir, "files", "one.bin")
		letter := bytes.Repeat([]byte("a letter of the user's "), 1000)
		mkdirs(t, filepath.Dir(name))
		if err := os.WriteFile(name, letter, 0o666); err != nil {
			t.Fatal(err)
		}
		args := []string{"get", s.torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr}
		if overwrite {
			args = append(args, "--overwrite")
		}
		r := start(t, args...)
		r.finish(ui.ExitDone, "complete")
		s.sameFiles(t, dir)
		got, err := os.ReadFile(name + ".before-shoal")
		if told := strings.Contains(r.text(), `"event":"kept"`); told == overwrite || overwrite != (err != nil) || !overwrite && !bytes.Equal(got, letter) {
			t.Errorf("overwrite %v: told %v, kept %d bytes, %v", overwrite, told, len(got), err)
		}
	}
}

// Files behind links are verified, completed and seeded by every command, --dir may be a link,
// and renaming and moving leave the data where it is.
func TestLinkedFiles(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	root := t.TempDir()
	dir, far, state := filepath.Join(root, "dir"), filepath.Join(root, "far"), filepath.Join(root, "state")
	mkdirs(t, dir, filepath.Join(far, "files"), state)
	for link, to := range map[string]string{filepath.Join(dir, "files"): "../far/files", filepath.Join(root, "link"): "dir"} {
		if err := os.Symlink(to, link); err != nil {
			t.Skip("no links here: ", err)
		}
	}
	link := filepath.Join(root, "link")
	start(t, "get", s.torrent, "--dir", link, "--state", state, "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr).finish(ui.ExitDone, "complete")
	s.sameFiles(t, far)
	start(t, "verify", s.torrent, "--dir", link, "--state", "none").finish(ui.ExitDone, "complete")
	_, second := seedFrom(t, link, s.torrent, "--no-dht", "--state", "none")
	other := t.TempDir()
	start(t, "get", s.torrent, "--dir", other, "--no-dht", "--listen", "127.0.0.1:0", "--peer", second).finish(ui.ExitDone, "complete")
	s.sameFiles(t, other)

	start(t, "rename", s.torrent, "files", "renamed", "--dir", dir, "--state", state).finish(ui.ExitDone, "complete")
	if info, err := os.Lstat(filepath.Join(dir, "renamed")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the renamed folder: %v, %v", info, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "files")); err == nil {
		t.Error("the link has both names")
	}
	s.sameFiles(t, far)
	to := t.TempDir()
	start(t, "move", s.torrent, to, "--dir", dir, "--state", state).finish(ui.ExitDone, "complete")
	s.sameFiles(t, far)
	if info, err := os.Lstat(filepath.Join(to, "renamed")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the moved folder: %v, %v", info, err)
	}
	start(t, "verify", s.torrent, "--dir", to, "--state", state).finish(ui.ExitDone, "complete")
}
