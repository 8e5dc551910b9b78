package storage_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
	"shoal/metainfo"
)

// openTorrent opens the storage of a torrent in a folder of the pool.
func openTorrent(dir string, info *metainfo.Info, pool *storage.Pool) (*storage.Files, error) {
	folder, err := pool.Folder(dir)
	if err != nil {
		return nil, err
	}
	return storage.OpenIn(folder, storage.Entries(info), info, pool)
}

// Torrents of one folder share a handle on it, until the last one is closed.
func TestOpenTorrent(t *testing.T) {
	dir := t.TempDir()
	info := &metainfo.Info{Files: []metainfo.File{
		{Path: []string{"t", "a"}, Length: 5},
		{Length: 3, Offset: 5, Pad: true},
		{Path: []string{"t", "x", "b"}, Length: 5, Offset: 8},
	}}
	pool := storage.NewPool(0)
	stores := make([]*storage.Files, 4)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			var err error
			if stores[i], err = openTorrent(dir, info, pool); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i, st := range stores {
		data := storagetest.Random(uint64(i), 13)
		must(t, st.WriteV([][]byte{data}, 0))
		must(t, st.Close())
		must(t, st.Close()) // the others' use of the folder is not given up
		a, _ := os.ReadFile(filepath.Join(dir, "t", "a"))
		b, _ := os.ReadFile(filepath.Join(dir, "t", "x", "b"))
		if string(a) != string(data[:5]) || string(b) != string(data[8:]) {
			t.Errorf("storage %d: the files hold %q and %q, want parts of %q", i, a, b, data)
		}
	}
	if n := pool.OpenFiles(); n != 0 {
		t.Errorf("%d files open", n)
	}
	if _, err := openTorrent(filepath.Join(dir, "none"), info, pool); storage.KindOf(err) != storage.Missing {
		t.Errorf("a folder that is not there: %v, want kind missing", err)
	}
	info.Files[0].Path = []string{"..", "a"}
	if _, err := openTorrent(dir, info, pool); err == nil {
		t.Error("a path out of the folder was accepted")
	}
}
