package resume_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

// A torrent that is complete, claimed and at rest keeps little in memory: its pieces
// once, how its files look once, and nothing for commits.
func TestMemoryAtRest(t *testing.T) {
	const torrents, most = 1000, 960 // bytes each
	for name, c := range map[string]struct{ pieces, files, most uint32 }{
		"small":            {16, 1, most},
		"of many pieces":   {8000, 1, most + 1010},
		"of several files": {160, 10, most + 9*48},
	} {
		t.Run(name, func(t *testing.T) {
			mem := storage.NewMemFS()
			state := crashfs.New(nil).Folder("state")
			var entries []storage.Entry
			for i := range c.files {
				name := fmt.Sprint(i)
				h, err := mem.Open(name, storage.Create)
				must(t, err)
				must(t, h.Close())
				entries = append(entries, storage.Entry{Path: name, Length: int64(c.pieces/c.files) << 14})
			}
			lay := resume.Layout{
				Geometry: metainfo.Geometry{Total: int64(c.pieces) << 14, PieceLength: 16 << 10, Pieces: c.pieces},
				Files:    storagetest.Lay(entries...),
			}
			seen, err := resume.Look(mem, lay.Files)
			must(t, err)
			all := bitfield.New(c.pieces)
			all.SetAll()
			sync := func(context.Context) error { return nil }
			st, err := storage.New(lay.Files, storage.Config{FS: mem, Pool: storage.NewPool(1)})
			must(t, err)
			make1 := func(i int) [3]any {
				lay := lay
				lay.InfoHash = [20]byte{byte(i), byte(i >> 8)}
				j, _, err := resume.Open(state, lay, resume.Config{Dir: "somewhere", Boot: resume.Boot{ID: "a run"}})
				must(t, err)
				g := resume.NewGuard(st, mem, j, resume.Volume{})
				must(t, g.Adopt(t.Context(), seen, all))
				k := resume.NewCommitter(j, resume.CommitterConfig{Sync: sync, Report: func(resume.Report) {}})
				must(t, k.Flush(t.Context()))
				return [3]any{j, g, k}
			}
			kept := make([][3]any, torrents)
			for i := range kept { // now their journals are there
				kept[i] = make1(i)
			}
			clear(kept)
			before := heap()
			for i := range kept {
				kept[i] = make1(i)
			}
			each := (int64(heap()) - int64(before)) / torrents
			runtime.KeepAlive(kept)
			t.Logf("%d bytes for a torrent of %d pieces in %d files", each, c.pieces, c.files)
			if each > int64(c.most) {
				t.Errorf("%d bytes for a torrent of %d pieces in %d files, want at most %d", each, c.pieces, c.files, c.most)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
