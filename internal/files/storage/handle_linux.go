package storage

import (
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const syncsFolders = true

// maxIOV is the kernel's limit on the buffers of one call (UIO_MAXIOV).
const maxIOV = 1024

// writeIOV is how many buffers one write takes: sixteen blocks, 256 KiB. For a larger write the
// page cache looks for larger free ranges, and on a virtual machine the host often has yet to
// provide that memory (decision 0044).
const writeIOV = 16

// sfrWrite is SYNC_FILE_RANGE_WRITE: start writing back, do not wait.
const sfrWrite = 2

// handle is an open file with vectored positional reads and writes.
type handle struct {
	fd   atomic.Int32 // -1 after Close
	file *os.File     // where package os opened it; nil otherwise: it would offer a plain file to the poller

	// As it was when it was opened; links is 0 where that is not known.
	id    fileID
	links uint64
}

func newHandle(f *os.File) Handle {
	h := &handle{file: f}
	h.fd.Store(int32(f.Fd()))
	return h
}

// identity is identify for an open file, as it was when it was opened.
func (h *handle) identity() (fileID, uint64, bool) { return h.id, h.links, h.links > 0 }

func (h *handle) ReadV(bufs [][]byte, off int64) (int, error) {
	return vectored(syscall.SYS_PREADV, uintptr(h.fd.Load()), bufs, maxIOV, off, io.EOF)
}

func (h *handle) WriteV(bufs [][]byte, off int64) (int, error) {
	return vectored(syscall.SYS_PWRITEV, uintptr(h.fd.Load()), bufs, writeIOV, off, io.ErrShortWrite)
}

func (h *handle) Stat() (fs.FileInfo, error) {
	st := &statInfo{}
	if err := unix.Fstat(int(h.fd.Load()), st.unix()); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	return st, nil
}

func (h *handle) Sync() error {
	for {
		if err := unix.Fsync(int(h.fd.Load())); err != unix.EINTR {
			return os.NewSyscallError("fsync", err)
		}
	}
}

// Close closes the file, once: the system soon returns the number to another one.
func (h *handle) Close() error {
	fd := h.fd.Swap(-1)
	switch {
	case fd < 0:
		return fs.ErrClosed
	case h.file != nil:
		return h.file.Close()
	}
	return os.NewSyscallError("close", unix.Close(int(fd)))
}

func (h *handle) StartWrite(off, n int64) {
	_ = syscall.SyncFileRange(int(h.fd.Load()), off, n, sfrWrite) // a hint: a failure costs nothing
}

func (h *handle) Uncache(off, n int64) {
	_ = unix.Fadvise(int(h.fd.Load()), off, n, unix.FADV_DONTNEED) // a hint: a failure costs nothing
}

// iovecs keep the vectors of finished calls for later ones.
var iovecs = sync.Pool{New: func() any { return new([maxIOV]syscall.Iovec) }}

// vectored makes preadv or pwritev calls until all buffers are done: another one after a short
// transfer, and another one for the buffers beyond most. A call that transfers nothing returns
// atEnd.
func vectored(trap, fd uintptr, bufs [][]byte, most int, off int64, atEnd error) (int, error) {
	iov := iovecs.Get().(*[maxIOV]syscall.Iovec)
	defer iovecs.Put(iov)
	done, first, skip := 0, 0, 0 // skip: bytes of bufs[first] that are done
	for {
		n := 0
		for i, s := first, skip; i < len(bufs) && n < most; i, s = i+1, 0 {
			if b := bufs[i][s:]; len(b) > 0 {
				iov[n].Base = &b[0]
				iov[n].SetLen(len(b))
				n++
			}
		}
		if n == 0 {
			return done, nil
		}
		at := uint64(off) + uint64(done)
		got, _, errno := syscall.Syscall6(trap, fd, uintptr(unsafe.Pointer(iov)), uintptr(n), uintptr(at), uintptr(at>>32), 0)
		clear(iov[:n]) // drop the references to the buffers
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return done, errno
		}
		if got == 0 {
			return done, atEnd
		}
		done += int(got)
		for rest := int(got); rest > 0; {
			left := len(bufs[first]) - skip
			if rest < left {
				skip += rest
				break
			}
			rest -= left
			first, skip = first+1, 0
		}
	}
}
