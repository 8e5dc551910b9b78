package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"shoal/internal/cli/ui"
)

// A run takes torrents from a folder, gets them, and has them at the next run.
func TestRunWatches(t *testing.T) {
	s := newShare(t)
	seeder, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	folder, dir, state := t.TempDir(), t.TempDir(), t.TempDir()
	r := start(t, "run", "--watch", folder, "--dir", dir, "--state", state, "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr)
	r.await("up", nil)
	if err := os.WriteFile(filepath.Join(folder, "a.torrent"), must(os.ReadFile(s.torrent)), 0o600); err != nil {
		t.Fatal(err)
	}
	r.await("torrent", nil)
	r.await("finished", nil)
	s.sameFiles(t, dir)
	r.signals <- syscall.SIGTERM
	if e := r.finish(ui.ExitDone, "complete"); number(t, e, "torrents") != 1 || number(t, e, "downloaded") != s.size {
		t.Errorf("the end: %v", e)
	}
	goesOn(t, state, dir, s)
	seeder.signals <- syscall.SIGTERM
	seeder.finish(ui.ExitDone, "complete")
	start(t, "run", "--watch", filepath.Join(folder, "nothing"), "--state", state).finish(ui.ExitUsage, "error")
}
