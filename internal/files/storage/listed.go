package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Listed is a read-only FS over files that the user named, wherever they lie. It maps a torrent's
// name of a file to the file's path in the operating system. It follows links, because the user
// chose the paths.
type Listed map[string]string

// Open implements FS. It refuses a pipe or a device before opening it: opening a pipe waits for a
// writer.
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
	h, err := openListed(l[name])
	if err != nil {
		return nil, err
	}
	opened, err := h.Stat()
	if err == nil && !sameInfo(seen, opened) {
		err = fmt.Errorf("%w: another file replaced it while it was opened", ErrUnsafe)
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// Lstat implements FS. It describes the target of a link.
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
