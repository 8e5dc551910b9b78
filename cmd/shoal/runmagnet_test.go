package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

// A magnet link that nobody has is on the list of run at once, and holds up nothing. The next
// run goes on with it; forget takes it off. Named again with its .torrent file it is a torrent.
func TestRunMagnet(t *testing.T) {
	s := newShare(t)
	raw, err := os.ReadFile(s.torrent)
	if err != nil {
		t.Fatal(err)
	}
	m, err := metainfo.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	hash := m.InfoHash.String()
	state, dir := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "downloads")
	again := []string{"run", "--state", state, "--no-dht", "--no-lsd", "--listen", "127.0.0.1:0"}
	stop := func(r *running) {
		t.Helper()
		r.signals <- syscall.SIGTERM
		r.finish(ui.ExitDone, "complete")
	}

	other := "magnet:?xt=urn:btih:" + strings.Repeat("ab", 20) + "&dn=nobody+has+it"
	r := start(t, append(again, other, "magnet:?xt=urn:btih:"+hash+"&dn=a+link", "--dir", dir)...)
	if up := r.await("up", nil); number(t, up, "torrents") != 2 || number(t, up, "metadata") != 2 {
		t.Errorf("up: %v", up)
	}
	stop(r)
	for _, name := range []string{"nobody has it", "a link"} {
		e := start(t, "list", "--state", state).await("remembered", func(e map[string]any) bool { return e["name"] == name })
		if e["has_metadata"] != false || e["dir"] != dir || number(t, e, "size") != 0 {
			t.Errorf("listed: %v", e)
		}
	}
	if out, _, _ := command(t, "list", "--state", state); !strings.Contains(out, "metadata         -         -      -  a link  "+hash) {
		t.Errorf("listed as\n%s", out)
	}
	if e := start(t, "forget", "nobody has it", "--state", state).finish(ui.ExitDone, "complete"); number(t, e, "torrents") != 1 {
		t.Errorf("forgotten: %v", e)
	}

	// The next run goes on, and gets it from a peer that is there now.
	seeder, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	r = start(t, append(again, hash, "--peer", addr)...)
	if e := r.await("torrent", nil); e["name"] != m.Info.Name || number(t, e, "size") != s.size {
		t.Errorf("its metadata has come: %v", e)
	}
	if e := r.await("finished", nil); e["path"] != filepath.Join(dir, m.Info.Name) {
		t.Errorf("finished: %v", e)
	}
	s.sameFiles(t, dir)
	stop(r)
	stop(seeder)
	if e := start(t, "list", "--state", state).await("remembered", nil); e["name"] != m.Info.Name || e["has_metadata"] != true {
		t.Errorf("listed: %v", e)
	}
	start(t, "forget", hash, "--state", state).finish(ui.ExitDone, "complete")

	// A .torrent file that is named gives the magnet its metadata; its folder stays.
	if err := os.RemoveAll(filepath.Join(state, "metadata")); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "new")
	r = start(t, append(again, hash, "--dir", elsewhere)...)
	if up := r.await("up", nil); number(t, up, "metadata") != 1 {
		t.Errorf("up: %v", up)
	}
	stop(r)
	r = start(t, append(again, s.torrent)...)
	if e := r.await("torrent", nil); e["name"] != m.Info.Name || e["dir"] != elsewhere {
		t.Errorf("the file tells what it is: %v", e)
	}
	r.await("up", nil)
	stop(r)
}
