package peerconn

import (
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"shoal/internal/format/wire"
	"shoal/internal/value/block"
)

// BenchmarkWaysToSend is what decision 0048 rests on: the CPU time of one thread that
// sends blocks of a file in the page cache to a socket, by different calls. Whoever
// receives throws it away in another thread, and is not counted.
func BenchmarkWaysToSend(b *testing.B) {
	for _, way := range []struct {
		name  string
		burst int
		send  func(w *wayOut, first int) error
	}{
		{"read and write, 1 block", 1, (*wayOut).readWrite},
		{"read and write, 4 blocks", 4, (*wayOut).readWrite},
		{"read and write, 16 blocks", 16, (*wayOut).readWrite},
		{"read and write, 64 blocks", 64, (*wayOut).readWrite},
		{"sendfile", 1, (*wayOut).sendfile},
		{"map and write, 16 blocks", 16, (*wayOut).mapped},
	} {
		b.Run(way.name, func(b *testing.B) {
			w := newWayOut(b, way.burst)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			b.SetBytes(block.Size)
			b.ResetTimer()
			before := threadTime(b)
			n := 0
			for ; n < b.N; n += way.burst {
				if err := way.send(w, n%wayBlocks); err != nil {
					b.Fatal(err)
				}
			}
			cpu := threadTime(b) - before
			b.StopTimer()
			b.ReportMetric(float64(cpu)/1e9/(float64(n)*block.Size/(1<<30)), "cpu-s/GiB")
			b.ReportMetric(float64(w.calls)/float64(n), "syscalls/block")
		})
	}
}

// wayBlocks is how many blocks the file has: 64 MiB, more than the caches hold.
const wayBlocks = 4096

// rusageThread is RUSAGE_THREAD: the calling thread alone.
const rusageThread = 1

// threadTime is the CPU time of the calling thread in nanoseconds.
func threadTime(tb testing.TB) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &u); err != nil {
		tb.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// wayOut is a file and a socket that waits in the kernel when it is full.
type wayOut struct {
	file, sock int
	buf, span  []byte // what is read to; the file as memory
	heads      [64 * wire.PieceHeader]byte
	iov        [128]syscall.Iovec
	burst      int
	calls      int
}

func newWayOut(b *testing.B, burst int) *wayOut {
	f, err := os.Create(b.TempDir() + "/payload")
	if err != nil {
		b.Fatal(err)
	}
	piece := make([]byte, 1<<20)
	fill(piece, 0)
	for range wayBlocks * block.Size / len(piece) {
		if _, err := f.Write(piece); err != nil {
			b.Fatal(err)
		}
	}
	near, far := tcp(b)
	w := &wayOut{file: int(f.Fd()), sock: waiting(b, near), burst: burst, buf: make([]byte, burst*block.Size)}
	if w.span, err = syscall.Mmap(w.file, 0, wayBlocks*block.Size, syscall.PROT_READ, syscall.MAP_SHARED); err != nil {
		b.Fatal(err)
	}
	done := make(chan bool)
	sink := waiting(b, far)
	go func() {
		defer close(done)
		room := make([]byte, 1<<20)
		for {
			n, _, err := syscall.Recvfrom(sink, room, syscall.MSG_TRUNC) // not even copied
			if n <= 0 && err != syscall.EINTR {
				return
			}
		}
	}()
	b.Cleanup(func() {
		syscall.Shutdown(w.sock, syscall.SHUT_RDWR)
		<-done
		syscall.Munmap(w.span)
		syscall.Close(w.sock)
		syscall.Close(sink)
		f.Close()
	})
	return w
}

// waiting gives a socket of which the runtime knows nothing.
func waiting(b *testing.B, c *net.TCPConn) int {
	f, err := c.File()
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	fd, err := syscall.Dup(int(f.Fd())) // Fd has it wait
	if err != nil {
		b.Fatal(err)
	}
	return fd
}

// head gives the header of a block of the burst.
func (w *wayOut) head(i, at int) []byte {
	h := w.heads[i*wire.PieceHeader : i*wire.PieceHeader : (i+1)*wire.PieceHeader]
	return wire.AppendPieceHeader(h, block.Ref{Piece: uint32(at), Length: block.Size})
}

func (w *wayOut) readWrite(first int) error {
	w.calls++
	if n, err := syscall.Pread(w.file, w.buf, int64(first)*block.Size); n < len(w.buf) {
		return err
	}
	return w.write(first, w.buf)
}

func (w *wayOut) mapped(first int) error {
	return w.write(first, w.span[first*block.Size:][:w.burst*block.Size])
}

// write sends a burst with its headers.
func (w *wayOut) write(first int, data []byte) error {
	iov := w.iov[:0]
	add := func(b []byte) {
		v := syscall.Iovec{Base: unsafe.SliceData(b)}
		v.SetLen(len(b))
		iov = append(iov, v)
	}
	total := 0
	for i := range w.burst {
		add(w.head(i, first+i))
		add(data[i*block.Size:][:block.Size])
		total += wire.PieceHeader + block.Size
	}
	w.calls++
	n, _, errno := syscall.Syscall(syscall.SYS_WRITEV, uintptr(w.sock), uintptr(unsafe.Pointer(&w.iov)), uintptr(len(iov)))
	if errno != 0 || int(n) != total { // it waits until all is taken
		return os.NewSyscallError("writev", errno)
	}
	return nil
}

func (w *wayOut) sendfile(first int) error {
	w.calls += 2
	if err := syscall.Sendto(w.sock, w.head(0, first), syscall.MSG_MORE, nil); err != nil {
		return err
	}
	off := int64(first) * block.Size
	for left := block.Size; left > 0; {
		n, err := syscall.Sendfile(w.sock, w.file, &off, left)
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}
