package peerconn

import (
	"net"
	"os"
	"syscall"
	"unsafe"
)

// newSink returns a TCP socket as a sink; nil for other streams.
func newSink(nc net.Conn) *sink {
	_, rc, ok := raw(nc)
	if !ok {
		return nil
	}
	s := &sink{rc: rc}
	s.try = s.attempt
	return s
}

// sink writes with writev(2). The socket never blocks, so the call does not tell the runtime that it
// might: each such word wakes the runtime's monitor thread, which then looks every 20 us until all
// threads sleep (decision 0205). Its fields belong to the call in progress, so that a call allocates
// nothing.
type sink struct {
	rc   syscall.RawConn
	try  func(fd uintptr) bool
	bufs *net.Buffers
	n    int64
	err  error
	iov  [2*burst + 1]syscall.Iovec
}

// write writes all of bufs, and consumes what it writes, as net.Buffers.WriteTo does.
func (s *sink) write(bufs *net.Buffers) (int64, error) {
	s.bufs, s.n, s.err = bufs, 0, nil
	defer func() { s.bufs = nil }()
	if err := s.rc.Write(s.try); err != nil {
		return s.n, err
	}
	return s.n, s.err
}

// attempt is called when the socket may be writable; it returns false to wait until it is.
func (s *sink) attempt(fd uintptr) bool {
	for len(*s.bufs) > 0 {
		parts := min(len(*s.bufs), len(s.iov))
		for i, b := range (*s.bufs)[:parts] {
			s.iov[i].Base = unsafe.SliceData(b)
			s.iov[i].SetLen(len(b))
		}
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&s.iov)), uintptr(parts))
		clear(s.iov[:parts])
		switch errno {
		case 0:
			s.n += int64(n)
			s.consume(int(n))
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			s.err = os.NewSyscallError("writev", errno)
			return true
		}
	}
	return true
}

// consume drops n bytes that are written.
func (s *sink) consume(n int) {
	for bufs := s.bufs; len(*bufs) > 0; *bufs = (*bufs)[1:] {
		b := &(*bufs)[0]
		if n < len(*b) {
			*b = (*b)[n:]
			return
		}
		n -= len(*b)
		*b = nil
	}
}
