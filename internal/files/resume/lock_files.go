//go:build unix && !linux

package resume

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// locks is empty: each torrent has a lock file of its own, since this system locks whole files, or
// ranges for every handle of the process.
type locks struct{}

// Lock implements Locker. It does nothing on a file system without locks.
func (f *folder) Lock(number int64) (func(), error) {
	file, err := f.root.OpenFile(fmt.Sprintf("%016x.lock", number), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = ErrInUse
	case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EOPNOTSUPP):
		err = nil
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return sync.OnceFunc(func() { file.Close() }), nil
}

func (l *locks) close() {}
