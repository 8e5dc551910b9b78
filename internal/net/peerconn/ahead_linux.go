package peerconn

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"shoal/internal/mailbox"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// raw returns a TCP socket for calls of the system; false for other streams.
func raw(nc net.Conn) (*net.TCPConn, syscall.RawConn, bool) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil, nil, false
	}
	rc, err := tcp.SyscallConn()
	return tcp, rc, err == nil
}

// newSocket returns a TCP socket as a source; nil for other streams.
func newSocket(nc net.Conn, beats *mailbox.Beats) source {
	tcp, rc, ok := raw(nc)
	if !ok {
		return nil
	}
	s := &socket{tcp: tcp, rc: rc, beats: beats, mark: 1, fits: leastMark}
	s.alarm = mailbox.NewWaiter(func() { _ = tcp.SetReadDeadline(past) })
	s.try, s.mum = s.attempt, s.silence
	return s
}

// The low-water mark of a socket whose reader waits for a beat: more than came before the last one,
// within these bounds. The least is half of the window that Linux starts with; more than ahead reads
// with one call needs no waiting for.
const (
	leastMark = 32 << 10
	mostMark  = aheadBlocks * block.Size
)

// socket reads with readv(2), and tells the kernel by SO_RCVLOWAT when to wake it. Its fields
// belong to the call in progress, so that a call allocates nothing.
//
// Go registers sockets with edge-triggered epoll. Linux reports an edge when bytes arrive and the
// mark is reached, when the mark is lowered below what is there, at the end of the stream, on
// errors, and when the window is used up before the mark is reached. A mark can delay a reader
// only as long as the peer is able to send and does not.
type socket struct {
	tcp *net.TCPConn
	rc  syscall.RawConn
	try func(fd uintptr) bool
	mum func(fd uintptr)
	iov [2*aheadBlocks + 1]syscall.Iovec

	beats *mailbox.Beats
	alarm mailbox.Waiter // ends the wait at a beat, by a deadline in the past
	late  bool           // the deadline is in the past

	mark  int       // low-water mark of the socket
	room  int       // greatest mark so far that the window is twice as large as
	beat  mono.Time // beat for which the alarm is set; 0 when it is not
	came  int       // bytes since the beat before it
	fits  int       // low-water mark while the reader waits for a beat
	empty bool      // the latest read took everything that was there

	wait    wait
	prepare func() [][]byte
	idle    func()
	n       int
	err     error
}

func (s *socket) read(prepare func() [][]byte, idle func(), w wait) (int, error) {
	s.prepare, s.idle, s.n, s.err, s.wait = prepare, idle, 0, nil, w
	for {
		if err := s.arm(w); err != nil {
			return 0, err
		}
		err := s.rc.Read(s.try)
		if err == nil {
			return s.n, eof(s.n, s.err)
		}
		if s.late = errors.Is(err, os.ErrDeadlineExceeded); !s.late || w.beat != 0 && s.beats.Now() >= w.beat {
			return s.n, err
		}
		// The alarm of an earlier wait came late.
	}
}

// arm makes the wait end at its beat, if it has one.
func (s *socket) arm(w wait) error {
	if s.late {
		s.late, s.beat = false, 0
		if err := s.tcp.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
	}
	if s.beat == w.beat {
		return nil
	}
	if fits := min(3*s.came/2, mostMark) / leastMark * leastMark; fits > s.fits || fits < s.fits/2 {
		s.fits = max(fits, leastMark)
	}
	s.beat, s.came = w.beat, 0
	if w.beat == 0 {
		s.beats.Clear(&s.alarm)
	} else {
		s.beats.Set(&s.alarm, w.beat)
	}
	return nil
}

// attempt is called when the socket may be readable; it returns false to wait until it is. The mark
// is set before the last look at the socket: what arrived earlier is then read, whatever the mark.
func (s *socket) attempt(fd uintptr) bool {
	set := s.empty && s.setMark(fd)
	for {
		switch n, err := s.readv(fd); {
		case err != syscall.EAGAIN:
			s.n = n
			s.came += n
			if err != nil {
				s.err = os.NewSyscallError("readv", err)
			}
			return true
		case !set && s.setMark(fd):
			set = true
		default:
			s.empty = true
			s.idle()
			return false
		}
	}
}

// readv reads what is there. The socket never blocks; see sink for what that saves.
func (s *socket) readv(fd uintptr) (int, error) {
	bufs := s.prepare()
	room := 0
	for i, b := range bufs {
		s.iov[i].Base = unsafe.SliceData(b)
		s.iov[i].SetLen(len(b))
		room += len(b)
	}
	defer clear(s.iov[:])
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READV, fd, uintptr(unsafe.Pointer(&s.iov)), uintptr(len(bufs)))
		switch errno {
		case 0:
			s.empty = int(n) < room
			return int(n), nil
		case syscall.EINTR:
			continue
		}
		return 0, errno
	}
}

// setMark sets the low-water mark that the wait calls for, and reports whether it changed. A
// kernel that refuses wakes the reader more often than needed.
func (s *socket) setMark(fd uintptr) bool {
	mark := s.wait.low
	if mark == 0 {
		mark = s.fits
	}
	if mark == s.mark {
		return false
	}
	s.mark = mark
	if s.wait.low == 0 && mark > s.room {
		// Linux makes the buffer large enough for a mark. Twice the mark leaves the peer a window
		// to send into while the reader wakes up.
		s.room = mark
		setLowWater(fd, 2*mark)
	}
	setLowWater(fd, mark)
	return true
}

func setLowWater(fd uintptr, n int) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
}

// quiet raises the mark to three eighths of the buffer. The kernel counts half as window, and a larger
// mark would make the buffer grow each time. Otherwise each packet that arrives while the reader waits
// for its turn under a limit wakes the runtime's poller.
func (s *socket) quiet() { _ = s.rc.Control(s.mum) }

func (s *socket) silence(fd uintptr) {
	s.empty = false // by then there is something to read
	size, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
	if mark := max(size/8*3, leastMark); err == nil && mark != s.mark {
		s.mark = mark
		setLowWater(fd, mark)
	}
}
