package catalogue_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkOpenCold is BenchmarkOpen of files that have to come from the disk.
func BenchmarkOpenCold(b *testing.B) {
	benchmarkOpen(b, func(dir string) { evict(b, dir) })
}

// evict takes the files of a folder out of the page cache.
func evict(b *testing.B, dir string) {
	b.Helper()
	unix.Sync()
	all, err := os.ReadDir(dir)
	must(b, err)
	for _, d := range all {
		f, err := os.Open(filepath.Join(dir, d.Name()))
		must(b, err)
		must(b, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
		must(b, f.Close())
	}
}
