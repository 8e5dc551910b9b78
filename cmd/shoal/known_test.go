package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/cli/ui"
)

// ran lets shoal run fetch a share once, and returns the folder of state and of the files.
func ran(t *testing.T, s share) (state, dir string) {
	t.Helper()
	state, dir = filepath.Join(t.TempDir(), "state"), t.TempDir()
	seeder, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	r := start(t, "run", "--state", state, "--no-dht", "--listen", "127.0.0.1:0", s.torrent, "--dir", dir, "--peer", addr)
	r.await("finished", nil)
	r.signals <- syscall.SIGTERM
	r.finish(ui.ExitDone, "complete")
	seeder.signals <- syscall.SIGTERM
	seeder.finish(ui.ExitDone, "complete")
	return state, dir
}

// goesOn runs what is remembered, and fails where anything is fetched or hashed again.
func goesOn(t *testing.T, state, dir string, s share) {
	t.Helper()
	r := start(t, "run", "--state", state, "--no-dht", "--listen", "127.0.0.1:0")
	if e := r.await("torrent", nil); e["dir"] != dir {
		t.Errorf("it runs in %v, not in %s", e["dir"], dir)
	}
	if e := r.await("checked", nil); number(t, e, "hashed") != 0 || number(t, e, "have") != 49 {
		t.Errorf("at the next run: %v", e)
	}
	r.await("up", nil)
	r.signals <- syscall.SIGTERM
	if e := r.finish(ui.ExitDone, "complete"); number(t, e, "downloaded") != 0 {
		t.Errorf("the end: %v", e)
	}
}

// What shoal run remembers is moved from where the list has it, whatever it is named by, and
// the next run goes on in the new place.
func TestMoveRemembered(t *testing.T) {
	s := newShare(t)
	state, dir := ran(t, s)
	hash := start(t, "list", "--state", state).await("remembered", nil)["info_hash"].(string)
	for i, name := range []string{s.torrent, hash, "magnet:?xt=urn:btih:" + hash, "files", strings.ToUpper(hash[:8])} {
		to := t.TempDir()
		e := start(t, "move", name, to, "--state", state).finish(ui.ExitDone, "complete")
		if e["from"] != dir || e["to"] != to {
			t.Errorf("%s: %v", name, e)
		}
		dir = to
		s.sameFiles(t, dir)
		if i%2 == 0 {
			goesOn(t, state, dir, s)
		}
	}
	// With --dir, that is said; another copy elsewhere is another one.
	to := t.TempDir()
	start(t, "move", s.torrent, to, "--state", state, "--dir", dir).finish(ui.ExitDone, "complete")
	goesOn(t, state, to, s)
	other := t.TempDir()
	if err := os.CopyFS(other, os.DirFS(to)); err != nil {
		t.Fatal(err)
	}
	start(t, "move", s.torrent, t.TempDir(), "--state", state, "--dir", other).finish(ui.ExitDone, "complete")
	goesOn(t, state, to, s)
}

// While shoal run has a torrent, move and rename say so, and nothing is lost.
func TestMoveWhileItRuns(t *testing.T) {
	s := newShare(t)
	state, dir := ran(t, s)
	r := start(t, "run", "--state", state, "--no-dht", "--listen", "127.0.0.1:0")
	r.await("up", nil)
	for _, args := range [][]string{{"move", "files", t.TempDir()}, {"move", s.torrent, t.TempDir(), "--dir", dir}, {"rename", "files", "files", "others"}} {
		e := start(t, append(args, "--state", state)...).finish(ui.ExitFailed, "error")
		if text := e["message"].(string) + e["hint"].(string); !strings.Contains(text, "stop that shoal run") || !strings.Contains(text, state) {
			t.Errorf("%v: %v", args, e)
		}
	}
	r.signals <- syscall.SIGTERM
	r.finish(ui.ExitDone, "complete")
	goesOn(t, state, dir, s)
}

// Files that a person moved by hand are found in the folder that is named; where they are
// not, the list stays as it is.
func TestMovedByHand(t *testing.T) {
	s := newShare(t)
	state, dir := ran(t, s)
	to := t.TempDir()
	if err := os.Rename(filepath.Join(dir, "files"), filepath.Join(to, "files")); err != nil {
		t.Fatal(err)
	}
	e := start(t, "move", "files", t.TempDir(), "--state", state).finish(ui.ExitFailed, "error")
	if !strings.Contains(e["hint"].(string), "moved by hand") {
		t.Errorf("%v", e)
	}
	if e := start(t, "list", "--state", state).await("remembered", nil); e["dir"] != dir || e["stopped"] != false {
		t.Errorf("listed: %v", e)
	}
	start(t, "move", "files", to, "--state", state).finish(ui.ExitDone, "complete")
	goesOn2(t, state, to)
	s.sameFiles(t, to)
}

