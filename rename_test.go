package shoal_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shoal"
)

// Files and folders that are renamed are known by their new names, to who has opened one
// of them before, too.
func TestRename(t *testing.T) {
	tor, files := twoEngines(t, 300_000, shoal.AddOptions{Rename: map[string]string{"film/z.nfo": "film/info.nfo"}})
	if err := tor.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	fsys := tor.FS(t.Context())
	open, err := fsys.Open("film/a.mkv")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	half := make([]byte, 100_000)
	if _, err := io.ReadFull(open, half); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"film/a.mkv", "film/b.mkv"}, {"film/extras", "film/more/extras"}, {"film", "the film"}} {
		if err := tor.Rename(t.Context(), c[0], c[1]); err != nil {
			t.Fatalf("%s to %s: %v", c[0], c[1], err)
		}
		if err := tor.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	rest, err := io.ReadAll(open)
	if err != nil || !bytes.Equal(append(half, rest...), files["film/a.mkv"]) {
		t.Errorf("who had it open read %d bytes, %v", len(rest), err)
	}
	for was, is := range map[string]string{
		"film/a.mkv": "the film/b.mkv", "film/extras/b.txt": "the film/more/extras/b.txt",
		"film/extras/empty": "the film/more/extras/empty", "film/z.nfo": "the film/info.nfo",
	} {
		if got, err := fs.ReadFile(fsys, is); err != nil || !bytes.Equal(got, files[was]) {
			t.Errorf("%s: %d bytes, %v", is, len(got), err)
		}
		if _, err := fs.Stat(fsys, was); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", was, err)
		}
		if b, err := os.ReadFile(filepath.Join(tor.Dir(), filepath.FromSlash(is))); err != nil || !bytes.Equal(b, files[was]) {
			t.Errorf("%s on disk: %d bytes, %v", is, len(b), err)
		}
		if !slices.ContainsFunc(tor.Files(), func(f shoal.File) bool { return f.Path == is && f.Verified == f.Length }) {
			t.Errorf("%s is not among %v", is, tor.Files())
		}
	}
	if tor.Path() != filepath.Join(tor.Dir(), "the film") || tor.Name() != "film" {
		t.Errorf("it is %s at %s", tor.Name(), tor.Path())
	}

	if err := tor.Rename(t.Context(), "none", "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	for _, to := range []string{"../x", "the film/info.nfo", "a.shoal-part", "a/../../b", ""} {
		if err := tor.Rename(t.Context(), "the film/b.mkv", to); !errors.Is(err, shoal.ErrPath) {
			t.Errorf("to %q: %v", to, err)
		}
		if err := tor.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := tor.Verify(t.Context(), nil); err != nil || !r.Complete || r.Hashed != r.Pieces {
		t.Errorf("verify: %+v, %v", r, err)
	}
}

// What can't be is told when a torrent is added.
func TestAddPaths(t *testing.T) {
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	e, err := shoal.New(shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	for _, c := range []struct {
		opt  shoal.AddOptions
		want error
	}{
		{shoal.AddOptions{IncompleteSuffix: "part"}, shoal.ErrConfig},
		{shoal.AddOptions{IncompleteSuffix: ".x/y"}, shoal.ErrConfig},
		{shoal.AddOptions{Rename: map[string]string{"none": "x"}}, fs.ErrNotExist},
	} {
		c.opt.Metainfo, c.opt.Dir = metainfo, dir
		if _, err := e.Add(c.opt); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.opt, err, c.want)
		}
	}
}
