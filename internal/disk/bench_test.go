package disk_test

import (
	"crypto/sha1"
	"fmt"
	"os"
	"sync"
	"testing"

	"shoal/internal/block"
	"shoal/internal/disk"
	"shoal/internal/storage"
	"shoal/internal/storage/storagetest"
	"shoal/metainfo"
)

// BenchmarkDownload stores a torrent of 256 MiB in pieces of 1 MiB in a real
// file: producers that only copy 16 KiB in place of a socket, hashing, writing,
// and a Sync at the end. What it counts per block is exact; seconds are not.
func BenchmarkDownload(b *testing.B) {
	for _, producers := range []int{1, 4} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) { download(b, producers) })
	}
}

func download(b *testing.B, producers int) {
	geom := metainfo.Geometry{Total: 256 << 20, PieceLength: 1 << 20, Pieces: 256}
	piece := storagetest.Random(1, int64(geom.PieceLength))
	sum := sha1.Sum(piece)
	pool := storage.NewPool(0)
	budget := disk.NewBudget(32 << 20)
	d := disk.New(disk.Config{Budget: budget, Counters: pool.Counters()})
	defer d.Close()
	dir := b.TempDir()
	fsys, err := storage.OpenFolder(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer fsys.Close()
	b.SetBytes(geom.Total)
	b.ReportAllocs()
	b.ResetTimer()
	before := usage()
	for range b.N {
		st, err := storage.New(storagetest.Lay(storage.Entry{Path: "payload", Length: geom.Total}), storage.Config{FS: fsys, Pool: pool})
		if err != nil {
			b.Fatal(err)
		}
		results := make(chan disk.Result, 16)
		t := d.Open(st, geom, func(uint32) [sha1.Size]byte { return sum }, func(r disk.Result) { results <- r })
		var wg sync.WaitGroup
		for g := range uint32(producers) {
			wg.Go(func() {
				for p := g; p < geom.Pieces; p += uint32(producers) {
					for i := range geom.Blocks(p) {
						blk := budget.Get(nil)
						blk.Data = blk.Buf
						copy(blk.Data, piece[i*block.Size:])
						t.Store(geom.Block(p, i), blk, false)
					}
				}
			})
		}
		for range geom.Pieces {
			if r := <-results; !r.OK {
				b.Fatalf("%+v", r)
			}
		}
		wg.Wait()
		if err := t.Sync(b.Context()); err != nil {
			b.Fatal(err)
		}
		t.Close()
		st.Close()
		b.StopTimer()
		if err := os.Remove(dir + "/payload"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.StopTimer()
	s := d.Stats()
	blocks := float64(s.Blocks)
	gib := float64(s.Written) / (1 << 30)
	b.ReportMetric((usage() - before).Seconds()/gib, "cpu-s/GiB")
	b.ReportMetric(float64(s.Wakes)/blocks, "wakes/block")
	b.ReportMetric(float64(s.Calls.Writes+s.Calls.Hints+s.Calls.Syncs+s.Calls.Opens+s.Calls.Reads)/blocks, "syscalls/block")
	b.ReportMetric(float64(s.Relieved), "relieved")
}
