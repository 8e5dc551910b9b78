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
	path, ok := l[name]
	if !ok {
		return nil, l.unlisted(name)
	}
	seen, err := lookListed(path)
	if err != nil {
		return nil, err
	}
	if !seen.Plain {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		return nil, NotPlain(info)
	}
	h, err := openListed(path)
	if err != nil {
		return nil, err
	}
	same, err := seen.opens(h)
	if err == nil && !same {
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
		return nil, l.unlisted(name)
	}
	return os.Stat(path)
}

func (Listed) unlisted(name string) error {
	return fmt.Errorf("look up %s: %w", name, fs.ErrNotExist)
}

// LookAll implements LooksAtAll, on all cores.
func (l Listed) LookAll(n int, name func(int) string, each func(int, Look, error)) {
	lookInWindows(n, name, each, func(window []looked) {
		for k := range window {
			at := &window[k]
			if path, ok := l[at.name]; ok {
				at.at, at.err = lookListed(path)
			} else {
				at.err = l.unlisted(at.name)
			}
		}
	})
}

// Mkdir implements FS.
func (Listed) Mkdir(string) error { return errors.ErrUnsupported }

// SyncDir implements FS.
func (Listed) SyncDir(string) error { return errors.ErrUnsupported }

// Close implements FS.
func (Listed) Close() error { return nil }
