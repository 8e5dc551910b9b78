//go:build unix

package resume_test

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"shoal/internal/files/disk"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/metainfo"
)

// unsyncedFS is a folder of state whose syncs do nothing, to make many journals.
type unsyncedFS struct{ resume.FS }

func (f unsyncedFS) SyncDir(string) error { return nil }

func (f unsyncedFS) Open(name string, mode storage.Mode) (storage.Handle, error) {
	h, err := f.FS.Open(name, mode)
	return unsyncedHandle{h}, err
}

type unsyncedHandle struct{ storage.Handle }

func (unsyncedHandle) Sync() error { return nil }

func folders(b *testing.B) (state resume.FS, data storage.FS) {
	b.Helper()
	state, err := resume.OpenFolder(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	if data, err = storage.OpenFolder(b.TempDir()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { state.Close(); data.Close() })
	return state, data
}

// BenchmarkOpen opens the journals of 10,000 torrents of 1,000 pieces in one file,
// one after another, and compares each with what is on disk.
func BenchmarkOpen(b *testing.B) {
	const torrents = 10_000
	state, data := folders(b)
	layout := func(i int) resume.Layout {
		l := resume.Layout{
			Geometry: metainfo.Geometry{Total: 1000 << 20, PieceLength: 1 << 20, Pieces: 1000},
			Files:    storagetest.Lay(storage.Entry{Path: fmt.Sprintf("torrent-%05d", i), Length: 1000 << 20}),
		}
		binary.BigEndian.PutUint32(l.InfoHash[:], uint32(i)*2654435761)
		return l
	}
	boot := resume.ThisBoot()
	var scratch [1]byte
	for i := range torrents {
		l := layout(i)
		st, err := storage.New(l.Files, storage.Config{FS: data, Pool: storage.NewPool(1)})
		fatal(b, err)
		j, _, err := resume.Open(unsyncedFS{state}, l, resume.Config{Dir: "/srv/torrents", Boot: boot})
		fatal(b, err)
		seen, err := resume.Look(data, l.Files)
		fatal(b, err)
		g := resume.NewGuard(st, data, j, resume.Volume{})
		fatal(b, g.Adopt(b.Context(), seen, bitfield.New(1000)))
		fatal(b, g.WriteV([][]byte{scratch[:]}, l.Geometry.Total-1))
		for p := range l.Geometry.Pieces {
			j.Verified(p)
		}
		fatal(b, j.Close(b.Context(), func(context.Context) error { return nil }))
		st.Close()
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range torrents {
			l := layout(i)
			_, lo, err := resume.Open(state, l, resume.Config{Boot: boot})
			fatal(b, err)
			seen, err := resume.Look(data, l.Files)
			fatal(b, err)
			if v := lo.Compare(seen); !v.Trusted.All() {
				b.Fatalf("torrent %d: %d pieces are trusted, damage %q", i, v.Trusted.Count(), lo.Damaged)
			}
		}
	}
}

// BenchmarkDownload stores 1 GiB in pieces of 1 MiB through the disk workers to a
// real file, with nothing beside a sync at the end, and with the journal and its
// committer. The ratio of the two is what the journal costs.
func BenchmarkDownload(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("journal=%v", with), func(b *testing.B) {
			before := cpu(b)
			for b.Loop() {
				downloadGiB(b, with)
			}
			b.SetBytes(1 << 30)
			b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N), "cpu-s/GiB")
		})
	}
}

