package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
)

// Several sources of several kinds come in one run; one that fails does not keep the others
// from it, and is the exit code.
func TestGetSeveral(t *testing.T) {
	s, o := newShare(t), newOther(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	_, other := seedFrom(t, o.dir, o.torrent, "--no-dht")
	hash := start(t, "show", o.torrent).finish(ui.ExitDone, "complete")["info_hash"].(string)
	quiet := []string{"--no-dht", "--listen", "127.0.0.1:0", "--peer", addr, "--peer", other}

	dir := t.TempDir()
	r := start(t, append([]string{"get", s.torrent, "magnet:?xt=urn:btih:" + hash, "--dir", dir, "--state", t.TempDir()}, quiet...)...)
	e := r.finish(ui.ExitDone, "complete")
	if e["name"] != "2 torrents" || number(t, e, "downloaded") != s.size+70000 {
		t.Errorf("the end: %v", e)
	}
	r.await("finished", func(e map[string]any) bool { return e["name"] == "files" })
	r.await("finished", func(e map[string]any) bool { return e["name"] == "other.bin" })
	s.sameFiles(t, dir)

	// The broken one is told; the exit code is its own.
	broken := filepath.Join(t.TempDir(), "broken.torrent")
	if err := os.WriteFile(broken, []byte("d4:infodee"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	r = start(t, append([]string{"get", broken, s.torrent, o.torrent, s.torrent, "--dir", dir, "--state", t.TempDir()}, quiet...)...)
	if e := r.finish(ui.ExitSource, "error"); !strings.Contains(e["message"].(string), "1 of 3 sources failed") {
		t.Errorf("the end: %v", e)
	}
	s.sameFiles(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "other.bin")); err != nil {
		t.Error(err)
	}

	// A folder means the torrents in it.
	folder := t.TempDir()
	for name, from := range map[string]string{"a.torrent": s.torrent, "b.torrent": o.torrent} {
		if err := os.WriteFile(filepath.Join(folder, name), must(os.ReadFile(from)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start(t, append([]string{"get", folder, "--dir", dir, "--state", t.TempDir()}, quiet...)...).finish(ui.ExitDone, "complete")

	// What can't be fetched is given up by itself.
	r = start(t, append([]string{"get", s.torrent, "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567", "--dir", dir, "--state", t.TempDir(), "--stop-after", "2s"}, quiet...)...)
	r.finish(ui.ExitStalled, "error")
	r.await("finished", nil)
	for _, args := range [][]string{{"-o", "x", "--metadata-only"}, {"--stream=x"}, {"--rename", "a=b"}, {"--only", "nothing"}} {
		if code, _ := start(t, append([]string{"get", s.torrent, o.torrent, "--dir", t.TempDir()}, args...)...).wait(); code != ui.ExitUsage {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

// newOther is a share of one file, other.bin of 70000 bytes.
func newOther(t *testing.T) share {
	t.Helper()
	s := share{dir: t.TempDir(), size: 70000}
	files(t, []string{"write", filepath.Join(s.dir, "other.bin"), "70000"})
	s.torrent = filepath.Join(s.dir, "other.torrent")
	start(t, "create", filepath.Join(s.dir, "other.bin"), "-o", s.torrent, "--piece-length", "16KiB").finish(ui.ExitDone, "complete")
	return s
}
