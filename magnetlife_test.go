package shoal_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"shoal"
)

// A magnet is remembered before its metadata is here, with the rules and names for files that
// nobody knows yet. Until then methods that need the metadata say so.
func TestMagnetIsRemembered(t *testing.T) {
	ctx := t.Context()
	from, to, state := t.TempDir(), t.TempDir(), t.TempDir()
	for name, content := range map[string][]byte{"a.txt": bytes.Repeat([]byte("a"), 50_000), "b.txt": bytes.Repeat([]byte("b"), 90_000), "c.iso": []byte("c")} {
		if err := os.MkdirAll(filepath.Join(from, "three"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(from, "three", name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	made, err := shoal.Create(ctx, shoal.CreateOptions{Path: filepath.Join(from, "three"), PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	off := shoal.DHTConfig{Off: true}
	seeder, err := shoal.New(shoal.Config{Listen: anyPort, DHT: off})
	if err != nil {
		t.Fatal(err)
	}
	defer seeder.Close(context.Background())
	cfg := shoal.Config{Listen: anyPort, DHT: off, StateDir: state, Remember: true}
	e, err := shoal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tor, err := e.AddMagnet("magnet:?xt=urn:btih:"+made.InfoHash+"&dn=by+link", shoal.AddOptions{
		Dir: to, Peers: []netip.AddrPort{seeder.Addr()},
		Files:  []shoal.FileRule{{Pattern: "**", Priority: shoal.PrioritySkip}, {Pattern: "*.txt", Priority: shoal.PriorityHigh}, {Pattern: "a.txt", Priority: shoal.PrioritySkip}},
		Rename: map[string]string{"three/b.txt": "three/renamed.txt"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, metainfo := tor.Metainfo()
	_, open := tor.Open(ctx, "three/b.txt")
	_, verify := tor.Verify(ctx, nil)
	for what, err := range map[string]error{
		"Metainfo": metainfo, "Open": open, "Verify": verify, "Move": tor.Move(ctx, t.TempDir(), nil), "Rename": tor.Rename(ctx, "a", "b"),
		"SetPriority": tor.SetPriority("three", shoal.PriorityLow), "SetPriorities": tor.SetPriorities(nil),
	} {
		if !errors.Is(err, shoal.ErrNoMetadata) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if entries, err := fs.ReadDir(tor.FS(ctx), "."); err != nil || len(entries)+len(tor.Files()) != 0 {
		t.Errorf("its files: %v, %v", entries, err)
	}
	if s := tor.Stats(); s.State != shoal.StateMetadata || tor.HasMetadata() || tor.Name() != "by link" || tor.Path() != to || tor.Private() ||
		tor.MagnetLink() != "magnet:?xt=urn:btih:"+made.InfoHash+"&dn=by%20link" || tor.InfoHash() != made.InfoHash || s.Size != 0 {
		t.Errorf("%s is %s, at %s: %s", tor.Name(), s.State, tor.Path(), tor.MagnetLink())
	}
	if _, err := e.AddMagnet(tor.MagnetLink(), shoal.AddOptions{Dir: to}); !errors.Is(err, shoal.ErrDuplicate) {
		t.Errorf("twice: %v", err)
	}
	if found, ok := e.Torrent(made.InfoHash); !ok || found != tor || e.Torrents()[0] != tor || e.Remembered()[0].Torrent != tor {
		t.Error("it has another handle")
	}
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if all, _, err := shoal.ListRemembered(ctx, state); err != nil || len(all) != 1 || all[0].Name != "by link" || all[0].HasMetadata || all[0].Dir != to {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := shoal.KeptMetainfo(state, made.InfoHash); !errors.Is(err, shoal.ErrUnknown) {
		t.Errorf("its metadata is kept: %v", err)
	}

	if _, err := seeder.Add(shoal.AddOptions{Metainfo: made.Metainfo, Dir: from}); err != nil {
		t.Fatal(err)
	}
	if e, err = shoal.New(cfg); err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	tor = e.Torrents()[0]
	if err := tor.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{"renamed.txt": true, "b.txt": false, "a.txt": false, "c.iso": false} {
		if _, err := os.Stat(filepath.Join(to, "three", name)); (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
	}
	if raw, err := shoal.KeptMetainfo(state, made.InfoHash); err != nil || len(raw) == 0 {
		t.Errorf("its metadata is not kept: %v", err)
	}
}

// Rules that are malformed, or leave no file, are mistakes.
func TestFileRules(t *testing.T) {
	raw, dir := padded(t, "4:attr1:p", ".pad/12768")
	e, err := shoal.New(shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	for name, rules := range map[string][]shoal.FileRule{
		"a bracket is open":   {{Pattern: "["}},
		"an empty pattern":    {{}},
		"no such priority":    {{Pattern: "*", Priority: "soon"}},
		"nothing is left":     {{Pattern: "**", Priority: shoal.PrioritySkip}},
		"skipped by its name": {{Pattern: "**"}, {Pattern: "*", Priority: shoal.PrioritySkip}},
	} {
		if _, err := e.Add(shoal.AddOptions{Metainfo: raw, Dir: dir, Files: rules}); !errors.Is(err, shoal.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
