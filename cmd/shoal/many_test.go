package main

import (
	"bytes"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shoal"
	"shoal/internal/cli/ui"
)

// With --delete-files forget removes what is the torrent's, and names what stays.
func TestForgetDeletesFiles(t *testing.T) {
	s := newShare(t)
	seeder, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	state, dir := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "downloads")
	r := start(t, "run", "--state", state, "--no-dht", "--listen", "127.0.0.1:0", s.torrent, "--dir", dir, "--peer", addr)
	r.await("finished", nil)
	r.signals <- syscall.SIGTERM
	r.finish(ui.ExitDone, "complete")
	seeder.signals <- syscall.SIGTERM
	seeder.finish(ui.ExitDone, "complete")
	first := ""
	if err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && first == "" && d.Type().IsRegular() {
			first = p
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first, []byte("another file"), 0o666); err != nil {
		t.Fatal(err)
	}
	r = start(t, "forget", "files", "--delete-files", "--state", state)
	if e := r.await("left", nil); e["path"] != first || e["why"] == "" {
		t.Errorf("left: %v", e)
	}
	if e := r.await("forgotten", nil); number(t, e, "removed") < 1 {
		t.Errorf("forgotten: %v", e)
	}
	r.finish(ui.ExitDone, "complete")
	if _, err := os.Stat(first); err != nil {
		t.Error(err)
	}
	start(t, "list", "--state", state).finish(ui.ExitDone, "complete")
}

// What run fetches it goes on with at the next run, without a word and without hashing;
// list shows it, forget takes it off the list and leaves the files.
func TestRun(t *testing.T) {
	s := newShare(t)
	seeder, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	state, dir := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "downloads")
	again := []string{"run", "--state", state, "--no-dht", "--listen", "127.0.0.1:0"}

	start(t, again...).finish(ui.ExitFailed, "error") // there is nothing yet

	r := start(t, append(again, s.torrent, "--dir", dir, "--peer", addr)...)
	if up := r.await("up", nil); number(t, up, "torrents") != 1 || number(t, up, "complete") != 0 {
		t.Errorf("up: %v", up)
	}
	done := r.await("finished", nil)
	if done["path"] != filepath.Join(dir, "files") || number(t, done, "size") != s.size {
		t.Errorf("finished: %v", done)
	}
	s.sameFiles(t, dir)
	r.signals <- syscall.SIGTERM
	if e := r.finish(ui.ExitDone, "complete"); number(t, e, "downloaded") != s.size || number(t, e, "torrents") != 1 {
		t.Errorf("the end: %v", e)
	}
	r.await("peer-left", nil)

	listed := start(t, "list", "--state", state).await("remembered", nil)
	hash := listed["info_hash"].(string)
	if listed["name"] != "files" || listed["dir"] != dir || listed["stopped"] != false || number(t, listed, "downloaded") != s.size {
		t.Errorf("listed: %v", listed)
	}

	r = start(t, again...)
	if e := r.await("checked", nil); number(t, e, "hashed") != 0 || number(t, e, "have") != 49 {
		t.Errorf("at the next run: %v", e)
	}
	if up := r.await("up", nil); number(t, up, "complete") != 1 {
		t.Errorf("up: %v", up)
	}
	for _, args := range [][]string{again, {"forget", hash, "--state", state}} {
		e := start(t, args...).finish(ui.ExitFailed, "error")
		if text := e["message"].(string) + e["hint"].(string); !strings.Contains(text, state) || !strings.Contains(text, "stop that shoal run") {
			t.Errorf("%v while it runs: %v", args, e)
		}
	}
	if e := start(t, "list", "--state", state).await("remembered", nil); number(t, e, "wanted_verified") != s.size || number(t, e, "wanted") != s.size {
		t.Errorf("listed while it runs: %v", e)
	}
	r.signals <- os.Interrupt
	r.finish(ui.ExitInterrupted, "error")

	// A leecher is served by what was remembered, from a run that names it once more.
	r = start(t, append(again, s.torrent, "--dir", t.TempDir())...)
	from := r.await("up", nil)["addr"].(string)
	start(t, "get", s.torrent, "--dir", t.TempDir(), "--peer", from, "--no-dht", "--listen", "127.0.0.1:0").finish(ui.ExitDone, "complete")
	r.signals <- syscall.SIGTERM
	r.finish(ui.ExitDone, "complete")

	start(t, "forget", hash[:5], "--state", state).finish(ui.ExitSource, "error")
	start(t, "forget", hash[:6], "nothing", "--state", state).finish(ui.ExitSource, "error")
	if e := start(t, "forget", strings.ToUpper(hash[:6]), "files", "--state", state).finish(ui.ExitDone, "complete"); number(t, e, "torrents") != 2 {
		t.Errorf("forgotten: %v", e)
	}
	start(t, "list", "--state", state).finish(ui.ExitDone, "complete")
	s.sameFiles(t, dir)
	start(t, again...).finish(ui.ExitFailed, "error")
	start(t, "run", "--state", "none", s.torrent).finish(ui.ExitUsage, "error")

	seeder.signals <- syscall.SIGTERM
	seeder.finish(ui.ExitDone, "complete")
}

