package mailbox

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SystemBell returns a bell that wakes as few threads as the system allows.
//
// On Linux it is a timerfd(2) that the runtime's poller watches. A timer of the runtime ends epoll_wait up
// to a millisecond early, which is as exact as that call is, so that a thread goes to sleep twice for each;
// and it wakes the runtime's monitor, too. A timerfd rings once.
func SystemBell() Bell {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return TimerBell()
	}
	file := os.NewFile(uintptr(fd), "timerfd")
	rc, err := file.SyscallConn()
	if err != nil || file.SetReadDeadline(time.Time{}) != nil { // the poller does not take it
		file.Close()
		return TimerBell()
	}
	return &timerfd{file, rc}
}

type timerfd struct {
	file *os.File
	rc   syscall.RawConn
}

// The file never blocks. So its calls do not tell the runtime that they might, which would wake the
// monitor after all (decision 0205).

func (t *timerfd) Set(d time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))} // zero would stop it
	_ = t.rc.Control(func(fd uintptr) {
		_, _, _ = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	})
}

func (t *timerfd) Wait() bool {
	return t.rc.Read(func(fd uintptr) bool {
		var times [8]byte // how often it has rung: once
		n, _, _ := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&times)), uintptr(len(times)))
		return int(n) == len(times)
	}) == nil
}

func (t *timerfd) Close() { t.file.Close() }
