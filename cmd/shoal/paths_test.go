package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
)

// as compares files under other names with what was shared.
func (s share) as(t *testing.T, dir string, names map[string]string) {
	t.Helper()
	for was, is := range names {
		want, err := os.ReadFile(filepath.Join(s.dir, "files", filepath.FromSlash(was)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(is))); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s as %s: %d bytes instead of %d, or others (%v)", was, is, len(got), len(want), err)
		}
	}
}

// Files and folders get other names, and are known by them from then on.
func TestRename(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	dir, state := t.TempDir(), t.TempDir()
	with := func(words ...string) []string { return append(words, "--dir", dir, "--state", state) }
	get := with("get", s.torrent, "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr)
	start(t, append(get, "--rename", "one.bin=first.bin")...).finish(ui.ExitDone, "complete")
	s.as(t, dir, map[string]string{"one.bin": "files/first.bin"})

	e := start(t, with("rename", s.torrent, "files", "other")...).finish(ui.ExitDone, "complete")
	if e["from"] != "files" || e["to"] != "other" {
		t.Errorf("said %v", e)
	}
	start(t, with("rename", s.torrent, "first.bin", "alone/at last.bin")...).finish(ui.ExitDone, "complete")
	s.as(t, dir, map[string]string{"one.bin": "alone/at last.bin"})
	if _, err := os.Lstat(filepath.Join(dir, "files")); !os.IsNotExist(err) {
		t.Errorf("the old folder: %v", err)
	}
	r := start(t, get...)
	if done := r.finish(ui.ExitDone, "complete"); number(t, done, "downloaded") != 0 || done["path"] != dir {
		t.Errorf("afterwards: %v", done)
	}
	if e := r.await("checked", nil); number(t, e, "hashed") != 0 {
		t.Errorf("hashed for it: %v", e)
	}
	v := start(t, with("verify", s.torrent)...)
	v.finish(ui.ExitDone, "complete")
	if text := v.text(); !strings.Contains(text, "alone/at last.bin") {
		t.Errorf("verify knows nothing of it: %s", text)
	}

	// What can't be is told, with what to do.
	for _, c := range []struct {
		file, to, want string
		code           int
	}{
		{"at last.bin", "../out.bin", "is not a name", ui.ExitUsage},
		{"at last.bin", "con.shoal-new", `"con_shoal-new" is`, ui.ExitUsage},
		{"none.bin", "x.bin", "no file or folder", ui.ExitUsage},
		{"at last.bin", "mine.bin", "exists", ui.ExitFailed},
	} {
		files(t, []string{"write", filepath.Join(dir, "alone", "mine.bin"), "100"})
		e := start(t, with("rename", s.torrent, c.file, c.to)...).finish(c.code, "error")
		if !strings.Contains(e["message"].(string), c.want) || c.code == ui.ExitFailed && e["hint"] == nil {
			t.Errorf("%s to %s: %v", c.file, c.to, e)
		}
	}
	start(t, "get", s.torrent, "--dir", t.TempDir(), "--state", state, "--rename", "nothing").finish(ui.ExitUsage, "error")
	start(t, "get", s.torrent, "--dir", t.TempDir(), "--state", state, "--rename", "one.bin=/etc/x").finish(ui.ExitUsage, "error")
	start(t, "rename", s.torrent, "one.bin", "x", "--state", "none").finish(ui.ExitUsage, "error")
}

// Files that are not complete have a suffix, and lie in another folder; in the end they
// are where they belong.
func TestIncomplete(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	dir, aside, state := t.TempDir(), t.TempDir(), t.TempDir()
	get := []string{"get", s.torrent, "--dir", dir, "--state", state, "--no-dht", "--listen", "127.0.0.1:0"}
	options := append(get, "--incomplete-suffix", ".part", "--incomplete-dir", aside)
	r := start(t, options...) // nobody to fetch from
	r.await("checked", nil)
	if list, _ := os.ReadDir(dir); len(list) > 0 {
		t.Errorf("made before its time: %v", list)
	}
	if list, _ := os.ReadDir(aside); len(list) == 0 {
		t.Error("nothing is prepared in the other folder")
	}
	r.signals <- os.Interrupt
	r.finish(ui.ExitInterrupted, "error")

	done := start(t, append(get, "--peer", addr)...).finish(ui.ExitDone, "complete") // without the options
	if done["path"] != filepath.Join(dir, "files") {
		t.Errorf("said %v", done)
	}
	s.sameFiles(t, dir)
	if list, _ := os.ReadDir(aside); len(list) > 0 {
		t.Errorf("left behind: %v", list)
	}
	start(t, append(get, "--incomplete-suffix", "part")...).finish(ui.ExitUsage, "error")
	start(t, append(get, "--incomplete-dir", filepath.Join(dir, "none"))...).finish(ui.ExitUsage, "error")
}

// Where everything is gone, on a device that the files were not on, that is told, and
// --anew has it fetched again.
func TestAnew(t *testing.T) {
	shm, err := os.MkdirTemp("/dev/shm", "shoal")
	if err != nil {
		t.Skip("there is no second device")
	}
	t.Cleanup(func() { os.RemoveAll(shm) })
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	link, other, state := filepath.Join(t.TempDir(), "volume"), t.TempDir(), t.TempDir()
	if err := os.Symlink(shm, link); err != nil {
		t.Fatal(err)
	}
	get := []string{"get", s.torrent, "--dir", link, "--state", state, "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr}
	start(t, get...).finish(ui.ExitDone, "complete")
	s.sameFiles(t, shm)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	if e := start(t, get...).finish(ui.ExitFailed, "error"); !strings.Contains(e["hint"].(string), "--anew") {
		t.Errorf("said %v", e)
	}
	if list, _ := os.ReadDir(other); len(list) > 0 {
		t.Errorf("made in an empty mount point: %v", list)
	}
	if done := start(t, append(get, "--anew")...).finish(ui.ExitDone, "complete"); number(t, done, "downloaded") != s.size {
		t.Errorf("fetched %v", done)
	}
	s.sameFiles(t, other)
}

// A check that Ctrl-C ends goes on where it was, and says which files are wrong.
func TestVerifyGoesOn(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	torrent := filepath.Join(dir, "big.torrent")
	for _, name := range []string{"one.bin", "two.bin"} {
		files(t, []string{"write", filepath.Join(dir, "big", name), "64000000"})
	}
	start(t, "create", filepath.Join(dir, "big"), "-o", torrent, "--piece-length", "16KiB").finish(ui.ExitDone, "complete")
	verify := []string{"verify", torrent, "--dir", dir, "--state", state}
	r := start(t, verify...)
	r.await("progress", nil)
	r.signals <- os.Interrupt
	if e := r.finish(ui.ExitInterrupted, "error"); !strings.Contains(e["hint"].(string), "goes on from there") {
		t.Errorf("said %v", e)
	}
	files(t, []string{"damage", filepath.Join(dir, "big", "two.bin"), "5000000"})
	r = start(t, verify...)
	if e := r.finish(ui.ExitFailed, "error"); !strings.Contains(e["message"].(string), "1 of 7,813 pieces missing or bad") {
		t.Errorf("said %v", e)
	}
	v := r.await("verified", nil)
	for _, f := range v["files"].([]any) {
		f := f.(map[string]any)
		if wrong := number(t, f, "verified_bytes") < number(t, f, "size"); wrong != (f["path"] == "big/two.bin") {
			t.Errorf("said %v", f)
		}
	}
	if n := number(t, start(t, append(verify, "--again")...).await("verified", nil), "hashed"); n != number(t, v, "pieces") {
		t.Errorf("again, %d were hashed", n)
	}
}
