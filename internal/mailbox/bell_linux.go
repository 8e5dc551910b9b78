package mailbox

import (
	"os"
	"time"

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
	t := &timerfd{file: os.NewFile(uintptr(fd), "timerfd")}
	if err := t.file.SetReadDeadline(time.Time{}); err != nil { // the poller does not take it
		t.file.Close()
		return TimerBell()
	}
	return t
}

type timerfd struct{ file *os.File }

func (t *timerfd) Set(d time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))} // zero would stop it
	if rc, err := t.file.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) { _ = unix.TimerfdSettime(int(fd), 0, &spec, nil) })
	}
}

func (t *timerfd) Wait() bool {
	var times [8]byte // how often it has rung: once
	_, err := t.file.Read(times[:])
	return err == nil
}

func (t *timerfd) Close() { t.file.Close() }