// cpu is the processor time of this process up to now.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	fatal(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func downloadGiB(b *testing.B, with bool) {
	b.StopTimer()
	state, data := folders(b)
	l := resume.Layout{
		Geometry: metainfo.Geometry{Total: 1 << 30, PieceLength: 1 << 20, Pieces: 1024},
		Files:    storagetest.Lay(storage.Entry{Path: "payload", Length: 1 << 30}),
	}
	piece := storagetest.Random(1, 1<<20)
	want := sha1.Sum(piece)
	pool := storage.NewPool(0)
	var st storage.Storage
	files, err := storage.New(l.Files, storage.Config{FS: data, Pool: pool})
	fatal(b, err)
	st = files
	defer files.Close()
	var k *resume.Committer
	groups := 0
	if with {
		j, _, err := resume.Open(state, l, resume.Config{Boot: resume.ThisBoot()})
		fatal(b, err)
		g := resume.NewGuard(files, data, j, resume.Volume{})
		seen, err := resume.Look(data, l.Files)
		fatal(b, err)
		fatal(b, g.Adopt(b.Context(), seen, bitfield.New(l.Geometry.Pieces)))
		k = resume.NewCommitter(j, resume.CommitterConfig{Sync: files.Sync, Report: func(r resume.Report) {
			groups++
			if r.Err != nil {
				b.Error(r.Err)
			}
		}})
		st = g
	}
	budget := disk.NewBudget(32 << 20)
	d := disk.New(disk.Config{Budget: budget, Counters: pool.Counters()})
	defer d.Close()
	var left sync.WaitGroup
	left.Add(int(l.Geometry.Pieces))
	t := d.Open(st, l.Geometry, func(uint32) [sha1.Size]byte { return want }, func(r disk.Result) {
		if !r.OK {
			b.Errorf("%+v", r)
		}
		if k != nil {
			k.Verified(r.Piece)
		}
		left.Done()
	})
	defer t.Close()

	b.StartTimer()
	for p := range l.Geometry.Pieces {
		for i := range l.Geometry.Blocks(p) {
			blk := budget.Get(nil)
			blk.Data = blk.Buf
			copy(blk.Data, piece[i*block.Size:])
			t.Store(l.Geometry.Block(p, i), blk, false)
		}
	}
	left.Wait()
	if k != nil {
		fatal(b, k.Close(b.Context(), true))
	} else {
		fatal(b, t.Sync(b.Context()))
	}
	b.StopTimer()
	if with {
		b.ReportMetric(float64(groups), "groups/GiB")
	}
	b.ReportMetric(float64(pool.Counters().Snapshot().Syncs), "syncs/GiB")
	b.StartTimer()
}

// BenchmarkWrite is one write of a piece, with its notes and without, to a folder in
// memory where there is one.
func BenchmarkWrite(b *testing.B) {
	dir, err := os.MkdirTemp("/dev/shm", "resume")
	if err != nil {
		dir = b.TempDir()
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	data, err := storage.OpenFolder(dir)
	fatal(b, err)
	defer data.Close()
	state, _ := folders(b)
	for _, size := range []uint32{16 << 10, 1 << 20} {
		for _, with := range []bool{false, true} {
			b.Run(fmt.Sprintf("size=%d/notes=%v", size, with), func(b *testing.B) {
				l := resume.Layout{
					Geometry: metainfo.Geometry{Total: 64 << 20, PieceLength: size, Pieces: (64 << 20) / size},
					Files:    storagetest.Lay(storage.Entry{Path: fmt.Sprintf("%d-%v", size, with), Length: 64 << 20}),
				}
				l.InfoHash[0] = byte(size >> 14)
				files, err := storage.New(l.Files, storage.Config{FS: data, Pool: storage.NewPool(0)})
				fatal(b, err)
				defer files.Close()
				var st storage.Storage = files
				if with {
					j, _, err := resume.Open(state, l, resume.Config{Boot: resume.ThisBoot()})
					fatal(b, err)
					defer j.Rest()
					seen, err := resume.Look(data, l.Files)
					fatal(b, err)
					g := resume.NewGuard(files, data, j, resume.Volume{})
					fatal(b, g.Adopt(b.Context(), seen, bitfield.New(l.Geometry.Pieces)))
					st = g
				}
				bufs := [][]byte{make([]byte, size)}
				for p := range l.Geometry.Pieces { // pages that are there already
					fatal(b, st.WriteV(bufs, l.Geometry.Offset(p, 0)))
				}
				b.ReportAllocs()
				for i := uint32(0); b.Loop(); i++ {
					fatal(b, st.WriteV(bufs, l.Geometry.Offset(i%l.Geometry.Pieces, 0)))
				}
			})
		}
	}
}

func fatal(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