// An entry that is gone is told by run and list, and the others run.
func TestRunTellsProblems(t *testing.T) {
	one := newShare(t)
	other := filepath.Join(one.dir, "other.torrent")
	files(t, []string{"write", filepath.Join(one.dir, "other"), "40000"})
	start(t, "create", filepath.Join(one.dir, "other"), "-o", other).finish(ui.ExitDone, "complete")
	state := t.TempDir()
	again := []string{"run", "--state", state, "--no-dht", "--listen", "127.0.0.1:0"}
	r := start(t, append(again, one.torrent, other, "--dir", one.dir)...)
	r.await("up", nil)
	r.signals <- syscall.SIGTERM
	r.finish(ui.ExitDone, "complete")
	hash := start(t, "list", "--state", state).await("remembered", func(e map[string]any) bool { return e["name"] == "other" })["info_hash"].(string)
	if err := os.Remove(filepath.Join(state, "torrents", hash+".entry")); err != nil {
		t.Fatal(err)
	}
	// Telling is done once: what is gone is not in the list any more. So a copy for list.
	second := t.TempDir()
	if err := os.CopyFS(second, os.DirFS(state)); err != nil {
		t.Fatal(err)
	}
	if p := start(t, "list", "--state", second).await("problem", nil); p["info_hash"] != hash || p["lost"] != true {
		t.Errorf("list: %v", p)
	}
	r = start(t, again...)
	if p := r.await("problem", nil); p["info_hash"] != hash || p["lost"] != true {
		t.Errorf("run: %v", p)
	}
	if up := r.await("up", nil); number(t, up, "complete") != 1 || number(t, up, "torrents") != 1 {
		t.Errorf("up: %v", up)
	}
	r.signals <- syscall.SIGTERM
	r.finish(ui.ExitDone, "complete")
}

// What list prints for people can be cut at its tabs, whatever a torrent calls itself.
func TestListLines(t *testing.T) {
	s := newShare(t)
	state := t.TempDir()
	e, err := shoal.New(shoal.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), DHT: shoal.DHTConfig{Off: true}, StateDir: state, Remember: true})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(s.torrent)
	if err != nil {
		t.Fatal(err)
	}
	raw = bytes.Replace(raw, []byte("4:name5:files"), []byte("4:name5:a\tb\nc"), 1)
	tor, err := e.Add(shoal.AddOptions{Metainfo: raw, Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	tor.Stop(t.Context())
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, _, code := command(t, "list", "--state", state)
	if code != ui.ExitDone || !strings.HasPrefix(out, "stopped ") || !strings.HasSuffix(out, "  a b c  "+tor.InfoHash()+"\n") {
		t.Errorf("%d: %q", code, out)
	}
}
