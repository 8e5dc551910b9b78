//go:build linux || windows

package resume

import (
	"os"
	"sync"
)

// lockName is the file with one lockable byte per torrent. It is empty.
const lockName = "lock"

// locks are the locks of one folder. They belong to the open file, and the system releases them
// when it is closed, also by kill -9; so one handle suffices for any number of torrents.
type locks struct {
	mu   sync.Mutex
	file *os.File       // nil while nothing is locked
	held map[int64]bool // locks of ours, which the system would grant twice
}

// Lock implements Locker.
func (f *folder) Lock(number int64) (func(), error) {
	l := &f.locks
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[number] {
		return nil, ErrInUse
	}
	if l.file == nil {
		file, err := f.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		l.file, l.held = file, map[int64]bool{}
	}
	if err := lockByte(l.file, number); err != nil {
		l.closeIfIdle()
		return nil, err
	}
	l.held[number] = true
	return sync.OnceFunc(func() { l.unlock(number) }), nil
}

func (l *locks) unlock(number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil { // the folder was closed
		return
	}
	delete(l.held, number)
	unlockByte(l.file, number)
	l.closeIfIdle()
}

// closeIfIdle closes the file when nothing is locked. The caller holds l.mu.
func (l *locks) closeIfIdle() {
	if len(l.held) == 0 {
		l.file.Close()
		l.file = nil
	}
}

// close releases all locks.
func (l *locks) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file, l.held = nil, nil
	}
}
