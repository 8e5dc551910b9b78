package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
)

// What the files of a torrent do is told as it happens, and so is what was done
// to them while nobody looked.
func TestFilesAreToldOf(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	dir, state := t.TempDir(), t.TempDir()
	get := func(more ...string) *running {
		return start(t, append([]string{
			"get", s.torrent, "--dir", dir, "--state", state, "--no-dht",
			"--listen", "127.0.0.1:0", "--peer", addr,
		}, more...)...)
	}
	get().finish(ui.ExitDone, "complete")
	again := get()
	again.finish(ui.ExitDone, "complete")
	if e := again.await("checked", nil); number(t, e, "hashed") != 0 {
		t.Errorf("what was complete was hashed again: %v", e)
	}

	path := filepath.Join(dir, "files", "one.bin")
	edited, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited[0] ^= 1
	if err := os.WriteFile(path, edited, 0o666); err != nil {
		t.Fatal(err)
	}
	r := get()
	r.await("files", func(e map[string]any) bool { return e["text"] != "" })
	r.finish(ui.ExitDone, "complete")
	s.sameFiles(t, dir)

	// Something else stands in its place: the other files are fetched, and that one is told.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	r = get("--wait", "0s")
	if e := r.finish(ui.ExitFailed, "error"); !strings.Contains(e["message"].(string), "one.bin: not a plain file but a folder") {
		t.Errorf("the end: %v", e)
	}

	// Gone altogether: whoever starts it again wants it again.
	if err := os.RemoveAll(filepath.Join(dir, "files")); err != nil {
		t.Fatal(err)
	}
	get().finish(ui.ExitDone, "complete")
	s.sameFiles(t, dir)
}
