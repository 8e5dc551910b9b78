package peerconn

import (
	"net"
	"os"
	"syscall"
	"unsafe"
)

// newReadv returns the vectored read of a TCP socket; nil for other streams.
func newReadv(nc net.Conn) readv {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	rc, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{rc: rc}
	s.try = s.attempt
	return s
}

// socket reads with readv(2). Its fields belong to the call in progress, so that a call allocates
// nothing.
type socket struct {
	rc  syscall.RawConn
	try func(fd uintptr) bool
	iov [2*aheadBlocks + 1]syscall.Iovec

	prepare func() [][]byte
	idle    func()
	n       int
	err     error
}

func (s *socket) read(prepare func() [][]byte, idle func()) (int, error) {
	s.prepare, s.idle, s.n, s.err = prepare, idle, 0, nil
	if err := s.rc.Read(s.try); err != nil {
		return s.n, err
	}
	return s.n, eof(s.n, s.err)
}

// attempt is called when the socket may be readable; it returns false to wait until it is.
func (s *socket) attempt(fd uintptr) bool {
	bufs := s.prepare()
	for i, b := range bufs {
		s.iov[i].Base = unsafe.SliceData(b)
		s.iov[i].SetLen(len(b))
	}
	for {
		n, _, errno := syscall.Syscall(syscall.SYS_READV, fd, uintptr(unsafe.Pointer(&s.iov)), uintptr(len(bufs)))
		switch errno {
		case 0:
			s.n = int(n)
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			clear(s.iov[:])
			s.idle()
			return false
		default:
			s.err = os.NewSyscallError("readv", errno)
		}
		clear(s.iov[:])
		return true
	}
}
