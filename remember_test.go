package shoal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal"
)

// What is remembered can be looked at and forgotten without an engine, and only then; a
// stopped torrent is started, one that is removed is unknown.
func TestRemembered(t *testing.T) {
	ctx := t.Context()
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	state := filepath.Join(t.TempDir(), "state")
	cfg := shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}, StateDir: state, Remember: true}
	if all, problems, err := shoal.ListRemembered(ctx, state); len(all)+len(problems) > 0 || err != nil {
		t.Errorf("of a folder that is not there: %v, %v, %v", all, problems, err)
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("a look made the folder")
	}
	if _, err := shoal.New(shoal.Config{Listen: anyPort, Remember: true}); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("remember without a folder: %v", err)
	}
	e, err := shoal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	hash := tor.InfoHash()
	if err := e.Save(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := shoal.New(cfg); !errors.Is(err, shoal.ErrInUse) || !strings.Contains(err.Error(), state) {
		t.Errorf("a second engine: %v", err)
	}
	if all, problems, err := shoal.ListRemembered(ctx, state); len(all) != 1 || len(problems) > 0 || err != nil || all[0].Stopped || all[0].InfoHash != hash {
		t.Errorf("a look while it runs: %+v, %v, %v", all, problems, err)
	}
	if _, err := shoal.RemoveRemembered(ctx, state, hash, shoal.RemoveOptions{}); !errors.Is(err, shoal.ErrInUse) {
		t.Errorf("forget while it runs: %v", err)
	}
	tor.Stop(ctx)
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := e.Save(ctx); !errors.Is(err, shoal.ErrStopped) {
		t.Errorf("save after close: %v", err)
	}
	all, problems, err := shoal.ListRemembered(ctx, state)
	if len(all) != 1 || len(problems) > 0 || err != nil || !all[0].Stopped || all[0].InfoHash != hash || all[0].Name != "hello.txt" ||
		all[0].Dir != dir || all[0].Size != 13 || all[0].Added.IsZero() {
		t.Errorf("after a stop: %+v, %v, %v", all, problems, err)
	}

	if e, err = shoal.New(cfg); err != nil {
		t.Fatal(err)
	}
	if n := len(e.Torrents()); n != 0 {
		t.Errorf("%d torrents run", n)
	}
	if tor, err = e.StartTorrent(hash, ""); err != nil {
		t.Fatal(err)
	}
	if err := tor.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if s := tor.Stats(); s.Hashed != 0 {
		t.Errorf("%d pieces were hashed", s.Hashed)
	}
	for _, h := range []string{"", "spam", strings.Repeat("0", 40)} {
		if _, err := e.StartTorrent(h, ""); !errors.Is(err, shoal.ErrUnknown) {
			t.Errorf("start %q: %v", h, err)
		}
		if _, err := e.Remove(ctx, h, shoal.RemoveOptions{}); !errors.Is(err, shoal.ErrUnknown) {
			t.Errorf("remove %q: %v", h, err)
		}
	}
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := shoal.RemoveRemembered(ctx, state, strings.Repeat("0", 40), shoal.RemoveOptions{}); !errors.Is(err, shoal.ErrUnknown) {
		t.Errorf("forget another: %v", err)
	}
	if _, err := shoal.RemoveRemembered(ctx, state, hash, shoal.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if all, _, err := shoal.ListRemembered(ctx, state); len(all) > 0 || err != nil {
		t.Errorf("left: %v, %v", all, err)
	}
	if left, _ := filepath.Glob(filepath.Join(state, "journals", "*", "*.journal")); len(left) > 0 {
		t.Errorf("its journal is left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "hello.txt")); err != nil {
		t.Error(err)
	}
}

// A pause shows wherever a remembered torrent does: while it runs, once it is stopped, after a
// restart, and without an engine.
func TestRememberedPause(t *testing.T) {
	ctx := t.Context()
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	cfg := shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}, StateDir: t.TempDir(), Remember: true}
	e, err := shoal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(when string, paused bool, all []shoal.Remembered) {
		t.Helper()
		if len(all) != 1 || all[0].Paused != paused {
			t.Errorf("%s: %+v", when, all)
		}
	}
	expect("before", false, e.Remembered())
	tor.Pause()
	expect("paused", true, e.Remembered())
	tor.Stop(ctx)
	expect("stopped", true, e.Remembered())
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	all, _, err := shoal.ListRemembered(ctx, cfg.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	expect("without an engine", true, all)
	if e, err = shoal.New(cfg); err != nil {
		t.Fatal(err)
	}
	defer e.Close(ctx)
	expect("after a restart", true, e.Remembered())
	if tor, err = e.StartTorrent(all[0].InfoHash, ""); err != nil {
		t.Fatal(err)
	}
	expect("started", true, e.Remembered())
	tor.Resume()
	expect("resumed", false, e.Remembered())
}
