package main

import (
	"path/filepath"
	"syscall"
	"testing"

	"shoal/internal/cli/ui"
)

// A seed ends by itself when its torrent was shared enough, and so does a download that
// goes on as a seed.
func TestSharedEnough(t *testing.T) {
	s := newShare(t)
	seeder, addr := seedFrom(t, s.dir, s.torrent, "--no-dht", "--ratio", "1")
	dir := t.TempDir()
	get := start(t, "get", s.torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr, "--seed-idle", "1ms")
	get.finish(ui.ExitDone, "complete")
	s.sameFiles(t, dir)
	seeder.await("shared", func(e map[string]any) bool {
		return e["text"] == "the share ratio is reached: ratio 1.00"
	})
	seeder.finish(ui.ExitDone, "complete")
}

// What run shared enough stays on its list, paused, until it is named again; and torrents
// wait in line there.
func TestRunSharesEnough(t *testing.T) {
	s, other := newShare(t), newShare(t, "--piece-length", "32KiB")
	state := filepath.Join(t.TempDir(), "state")
	again := []string{"run", "--state", state, "--no-dht", "--listen", "127.0.0.1:0"}

	r := start(t, append(again, s.torrent, "--dir", s.dir, "--seed-idle", "1ms")...)
	r.await("shared", nil)
	r.finish(ui.ExitDone, "complete")
	start(t, again...).finish(ui.ExitDone, "complete") // there is nothing left to do

	r = start(t, append(again, s.torrent, "--seed-idle", "100h")...)
	from := r.await("up", nil)["addr"].(string)
	start(t, "get", s.torrent, "--dir", t.TempDir(), "--peer", from, "--no-dht", "--listen", "127.0.0.1:0").finish(ui.ExitDone, "complete")
	r.signals <- syscall.SIGTERM
	r.finish(ui.ExitDone, "complete")

	r = start(t, append(again, other.torrent, "--dir", other.dir, "--at-once", "1")...)
	r.await("progress", func(e map[string]any) bool { return e["state"] == "queued" })
	r.await("up", nil) // a run that is ended before is interrupted
	r.signals <- syscall.SIGTERM
	r.finish(ui.ExitDone, "complete")
}
