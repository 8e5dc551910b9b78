package engine

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// BenchmarkManySeeds tells what a small torrent costs that is seeded and has no peer: in
// memory, once all are up and their pieces claimed, and in time until they are.
func BenchmarkManySeeds(b *testing.B) {
	const n = 1000
	dir, state := b.TempDir(), b.TempDir()
	var contents []payload
	for i := range n {
		c := makeContent(b, fmt.Sprintf("many %d", i), 64<<10, 64<<10)
		c.write(b, dir)
		c.data, c.files = nil, nil
		contents = append(contents, c)
	}
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := time.Now()
		e := loopback(b, Config{StateDir: state})
		var all []*Torrent
		for _, c := range contents {
			all = append(all, add(b, e, Spec{Meta: c.meta, Dir: dir, SeedOnly: true}))
		}
		for _, t := range all {
			if err := t.Checked(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		up := time.Since(start)
		for _, t := range all {
			if s := t.Stats(); s.State != Seeding {
				b.Fatalf("%+v", s)
			}
		}
		e.disks.Idle(b.Context())
		runtime.GC()
		runtime.ReadMemStats(&after)
		if name := os.Getenv("HEAP_PROFILE"); name != "" {
			f, _ := os.Create(name)
			pprof.WriteHeapProfile(f)
			f.Close()
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/torrent")
		b.ReportMetric(float64(after.StackInuse-before.StackInuse)/n, "stack-B/torrent")
		b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/n, "inuse-B/torrent")
		b.ReportMetric(up.Seconds(), "s-up")
		e.Close(b.Context())
	}
}
