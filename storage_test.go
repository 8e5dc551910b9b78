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
}

// A magnet opens the storage once it knows the files. The storage is closed with the torrent, and
// what can't be opened ends the torrent with the error.
func TestMagnetWithOwnStorage(t *testing.T) {
	ctx := t.Context()
	dir, metainfo := album(t)
	seeder, leecher := removeEngine(t, "", false), removeEngine(t, t.TempDir(), true)
	seed, err := seeder.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := seed.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	link, peers := seed.MagnetLink(), []netip.AddrPort{seeder.Addr()}

	refused, err := leecher.AddMagnet(link, shoal.AddOptions{Peers: peers, Storage: func([]storage.Entry) (storage.Storage, error) {
		return nil, os.ErrPermission
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := refused.WaitMetadata(ctx); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a storage that can't be opened: %v", err)
	}
	refused.Stop(ctx)

	var mine *storage.Memory
	tor, err := leecher.AddMagnet(link, shoal.AddOptions{Peers: peers, Storage: func(files []storage.Entry) (storage.Storage, error) {
		mine = storage.NewMemory(files)
		return mine, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(leecher.Remembered()) != 0 {
		t.Error("the magnet is remembered")
	}
	if err := tor.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if states, err := mine.State(); err != nil || len(states) != 3 || !states[2].Readable() {
		t.Errorf("%+v, %v", states, err)
	}
	if len(leecher.Remembered()) != 0 {
		t.Error("the torrent is remembered")
	}
	tor.Stop(ctx)
	if _, err := mine.State(); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}

	idle, err := leecher.AddMagnet(link, shoal.AddOptions{Storage: func([]storage.Entry) (storage.Storage, error) {
		t.Error("opened without metadata")
		return nil, os.ErrPermission
	}, MetadataOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	idle.Stop(ctx)
}
