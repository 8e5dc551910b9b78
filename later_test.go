package shoal_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal"
	"shoal/metainfo"
)

// seeded starts an engine that seeds the album.
func seeded(t *testing.T) (metainfo []byte, peer netip.AddrPort) {
	t.Helper()
	dir, metainfo := album(t)
	e := removeEngine(t, "", false)
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := tor.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return metainfo, e.Addr()
}

// Peers that are named before the torrent is checked are dialled once it is.
func TestPeersBeforeTheCheck(t *testing.T) {
	metainfo, peer := seeded(t)
	tor, err := removeEngine(t, "", false).Add(shoal.AddOptions{Metainfo: metainfo, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	tor.AddPeers(peer)
	if err := tor.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// Pieces come in order once the user says so, and that is remembered.
func TestSequentialLater(t *testing.T) {
	ctx := t.Context()
	metainfo, peer := seeded(t)
	state := t.TempDir()
	var trace bytes.Buffer
	cfg := shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}, StateDir: state, Remember: true, Trace: &trace}
	e, err := shoal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tor.WaitChecked(ctx); err != nil {
		t.Fatal(err)
	}
	if tor.Sequential() {
		t.Error("sequential from the start")
	}
	tor.SetSequential(true)
	tor.AddPeers(peer)
	if err := tor.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(trace.String(), `"in-order"`) {
		t.Error("no piece was requested in order")
	}
	cfg.Trace = nil
	if e, err = shoal.New(cfg); err != nil {
		t.Fatal(err)
	}
	defer e.Close(ctx)
	if again := e.Torrents(); len(again) != 1 || !again[0].Sequential() {
		t.Errorf("after a restart: %d torrents", len(again))
	}
}

// One file or a folder is skipped by its path.
func TestSetPriority(t *testing.T) {
	_, metainfo := album(t)
	tor, err := removeEngine(t, "", false).Add(shoal.AddOptions{Metainfo: metainfo, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := tor.SetPriority("album/one", shoal.PriorityHigh); err != nil {
		t.Error(err)
	}
	if err := tor.SetPriority("album/disc", shoal.PrioritySkip); err != nil {
		t.Error(err)
	}
	for _, f := range tor.Files() {
		want := map[string]shoal.Priority{"album/disc/three": shoal.PrioritySkip, "album/one": shoal.PriorityHigh, "album/two": shoal.PriorityNormal}
		if f.Priority != want[f.Path] {
			t.Errorf("%s has priority %s", f.Path, f.Priority)
		}
	}
	if err := tor.SetPriority("album/dis", shoal.PrioritySkip); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
	if err := tor.SetPriority("album/two", "first"); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("no such priority: %v", err)
	}
}

// A torrent is added by the name of its file, also a compressed one.
func TestAddFile(t *testing.T) {
	dir, metainfo := album(t)
	e := removeEngine(t, "", false)
	name := filepath.Join(dir, "a.torrent.gz")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(metainfo)
	w.Close()
	for text, want := range map[string]error{
		"":              shoal.ErrNotTorrent,
		"<html></html>": shoal.ErrNotTorrent,
		"magnet:?xt=urn:btih:" + strings.Repeat("a", 40): shoal.ErrNotTorrent,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := e.AddFile(name, shoal.AddOptions{Dir: dir}); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := e.AddFile(filepath.Join(dir, "none"), shoal.AddOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(name, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	tor, err := e.AddFile(name, shoal.AddOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := tor.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// A torrent that the caller has parsed is taken, unless it is another one.
func TestAddParsed(t *testing.T) {
	dir, raw := album(t)
	mine, err := metainfo.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	other := *mine
	other.Info = new(metainfo.Info)
	*other.Info = *mine.Info
	other.Info.Raw = bytes.Replace(mine.Info.Raw, []byte("album"), []byte("other"), 1)
	e := removeEngine(t, "", false)
	for _, c := range []struct {
		metainfo []byte
		parsed   *metainfo.Torrent
		want     error
	}{{raw, &other, shoal.ErrConfig}, {nil, mine, shoal.ErrConfig}, {raw, mine, nil}} {
		if _, err := shoal.Verify(t.Context(), shoal.VerifyOptions{Metainfo: c.metainfo, Parsed: c.parsed, Dir: dir}); !errors.Is(err, c.want) {
			t.Errorf("verify: %v, want %v", err, c.want)
		}
		if _, err := e.Add(shoal.AddOptions{Metainfo: c.metainfo, Parsed: c.parsed, Dir: dir}); !errors.Is(err, c.want) {
			t.Errorf("add: %v, want %v", err, c.want)
		}
	}
}

// What is set for the engine and a torrent can be read again.
func TestGetters(t *testing.T) {
	_, metainfo := album(t)
	e := removeEngine(t, "", false)
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	queue := shoal.Queue{Downloads: 3, SlowUp: 1}
	if err := e.SetQueue(queue); err != nil || e.Queue() != queue {
		t.Errorf("queue: %+v, %v", e.Queue(), err)
	}
	if err := e.SetQueue(shoal.Queue{}); err != nil || e.Queue() != (shoal.Queue{}) {
		t.Errorf("no queue: %+v, %v", e.Queue(), err)
	}
	share := shoal.ShareLimits{Ratio: 2, Then: shoal.ShareRemove}
	if err := e.SetShareLimits(share); err != nil || e.ShareLimits() != share {
		t.Errorf("share limits: %+v, %v", e.ShareLimits(), err)
	}
	if got, own := tor.ShareLimits(); got != share || own {
		t.Errorf("share limits of the torrent: %+v, own %v", got, own)
	}
	limits := shoal.Limits{Up: 1 << 20, PeerDown: 5}
	if err := tor.SetLimits(limits); err != nil || tor.Limits() != limits {
		t.Errorf("limits: %+v, %v", tor.Limits(), err)
	}
	if tor.SetForced(true); !tor.Forced() {
		t.Error("not forced")
	}
}
