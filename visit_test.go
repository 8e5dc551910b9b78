package shoal_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"shoal"
)

// A visit moves files and keeps everything else that is remembered; what is remembered can be
// read while an engine has it.
func TestVisit(t *testing.T) {
	ctx := t.Context()
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	state := filepath.Join(t.TempDir(), "state")
	cfg := shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}, StateDir: state, Remember: true}
	e, err := shoal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir, IncompleteSuffix: ".part", Paused: true, Share: &shoal.ShareLimits{Ratio: 3}})
	if err != nil {
		t.Fatal(err)
	}
	hash := tor.InfoHash()
	if err := e.Save(ctx); err != nil {
		t.Fatal(err)
	}
	r, raw, err := shoal.ReadRemembered(state, hash)
	if err != nil || r.Name != tor.Name() || r.Dir != dir || string(raw) != string(metainfo) {
		t.Errorf("read while it runs: %+v, %v", r, err)
	}
	if all, err := shoal.PeekRemembered(state); err != nil || len(all) != 1 || all[0].InfoHash != hash {
		t.Errorf("all of them: %+v, %v", all, err)
	}
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}

	cfg.AtRest = true
	if e, err = shoal.New(cfg); err != nil {
		t.Fatal(err)
	}
	if n := len(e.Torrents()); n != 0 {
		t.Errorf("%d torrents run at rest", n)
	}
	if tor, err = e.Visit(hash, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := tor.WaitChecked(ctx); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := tor.Move(ctx, to, nil); err != nil {
		t.Fatal(err)
	}
	tor.Stop(ctx)
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}

	cfg.AtRest = false
	if e, err = shoal.New(cfg); err != nil {
		t.Fatal(err)
	}
	defer e.Close(ctx)
	all := e.Remembered()
	if len(all) != 1 || all[0].Dir != to || all[0].Stopped || all[0].Torrent == nil {
		t.Fatalf("after the visit: %+v", all)
	}
	tor = all[0].Torrent
	if l, own := tor.ShareLimits(); !own || l.Ratio != 3 {
		t.Errorf("share limits: %+v", l)
	}
	if s, err := tor.WaitChecked(ctx); err != nil || s.Have != s.Pieces || s.Hashed != 0 || s.State != shoal.StatePaused {
		t.Errorf("after the visit: %+v, %v", s, err)
	}
	if _, err := e.Visit(hash, ""); !errors.Is(err, shoal.ErrDuplicate) {
		t.Errorf("a visit of a torrent that runs: %v", err)
	}
	if _, err := e.Visit("00"+hash[2:], ""); !errors.Is(err, shoal.ErrUnknown) {
		t.Errorf("a visit of nothing: %v", err)
	}
}

// What is kept is bounded, read back only when it is the torrent, and the oldest goes.
func TestKeptMetainfo(t *testing.T) {
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	state := t.TempDir()
	if err := shoal.KeepMetainfo(state, metainfo); err != nil {
		t.Fatal(err)
	}
	if err := shoal.KeepMetainfo(state, []byte("de")); !errors.Is(err, shoal.ErrNotTorrent) {
		t.Errorf("keep nothing: %v", err)
	}
	names, err := filepath.Glob(filepath.Join(state, "metadata", "*.torrent"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	hash := filepath.Base(names[0])[:40]
	if raw, err := shoal.KeptMetainfo(state, hash); err != nil || len(raw) == 0 {
		t.Errorf("read: %d bytes, %v", len(raw), err)
	}
	other := "00" + hash[2:]
	if err := os.Rename(names[0], filepath.Join(state, "metadata", other+".torrent")); err != nil {
		t.Fatal(err)
	}
	for _, h := range []string{hash, other, "nothing", ""} {
		if _, err := shoal.KeptMetainfo(state, h); !errors.Is(err, shoal.ErrUnknown) {
			t.Errorf("%s: %v", h, err)
		}
	}
}
