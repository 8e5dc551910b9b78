package shoal_test

import (
	"errors"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal"
)

// What is no limit is refused; what is one holds for all torrents, or for one.
func TestShareLimits(t *testing.T) {
	cfg := shoal.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), DHT: shoal.DHTConfig{Off: true}}
	cfg.Share.Ratio = math.NaN()
	if _, err := shoal.New(cfg); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("New: %v", err)
	}
	cfg.Share = shoal.ShareLimits{Ratio: 1.5}
	e, err := shoal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	if err := e.SetShareLimits(shoal.ShareLimits{Then: "burn"}); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("SetShareLimits: %v", err)
	}

	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("shared enough"), 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	add := shoal.AddOptions{Metainfo: made.Metainfo, Dir: filepath.Dir(path), Share: &shoal.ShareLimits{SeedTime: -1}}
	if _, err := e.Add(add); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("Add: %v", err)
	}
	add.Share = &shoal.ShareLimits{SeedTime: time.Hour, Then: shoal.ShareRemove}
	tor, err := e.Add(add)
	if err != nil {
		t.Fatal(err)
	}
	if l, own := tor.ShareLimits(); !own || l != *add.Share {
		t.Errorf("limits %+v, its own: %v", l, own)
	}
	if err := tor.SetShareLimits(nil); err != nil {
		t.Error(err)
	}
	if l, own := tor.ShareLimits(); own || l.Ratio != 1.5 || l.Then != shoal.SharePause {
		t.Errorf("limits %+v, its own: %v", l, own)
	}
	// A nanosecond is over at once.
	if err := tor.SetShareLimits(&shoal.ShareLimits{SeedTime: 1}); err != nil {
		t.Error(err)
	}
	for range tor.Progress(t.Context(), 0) {
		if tor.State() == shoal.StatePaused {
			break
		}
	}
}
