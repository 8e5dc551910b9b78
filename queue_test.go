package shoal_test

import (
	"errors"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"shoal"
)

// Torrents are paused, go on, and change places; bounds that can't be are refused.
func TestPauseAndPlaces(t *testing.T) {
	cfg := shoal.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), DHT: shoal.DHTConfig{Off: true}}
	cfg.Queue.Seeds = -1
	if _, err := shoal.New(cfg); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("New: %v", err)
	}
	cfg.Queue.Seeds = 0
	e, err := shoal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	if err := e.SetQueue(shoal.Queue{SlowUp: math.NaN()}); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("SetQueue: %v", err)
	}
	if err := e.SetQueue(shoal.Queue{Downloads: 3, Seeds: 5}); err != nil {
		t.Error(err)
	}

	dir := t.TempDir()
	var all []*shoal.Torrent
	for i := range 3 {
		path := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(path, []byte(path), 0o600); err != nil {
			t.Fatal(err)
		}
		made, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		tor, err := e.Add(shoal.AddOptions{Metainfo: made.Metainfo, Dir: dir, Paused: true})
		if err != nil {
			t.Fatal(err)
		}
		if st, err := tor.WaitChecked(t.Context()); err != nil || st.State != shoal.StatePaused || st.Have != 1 {
			t.Errorf("added paused: %v, %d pieces, %v", st.State, st.Have, err)
		}
		all = append(all, tor)
	}
	all[2].SetQueuePosition(0)
	all[0].ShiftQueuePosition(1)
	for i, want := range []int{2, 1, 0} {
		if got := all[i].QueuePosition(); got != want {
			t.Errorf("torrent %d stands at %d, want %d", i, got, want)
		}
	}
	all[1].Resume()
	for range all[1].Progress(t.Context(), 0) {
		if all[1].State() == shoal.StateSeeding {
			break
		}
	}
	all[1].Stop(t.Context())
	if got := all[1].QueuePosition(); got != -1 {
		t.Errorf("one that has ended stands at %d", got)
	}
}
