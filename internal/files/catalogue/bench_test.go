package catalogue_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"shoal/internal/files/catalogue"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// unsynced is a folder whose syncs do nothing.
type unsynced struct{ resume.FS }

func (f unsynced) SyncDir(string) error { return nil }

func (f unsynced) Open(name string, mode storage.Mode) (storage.Handle, error) {
	h, err := f.FS.Open(name, mode)
	return unsyncedHandle{h}, err
}

type unsyncedHandle struct{ storage.Handle }

func (unsyncedHandle) Sync() error { return nil }

// batch makes torrents of 1,000 pieces, 20 KiB of metainfo each.
func batch(b *testing.B, n int) []catalogue.Entry {
	b.Helper()
	all := make([]catalogue.Entry, n)
	for i := range all {
		all[i] = entry(b, i)
		all[i].Metainfo = torrent(i, 1000)
		t, err := metainfo.Parse(all[i].Metainfo)
		must(b, err)
		all[i].InfoHash, all[i].Torrent = t.InfoHash, t
	}
	return all
}

func realFolder(b *testing.B) resume.FS {
	b.Helper()
	fsys, err := resume.OpenFolder(b.TempDir())
	must(b, err)
	b.Cleanup(func() { fsys.Close() })
	return fsys
}

// BenchmarkOpen opens a catalogue of 10,000 torrents: list, read, check, parse.
func BenchmarkOpen(b *testing.B) {
	benchmarkOpen(b, func(string) {})
}

func benchmarkOpen(b *testing.B, before func(dir string)) {
	dir := b.TempDir()
	fsys, err := resume.OpenFolder(dir)
	must(b, err)
	b.Cleanup(func() { fsys.Close() })
	c, _ := open(b, unsynced{fsys})
	for _, e := range batch(b, 10_000) {
		must(b, c.Put(e))
	}
	must(b, c.SetSettings(catalogue.Settings{"a": "b"}))
	must(b, c.Close(background))
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		before(dir)
		b.StartTimer()
		c, entries := open(b, fsys)
		if len(entries) != 10_000 {
			b.Fatal(len(entries))
		}
		must(b, c.Close(background))
	}
}

// BenchmarkAdd adds one torrent, durably, to a catalogue of 1,000.
func BenchmarkAdd(b *testing.B) {
	fsys := realFolder(b)
	c, _ := open(b, fsys)
	for _, e := range batch(b, 1000) {
		must(b, c.Put(e))
	}
	must(b, c.Flush(background))
	e := batch(b, 1)[0]
	for b.Loop() {
		e.Dir = fmt.Sprint(rand.Uint64())
		must(b, c.Put(e))
		must(b, c.Flush(background))
	}
}

// BenchmarkState makes the totals of 10,000 torrents durable.
func BenchmarkState(b *testing.B) {
	c, _ := open(b, unsynced{realFolder(b)})
	all := batch(b, 10_000)
	for _, e := range all {
		must(b, c.Put(e))
	}
	must(b, c.Flush(background))
	n := int64(0)
	for b.Loop() {
		n++
		for _, e := range all {
			must(b, c.SetState(e.InfoHash, catalogue.State{Uploaded: n}))
		}
		must(b, c.Flush(background))
	}
}

// BenchmarkBatch adds 10,000 torrents at once, durably, with so many files written side
// by side.
func BenchmarkBatch(b *testing.B) {
	all := batch(b, 10_000)
	for _, writers := range []int{1, 8, 32} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				c, _ := open(b, realFolder(b))
				c.SetWriters(writers, 8<<20)
				b.StartTimer()
				for _, e := range all {
					must(b, c.Put(e))
				}
				must(b, c.Close(background))
			}
		})
	}
}
