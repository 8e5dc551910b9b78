package disk_test

import (
	"crypto/sha1"
	"fmt"
	"os"
	"sync"
	"testing"

	"shoal/internal/files/disk"
	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
	"shoal/internal/value/block"
	"shoal/metainfo"
)

// BenchmarkDownload stores a torrent of 256 MiB in pieces of 1 MiB in a real
// file: producers that only copy 16 KiB in place of a socket, hashing, writing,
// and a Sync at the end. What it counts per block is exact; seconds are not.
func BenchmarkDownload(b *testing.B) {
	for _, producers := range []int{1, 4} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) { download(b, producers, 0, 0) })
	}
	// With work for each block that takes as long as a socket does, the workers
	// run out of blocks and sleep: this is where hand-offs show.
	b.Run("paced", func(b *testing.B) { download(b, 1, 20, 0) })
}

// BenchmarkHashing is what decision 0049 rests on: how many contiguous blocks a worker is
// woken for, from each as it comes to the whole piece at its end.
func BenchmarkHashing(b *testing.B) {
	for _, batch := range []uint32{1, 4, 16, 64} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) { download(b, 1, 4, batch) })
	}
}

// download stores with that many producers, who copy each block that many times
// more than is needed; a batch other than zero replaces the ordinary one.
func download(b *testing.B, producers, copies int, batch uint32) {
	geom := metainfo.Geometry{Total: 256 << 20, PieceLength: 1 << 20, Pieces: 256}
	piece := storagetest.Random(1, int64(geom.PieceLength))
	sum := sha1.Sum(piece)
	pool := storage.NewPool(0)
	budget := disk.NewBudget(8 << 20)
	d := disk.New(disk.Config{Budget: budget, Counters: pool.Counters()})
	defer d.Close()
	if batch > 0 {
		d.SetBatch(batch)
	}
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
						for range copies + 1 {
							copy(blk.Data, piece[i*block.Size:])
						}
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
	b.ReportMetric((usage()-before).Seconds()/gib, "cpu-s/GiB")
	b.ReportMetric(float64(s.Wakes)/blocks, "wakes/block")
	b.ReportMetric(float64(s.Calls.Writes+s.Calls.Hints+s.Calls.Syncs+s.Calls.Opens+s.Calls.Reads)/blocks, "syscalls/block")
	b.ReportMetric(float64(s.Relieved), "relieved")
}

// BenchmarkCheck hashes a torrent of 256 MiB that is in the page cache.
func BenchmarkCheck(b *testing.B) {
	geom := metainfo.Geometry{Total: 256 << 20, PieceLength: 1 << 20, Pieces: 256}
	piece := storagetest.Random(1, int64(geom.PieceLength))
	sum := sha1.Sum(piece)
	d, st := onDisk(b, geom, piece)
	t := d.Open(st, geom, func(uint32) [sha1.Size]byte { return sum }, func(disk.Result) {})
	defer t.Close()
	b.SetBytes(geom.Total)
	b.ReportAllocs()
	b.ResetTimer()
	before := usage()
	for range b.N {
		if have, err := t.Check(b.Context(), nil); err != nil || !have.All() {
			b.Fatal(have, err)
		}
	}
	b.StopTimer()
	s := d.Stats()
	b.ReportMetric((usage()-before).Seconds()/(float64(s.Scanned)/(1<<30)), "cpu-s/GiB")
	b.ReportMetric(float64(s.Calls.Reads)/(float64(s.Scanned)/(1<<20)), "syscalls/MiB")
}

// BenchmarkRead reads bursts of 16 blocks in sequence, as an upload does.
func BenchmarkRead(b *testing.B) {
	geom := metainfo.Geometry{Total: 64 << 20, PieceLength: 1 << 20, Pieces: 64}
	d, st := onDisk(b, geom, storagetest.Random(1, int64(geom.PieceLength)))
	t := d.Open(st, geom, nil, nil)
	defer t.Close()
	const burst = 16
	dst := make([]byte, burst*block.Size)
	refs := make([]block.Ref, burst)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		first := uint32(n) % (geom.Pieces * 4)
		for i := range refs {
			refs[i] = geom.Block(first/4, first%4*burst+uint32(i))
		}
		if err := t.Read(refs, dst); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	s := d.Stats()
	b.ReportMetric(float64(s.Calls.Reads)/float64(b.N*burst), "syscalls/block")
}

// onDisk writes a torrent of equal pieces.
func onDisk(b *testing.B, geom metainfo.Geometry, piece []byte) (*disk.Disk, storage.Storage) {
	pool := storage.NewPool(0)
	d := disk.New(disk.Config{Budget: disk.NewBudget(1 << 20), Counters: pool.Counters()})
	fsys, err := storage.OpenFolder(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	st, err := storage.New(storagetest.Lay(storage.Entry{Path: "payload", Length: geom.Total}), storage.Config{FS: fsys, Pool: pool})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		d.Close()
		st.Close()
		fsys.Close()
	})
	for p := range geom.Pieces {
		if err := st.WriteV([][]byte{piece}, geom.Offset(p, 0)); err != nil {
			b.Fatal(err)
		}
	}
	return d, st
}
