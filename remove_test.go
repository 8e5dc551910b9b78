package shoal_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal"
)

// album makes a torrent of a folder with three files.
func album(t *testing.T) (dir string, metainfo []byte) {
	t.Helper()
	dir = t.TempDir()
	for name, n := range map[string]int{"one": 70000, "two": 10, "disc/three": 50000} {
		at := filepath.Join(dir, "album", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(strings.Repeat(name[:1], n)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	made, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: filepath.Join(dir, "album"), PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return dir, made.Metainfo
}

func removeEngine(t *testing.T, state string, remember bool) *shoal.Engine {
	t.Helper()
	e, err := shoal.New(shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}, StateDir: state, Remember: remember})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

// Stop keeps a torrent on the list, Remove takes it off, and DeleteFiles its own files with it:
// running, stopped, remembered or not, and in an engine without a folder of state.
func TestRemoveDeletesFiles(t *testing.T) {
	for _, c := range []struct {
		name            string
		state, remember bool
		stopFirst       bool
	}{
		{"remembered and running", true, true, false},
		{"remembered and stopped", true, true, true},
		{"with journals alone", true, false, false},
		{"without a folder of state", false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, metainfo := album(t)
			state := ""
			if c.state {
				state = t.TempDir()
			}
			e := removeEngine(t, state, c.remember)
			tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if err := tor.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if c.stopFirst {
				tor.Stop(t.Context())
				if all := e.Remembered(); len(all) != 1 || !all[0].Stopped {
					t.Errorf("after Stop: %+v", all)
				}
			}
			mine := filepath.Join(dir, "album", "disc", "mine")
			if err := os.WriteFile(mine, []byte("a note"), 0o666); err != nil {
				t.Fatal(err)
			}
			res, err := e.Remove(t.Context(), tor.InfoHash(), shoal.RemoveOptions{DeleteFiles: true})
			if err != nil || len(res.Removed) != 3 || res.Freed != 120010 || len(res.Left) != 0 {
				t.Errorf("%+v, %v", res, err)
			}
			if entries, err := os.ReadDir(filepath.Join(dir, "album")); err != nil || len(entries) != 1 {
				t.Errorf("the folder has %v, %v", entries, err)
			}
			if _, err := os.Stat(mine); err != nil {
				t.Error(err)
			}
			if len(e.Torrents())+len(e.Remembered()) != 0 {
				t.Error("it is still on a list")
			}
			if c.state {
				left, _ := filepath.Glob(filepath.Join(state, "journals", "*", "*.journal"))
				if len(left) > 0 {
					t.Errorf("journals are left: %q", left)
				}
			}
		})
	}
}

// Two torrents have one file: it goes with the second of them.
func TestRemoveKeepsSharedFiles(t *testing.T) {
	dir, metainfo := album(t)
	one, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: filepath.Join(dir, "album", "one"), PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	e := removeEngine(t, t.TempDir(), true)
	first, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.Add(shoal.AddOptions{Metainfo: one.Metainfo, Dir: filepath.Join(dir, "album")})
	if err != nil {
		t.Fatal(err)
	}
	for _, tor := range []*shoal.Torrent{first, second} {
		if err := tor.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	second.Stop(t.Context()) // it is remembered all the same
	res, err := first.Remove(t.Context(), shoal.RemoveOptions{DeleteFiles: true})
	if err != nil || len(res.Removed) != 2 || len(res.Left) != 1 || !strings.Contains(res.Left[0].Why, "the torrent one has it") {
		t.Errorf("%+v, %v", res, err)
	}
	res, err = second.Remove(t.Context(), shoal.RemoveOptions{DeleteFiles: true})
	if err != nil || len(res.Removed) != 1 || len(res.Left) != 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

// Where the volume is away the torrent stops, and stays on the list until it is back.
func TestRemoveWaitsForVolume(t *testing.T) {
	dir, metainfo := album(t)
	state := t.TempDir()
	e := removeEngine(t, state, true)
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := tor.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	away := dir + ".away"
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	hash, gone := tor.InfoHash(), shoal.RemoveOptions{DeleteFiles: true}
	if res, err := shoal.RemoveRemembered(t.Context(), state, hash, gone); !errors.Is(err, fs.ErrNotExist) || len(res.Removed) > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	if res, err := shoal.RemoveRemembered(t.Context(), state, hash, gone); err != nil || len(res.Removed) != 3 {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := shoal.RemoveRemembered(t.Context(), state, hash, gone); !errors.Is(err, shoal.ErrUnknown) {
		t.Errorf("once more: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "album")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
}

// A torrent that was renamed and has come in half is removed by the names of its files.
func TestRemoveHalfDownloaded(t *testing.T) {
	dir, metainfo := album(t)
	if err := os.Remove(filepath.Join(dir, "album", "disc", "three")); err != nil {
		t.Fatal(err)
	}
	e := removeEngine(t, t.TempDir(), true)
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir, IncompleteSuffix: ".part", Rename: map[string]string{"album": "mine/set"}})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := tor.WaitChecked(t.Context()); err != nil || s.Have == 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	res, err := tor.Remove(t.Context(), shoal.RemoveOptions{DeleteFiles: true})
	if err != nil || len(res.Left) != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}