// goesOn2 is goesOn of files that are new to the folder, and are hashed at most once.
func goesOn2(t *testing.T, state, dir string) {
	t.Helper()
	r := start(t, "run", "--state", state, "--no-dht", "--listen", "127.0.0.1:0")
	if e := r.await("torrent", nil); e["dir"] != dir {
		t.Errorf("it runs in %v, not in %s", e["dir"], dir)
	}
	if e := r.await("checked", nil); number(t, e, "have") != 49 {
		t.Errorf("at the next run: %v", e)
	}
	r.await("up", nil)
	r.signals <- syscall.SIGTERM
	r.finish(ui.ExitDone, "complete")
}

// A file that is renamed is known by its new name at the next run, also when no journal is
// left.
func TestRenameRemembered(t *testing.T) {
	s := newShare(t)
	state, dir := ran(t, s)
	start(t, "rename", "files", "files", "others", "--state", state).finish(ui.ExitDone, "complete")
	goesOn(t, state, dir, s)
	entries, _ := os.ReadDir(state)
	for _, e := range entries {
		if e.Name() != "torrents" {
			if err := os.RemoveAll(filepath.Join(state, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	goesOn2(t, state, dir)
}

// What was received of a torrent once is enough to name it by its info-hash or a link.
func TestReceivedBefore(t *testing.T) {
	s := newShare(t)
	state, dir := filepath.Join(t.TempDir(), "state"), t.TempDir()
	hash := start(t, "show", s.torrent).finish(ui.ExitDone, "complete")["info_hash"].(string)
	link := "magnet:?xt=urn:btih:" + hash
	for _, args := range [][]string{{"verify", hash}, {"move", link, dir}, {"rename", hash, "files", "b"}} {
		e := start(t, append(args, "--state", state)...).finish(ui.ExitSource, "error")
		if !strings.Contains(e["message"].(string), "not received yet") {
			t.Errorf("%v: %v", args, e)
		}
	}
	seeder, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	start(t, "get", link, "--dir", dir, "--state", state, "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr).finish(ui.ExitDone, "complete")
	seeder.signals <- syscall.SIGTERM
	seeder.finish(ui.ExitDone, "complete")

	// From here on nobody has it but we.
	start(t, "verify", hash, "--dir", dir, "--state", state).finish(ui.ExitDone, "complete")
	start(t, "get", strings.ToUpper(hash), "--dir", dir, "--state", state, "--no-dht", "--listen", "127.0.0.1:0").finish(ui.ExitDone, "complete")
	to := t.TempDir()
	start(t, "move", link, to, "--dir", dir, "--state", state).finish(ui.ExitDone, "complete")
	start(t, "rename", hash, "files", "others", "--dir", to, "--state", state).finish(ui.ExitDone, "complete")
	start(t, "verify", link, "--dir", to, "--state", state).finish(ui.ExitDone, "complete")
	if e := start(t, "show", hash, "--state", state).finish(ui.ExitDone, "complete"); len(e["files"].([]any)) == 0 {
		t.Errorf("show: %v", e)
	}
	r := start(t, "seed", hash, "--dir", to, "--state", state, "--no-dht", "--listen", "127.0.0.1:0")
	r.await("up", nil)
	r.signals <- syscall.SIGTERM
	r.finish(ui.ExitDone, "complete")
	start(t, "get", hash, "--metadata-only", "-o", filepath.Join(to, "x.torrent"), "--state", state, "--no-dht", "--listen", "127.0.0.1:0").finish(ui.ExitDone, "complete")
	start(t, "verify", filepath.Join(to, "x.torrent"), "--dir", to, "--state", state).finish(ui.ExitDone, "complete")

	// Damage counts as nothing.
	if err := os.WriteFile(filepath.Join(state, "metadata", hash+".torrent"), []byte("d4:info3:abce"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, "verify", hash, "--dir", to, "--state", state).finish(ui.ExitSource, "error")
	start(t, "verify", hash, "--dir", to, "--state", "none").finish(ui.ExitSource, "error")
}
