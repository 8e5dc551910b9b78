package disk_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/value/block"
)

// What decision 0049 rests on: ways to write to a file, and to read from one. Of a way's
// cost to the device, and to the kernel's own threads, these tell nothing but the time.

// waySize is the size of the file.
const waySize = 256 << 20

// BenchmarkWaysToWrite writes a new file and syncs it.
func BenchmarkWaysToWrite(b *testing.B) {
	for _, way := range []struct {
		size  int
		flags int
	}{{32 << 10, 0}, {256 << 10, 0}, {1 << 20, 0}, {1 << 20, syscall.O_DIRECT}, {4 << 20, syscall.O_DIRECT}} {
		name := fmt.Sprintf("%d KiB", way.size>>10)
		if way.flags != 0 {
			name += ", direct"
		}
		b.Run(name, func(b *testing.B) {
			path := b.TempDir() + "/payload"
			buf := memory64(b, way.size)
			b.SetBytes(waySize)
			before := usage()
			for range b.N {
				f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|way.flags, 0o644)
				if err != nil {
					b.Fatal(err)
				}
				for off := int64(0); off < waySize; off += int64(len(buf)) {
					if _, err := syscall.Pwrite(int(f.Fd()), buf, off); err != nil {
						b.Fatal(err)
					}
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				f.Close()
				os.Remove(path)
				b.StartTimer()
			}
			b.ReportMetric((usage()-before).Seconds()/(float64(b.N)*waySize/(1<<30)), "cpu-s/GiB")
		})
	}
}

// memory64 gives memory at the start of a page, as direct writes want it.
func memory64(b *testing.B, n int) []byte {
	mem, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { syscall.Munmap(mem) })
	for i := range mem {
		mem[i] = byte(i * i >> 7)
	}
	return mem
}

// Advice of fadvise(2).
const (
	adviseSequential = 2
	adviseWillNeed   = 3
	adviseDontNeed   = 4
)

// BenchmarkWaysToRead reads a file that is not in the page cache in bursts of 16 blocks,
// as uploads do: for one peer from the beginning to the end, or for four in turn, each
// its quarter.
func BenchmarkWaysToRead(b *testing.B) {
	f, err := os.Create(b.TempDir() + "/payload")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	piece := memory64(b, 1<<20)
	for range waySize / len(piece) {
		if _, err := f.Write(piece); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	advise := func(off, n int64, advice int) {
		if _, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, uintptr(fd), uintptr(off), uintptr(n), uintptr(advice), 0, 0); errno != 0 {
			b.Fatal(errno)
		}
	}
	const burst = 16 * block.Size
	buf := make([]byte, burst)
	for _, readers := range []int64{1, 4} {
		for _, way := range []string{"as it is", "sequential", "a MiB ahead"} {
			b.Run(fmt.Sprintf("%d peers, %s", readers, way), func(b *testing.B) {
				b.SetBytes(waySize)
				before, read := usage(), fromDevice(b)
				for range b.N {
					b.StopTimer()
					advise(0, 0, adviseDontNeed)
					b.StartTimer()
					if way == "sequential" {
						advise(0, 0, adviseSequential)
					}
					for off := int64(0); off < waySize/readers; off += burst {
						for r := range readers {
							at := r*waySize/readers + off
							if way == "a MiB ahead" && off%(1<<20) == 0 {
								advise(at+1<<20, 1<<20, adviseWillNeed)
							}
							if n, err := syscall.Pread(fd, buf, at); n < len(buf) {
								b.Fatal(err)
							}
						}
					}
				}
				b.ReportMetric((usage()-before).Seconds()/(float64(b.N)*waySize/(1<<30)), "cpu-s/GiB")
				b.ReportMetric(float64(fromDevice(b)-read)/(float64(b.N)*waySize), "of-it-from-the-device")
			})
		}
	}
}

// fromDevice gives the bytes that this process has had read from devices.
func fromDevice(b *testing.B) (n int64) {
	b.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fmt.Sscanf(line, "read_bytes: %d", &n); n > 0 {
			break
		}
	}
	return n
}
