package main

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A seed ends by itself when its torrent was shared enough, and so does a download that
// goes on as a seed.
func TestSharedEnough(t *testing.T) {
	s := newShare(t)
	seeder, addr := seedFrom(t, s.dir, s.torrent, "--no-dht", "--ratio", "1")
	dir := t.TempDir()
	get := start(t, "get", s.torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr, "--seed-idle", "1ms")
	get.finish(exitDone, "complete")
	s.sameFiles(t, dir)
	seeder.await("shared", func(e map[string]any) bool {
		return e["text"] == "shared as many times as was wanted: ratio 1.00"
	})
	seeder.finish(exitDone, "complete")
}

func TestShareFlags(t *testing.T) {
	root := rootCommand(&output{}, env{})
	get, args, err := root.Find([]string{"get", "--ratio", "1.5", "--seed-time", "36h", "x.torrent"})
	if err == nil {
		err = get.ParseFlags(args)
	}
	if err != nil || get.Flags().Lookup("ratio").Value.String() != "1.5" {
		t.Errorf("not taken: %v", err)
	}
	for _, bad := range []string{"-1", "NaN", "Inf", "much"} {
		if get.ParseFlags([]string{"--ratio", bad}) == nil {
			t.Errorf("--ratio %s was taken", bad)
		}
	}
	if s := (&shareFlags{ratio: 2}); !s.any() || s.limits().Ratio != 2 || new(shareFlags).limits() != nil {
		t.Errorf("limits %+v", s.limits())
	}
}

// What run shared enough stays on its list, paused, until it is named again; and torrents
// wait in line there.
func TestRunSharesEnough(t *testing.T) {
	s, other := newShare(t), newShare(t, "--piece-length", "32KiB")
	state := filepath.Join(t.TempDir(), "state")
	again := []string{"run", "--state", state, "--no-dht", "--listen", "127.0.0.1:0"}

	r := start(t, append(again, s.torrent, "--dir", s.dir, "--seed-idle", "1ms")...)
	r.await("shared", nil)
	r.finish(exitDone, "complete")
	start(t, again...).finish(exitDone, "complete") // there is nothing left to do

	r = start(t, append(again, s.torrent, "--seed-idle", "100h")...)
	from := r.await("up", nil)["addr"].(string)
	start(t, "get", s.torrent, "--dir", t.TempDir(), "--peer", from, "--no-dht", "--listen", "127.0.0.1:0").finish(exitDone, "complete")
	r.signals <- syscall.SIGTERM
	r.finish(exitDone, "complete")

	r = start(t, append(again, other.torrent, "--dir", other.dir, "--at-once", "1")...)
	r.await("progress", func(e map[string]any) bool { return e["state"] == "queued" })
	r.await("up", nil) // a run that is ended before is interrupted
	r.signals <- syscall.SIGTERM
	r.finish(exitDone, "complete")
}
