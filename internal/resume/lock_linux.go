package resume

import (
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// lockName is the file that is locked, a byte of it for each torrent. Nothing is in it.
const lockName = "lock"

// Lock implements Locker by an open file description lock: it belongs to the file as it
// was opened here, and the kernel lets go of it when the last handle is closed, also by
// kill -9.
func (f *folder) Lock(number int64) (func(), error) {
	file, err := f.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{
		Type: unix.F_WRLCK, Whence: io.SeekStart, Start: number, Len: 1,
	})
	if err != nil {
		file.Close()
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return nil, ErrInUse
		}
		return nil, err
	}
	return sync.OnceFunc(func() { file.Close() }), nil
}
