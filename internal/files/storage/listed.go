package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Listed is an FS for reading files that the user named, wherever they lie: from the name
// that a torrent calls a file to its path in the operating system. Links are followed, since
// it is the user who chose the paths. Nothing can be created or changed through it.
type Listed map[string]string

// Open implements FS. A pipe or a device is refused before it is opened, since opening a
// pipe waits for a writer.
func (l Listed) Open(name string, mode Mode) (Handle, error) {
	if mode != Read {
		return nil, errors.ErrUnsupported
	}
	seen, err := l.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !seen.Mode().IsRegular() {
		return nil, fmt.Errorf("%w but a %s", ErrUnsafe, noun(seen.Mode()))
	}
	file, err := os.OpenFile(l[name], os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	opened, err := file.Stat()
	if err == nil && !os.SameFile(seen, opened) {
		err = fmt.Errorf("%w: another file replaced it while it was opened", ErrUnsafe)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return newHandle(file), nil
}

// Lstat implements FS. It looks at what a link leads to.
func (l Listed) Lstat(name string) (fs.FileInfo, error) {
	path, ok := l[name]
	if !ok {
		return nil, fmt.Errorf("look up %s: %w", name, fs.ErrNotExist)
	}
	return os.Stat(path)
}

// Mkdir implements FS.
func (Listed) Mkdir(string) error { return errors.ErrUnsupported }

// SyncDir implements FS.
func (Listed) SyncDir(string) error { return errors.ErrUnsupported }

// Close implements FS.
func (Listed) Close() error { return nil }
