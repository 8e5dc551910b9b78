package shoal_test

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"testing"

	"shoal"
	"shoal/storage"
)

// A torrent in a storage of the caller's is fetched, read, checked and served like any other.
func TestOwnStorage(t *testing.T) {
	ctx := t.Context()
	dir, metainfo := album(t)
	seeder, leecher := removeEngine(t, "", false), removeEngine(t, t.TempDir(), true)
	if _, err := seeder.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	var mine *storage.Memory
	tor, err := leecher.Add(shoal.AddOptions{Metainfo: metainfo, Peers: []netip.AddrPort{seeder.Addr()}, Storage: func(files []storage.Entry) (storage.Storage, error) {
		mine = storage.NewMemory(files)
		return mine, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tor.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	states, err := mine.State()
	if err != nil || len(states) != 3 {
		t.Fatalf("%+v, %v", states, err)
	}
	for _, s := range states {
		if !s.Readable() {
			t.Errorf("%+v", s)
		}
	}
	r, err := tor.Open(ctx, "album/disc/three")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || len(b) != 50000 || b[0] != 'd' {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	r.Close()
	if len(leecher.Remembered()) != 0 {
		t.Error("it is remembered")
	}
	third := removeEngine(t, "", false)
	copied, err := third.Add(shoal.AddOptions{Metainfo: metainfo, Dir: t.TempDir(), Peers: []netip.AddrPort{leecher.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := copied.Wait(ctx); err != nil {
		t.Error(err)
	}
	if _, err := tor.Remove(ctx, shoal.RemoveOptions{DeleteFiles: true}); err != nil {
		t.Errorf("removed: %v", err)
	}
	if _, err := mine.State(); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}

	if _, err := third.Add(shoal.AddOptions{Metainfo: metainfo, Storage: func([]storage.Entry) (storage.Storage, error) {
		return nil, os.ErrPermission
	}}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a storage that can't be opened: %v", err)
	}
	if _, err := third.AddMagnet(tor.MagnetLink(), shoal.AddOptions{Storage: func([]storage.Entry) (storage.Storage, error) {
		return mine, nil
	}}); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("a magnet: %v", err)
	}
}
