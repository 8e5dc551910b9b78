package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/cli/ui"
)

// elsewhere is a torrent that shoal run remembers in the folder old, whose files are there.
type elsewhere struct {
	t               *testing.T
	s               share
	state, old, new string
	peer            string // a seed
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	k := &elsewhere{t: t, s: newShare(t), new: filepath.Join(t.TempDir(), "new")}
	k.state, k.old = ran(t, k.s)
	_, k.peer = seedFrom(t, k.s.dir, k.s.torrent, "--no-dht", "--state", "none")
	return k
}

// start starts a command with this folder of state and the seed.
func (k *elsewhere) start(args ...string) *running {
	k.t.Helper()
	switch args[0] {
	case "run", "get", "serve", "seed":
		args = append(args, "--no-dht", "--listen", "127.0.0.1:0", "--peer", k.peer)
	}
	return start(k.t, append(args, "--state", k.state)...)
}

// dir returns the folder that the list has.
func (k *elsewhere) dir() string {
	k.t.Helper()
	return start(k.t, "list", "--state", k.state).await("remembered", nil)["dir"].(string)
}

// gone removes the old folder, and copied copies the files into the new one.
func (k *elsewhere) gone() {
	k.t.Helper()
	if err := os.RemoveAll(k.old); err != nil {
		k.t.Fatal(err)
	}
}

func (k *elsewhere) copied() {
	k.t.Helper()
	if err := os.CopyFS(k.new, os.DirFS(k.s.dir)); err != nil {
		k.t.Fatal(err)
	}
}

// runs runs the torrent until it is complete, and returns what was fetched and what was said.
func (k *elsewhere) runs(args ...string) (fetched int64, said string) {
	k.t.Helper()
	r := k.start(append([]string{"run"}, args...)...)
	if number(k.t, r.await("up", nil), "complete") == 0 {
		r.await("finished", nil)
	}
	r.signals <- syscall.SIGTERM
	return number(k.t, r.finish(ui.ExitDone, "complete"), "downloaded"), r.text() + r.stderr.String()
}

// shoal run T --dir NEW of a torrent that is remembered in OLD uses NEW, and fetches nothing
// that lies in one of the two.
func TestRunElsewhere(t *testing.T) {
	for name, tt := range map[string]struct {
		plant  func(k *elsewhere)
		source string // "": the .torrent file; "folder", "hash", "magnet", "name"
		dir    string // "": NEW; "none": not named; "same", "linked": OLD
		flags  []string

		fetches  bool
		goesTo   string // "new" or "old"
		says     string
		relisted bool
		oldStays bool
	}{
		"the old folder is gone, and the new one has it": {
			plant: func(k *elsewhere) { k.copied(); k.gone() }, goesTo: "new", relisted: true,
		},
		"by its info-hash": {
			plant: func(k *elsewhere) { k.copied(); k.gone() }, source: "hash", goesTo: "new", relisted: true,
		},
		"by a link": {
			plant: func(k *elsewhere) { k.copied(); k.gone() }, source: "magnet", goesTo: "new", relisted: true,
		},
		"by its name": {
			plant: func(k *elsewhere) { k.copied(); k.gone() }, source: "name", goesTo: "new", relisted: true,
		},
		"in a folder of torrents": {
			plant: func(k *elsewhere) { k.copied(); k.gone() }, source: "folder", goesTo: "new", relisted: true,
		},
		"the old folder is gone, and the new one is empty": {
			plant: func(k *elsewhere) { k.gone() }, goesTo: "new", fetches: true, relisted: true,
		},
		"the files are gone from the old folder": {
			plant: func(k *elsewhere) { k.gone(); os.Mkdir(k.old, 0o777) }, goesTo: "new", fetches: true, relisted: true,
		},
		"the old folder is gone, and the new one has a part": {
			plant: func(k *elsewhere) {
				k.copied()
				k.gone()
				if err := os.Remove(filepath.Join(k.new, "files", "one.bin")); err != nil {
					k.t.Fatal(err)
				}
			},
			goesTo: "new", fetches: true, relisted: true,
		},
		"both have it": {
			plant: func(k *elsewhere) { k.copied() }, goesTo: "new", relisted: true, oldStays: true,
		},
		"only the old folder has it": {
			goesTo: "old", says: "shoal move files", oldStays: true,
		},
		"the new one has other files of these names": {
			plant: func(k *elsewhere) {
				for name := range shared {
					path := filepath.Join(k.new, "files", filepath.FromSlash(name))
					if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
						k.t.Fatal(err)
					}
					if err := os.WriteFile(path, []byte("mine"), 0o666); err != nil {
						k.t.Fatal(err)
					}
				}
			},
			goesTo: "old", says: "--anew", oldStays: true,
		},
		"it is wanted again": {
			flags: []string{"--anew"}, goesTo: "new", fetches: true, relisted: true, oldStays: true,
		},
		"no folder is named": {dir: "none", goesTo: "old", oldStays: true},
		"the same folder":    {dir: "same", goesTo: "old", oldStays: true},
		"a link to it":       {dir: "linked", goesTo: "old", oldStays: true},
	} {
		t.Run(name, func(t *testing.T) {
			k := newElsewhere(t)
			if tt.plant != nil {
				tt.plant(k)
			}
			hash := start(t, "show", k.s.torrent).finish(ui.ExitDone, "complete")["info_hash"].(string)
			args := []string{map[string]string{
				"": k.s.torrent, "hash": hash, "magnet": "magnet:?xt=urn:btih:" + hash, "name": "files", "folder": filepath.Dir(k.s.torrent),
			}[tt.source]}
			switch tt.dir {
			case "":
				args = append(args, "--dir", k.new)
			case "same":
				args = append(args, "--dir", k.old+"/.")
			case "linked":
				link := filepath.Join(t.TempDir(), "link")
				if err := os.Symlink(k.old, link); err != nil {
					t.Skip(err)
				}
				args = append(args, "--dir", link)
			}
			fetched, said := k.runs(append(args, tt.flags...)...)
			if (fetched > 0) != tt.fetches {
				t.Errorf("fetched %d bytes", fetched)
			}
			want := map[string]string{"new": k.new, "old": k.old}[tt.goesTo]
			if dir := k.dir(); dir != want {
				t.Errorf("the list has %s, want %s", dir, want)
			}
			k.s.sameFiles(t, want)
			if !strings.Contains(said, tt.says) || strings.Contains(said, `"relisted"`) != tt.relisted {
				t.Errorf("said: %s", said)
			}
			if tt.oldStays {
				k.s.sameFiles(t, k.old)
			}
			if _, err := os.Stat(k.new); tt.goesTo == "old" && tt.plant == nil && err == nil {
				t.Error("the new folder was made for nothing")
			}
			// And so it stays.
			if fetched, _ := k.runs(); fetched > 0 {
				t.Errorf("the next run fetched %d bytes", fetched)
			}
		})
	}
}

