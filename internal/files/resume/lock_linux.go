package resume

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// lockByte locks a byte, which need not exist, with an open file description lock. It does nothing
// on a file system without locks.
func lockByte(f *os.File, at int64) error {
	err := setLock(f, at, unix.F_WRLCK)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return ErrInUse
	case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
		return nil
	}
	return err
}

func unlockByte(f *os.File, at int64) { _ = setLock(f, at, unix.F_UNLCK) }

func setLock(f *os.File, at int64, kind int16) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: at, Len: 1})
}