// A torrent that the user did not name himself waits for its folder: the volume may come back.
func TestWaitsForItsFolder(t *testing.T) {
	k := newElsewhere(t)
	k.gone()
	r := k.start("run", filepath.Dir(k.s.torrent), "--dir", k.new)
	if w := r.await("warning", nil); !strings.Contains(w["message"].(string), "is waited for in "+k.old) {
		t.Errorf("said %v", w)
	}
	if e := r.await("torrent", nil); e["dir"] != k.old {
		t.Errorf("it runs in %v", e["dir"])
	}
	r.signals <- syscall.SIGTERM
	<-r.done
	if dir := k.dir(); dir != k.old {
		t.Errorf("the list has %s", dir)
	}
}

// The commands that leave the list as it is use the folder that is named, or the one of the
// list where nothing lies in the current folder, and do not fetch what lies there.
func TestElsewhere(t *testing.T) {
	k := newElsewhere(t)
	t.Chdir(t.TempDir())
	refused := func(args ...string) {
		t.Helper()
		e := k.start(args...).finish(ui.ExitFailed, "error")
		hint, _ := e["hint"].(string)
		if !strings.Contains(e["message"].(string)+hint, k.old) || !strings.Contains(hint, "shoal move") {
			t.Errorf("%v: %v", args, e)
		}
		if strings.HasPrefix(args[0], "get") && !strings.Contains(hint, "--anew") {
			t.Errorf("%v: %v", args, e)
		}
	}
	refused("get", k.s.torrent, "--dir", k.new)
	refused("get", k.s.torrent)
	refused("get", "files", "--dir", k.new)
	refused("serve", k.s.torrent, "--dir", k.new)
	refused("seed", k.s.torrent, "--dir", t.TempDir())
	refused("verify", k.s.torrent, "--dir", t.TempDir())
	if _, err := os.Stat(k.new); err == nil {
		t.Error("a folder was made for nothing")
	}

	for _, args := range [][]string{{"seed", k.s.torrent}, {"serve", "files"}} {
		r := k.start(args...)
		if e := r.await("torrent", nil); e["dir"] != k.old {
			t.Errorf("%v: %v", args, e)
		}
		r.await(map[string]string{"seed": "up", "serve": "serving"}[args[0]], nil)
		r.signals <- syscall.SIGTERM
		<-r.done
	}
	start(t, "verify", k.s.torrent, "--state", k.state).finish(ui.ExitDone, "complete")
	if e := k.start("get", k.s.torrent, "--dir", k.old).finish(ui.ExitDone, "complete"); number(t, e, "downloaded") != 0 {
		t.Errorf("in the old folder: %v", e)
	}
	if e := k.start("get", k.s.torrent, "--dir", k.new, "--anew").finish(ui.ExitDone, "complete"); number(t, e, "downloaded") < k.s.size {
		t.Errorf("with --anew: %v", e)
	}
	// Now both have it.
	if e := k.start("get", k.s.torrent, "--dir", k.new).finish(ui.ExitDone, "complete"); number(t, e, "downloaded") != 0 {
		t.Errorf("where it is: %v", e)
	}
	k.gone()
	third := t.TempDir()
	if e := k.start("get", k.s.torrent, "--dir", third).finish(ui.ExitDone, "complete"); number(t, e, "downloaded") < k.s.size {
		t.Errorf("where the old folder is gone: %v", e)
	}
	if dir := k.dir(); dir != k.old {
		t.Errorf("the list has %s", dir)
	}
}
