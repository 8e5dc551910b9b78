package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// partOfLinks bounds the folders behind links that we hold open: one for every partOfLinks files
// that can be open. So a torrent whose every file is a link elsewhere leaves handles for everything
// else.
const partOfLinks = 4

// linkFolder returns the folder at dir, the target of a link. It stays open, so that nothing that
// happens to its path matters. Above the bound it is opened for each use.
func (p *Pool) linkFolder(dir string) (FS, error) {
	p.mu.Lock()
	shared := p.folders[dir] != nil // another handle costs nothing
	room := p.behindLinks < max(p.max/partOfLinks, 1)
	if room && !shared {
		p.behindLinks++
	}
	p.mu.Unlock()
	switch {
	case shared:
		return p.Folder(dir)
	case !room:
		return p.openOnUse(dir)
	}
	fsys, err := p.Folder(dir)
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := fsys.(*sharedFolder); ok && !s.behindLink {
		s.behindLink = true
	} else {
		p.behindLinks-- // it failed, or another link opened it first
	}
	return fsys, err
}

// onUse is a folder that is opened for each use, and must then still be the same folder.
type onUse struct {
	pool *Pool
	dir  string
	was  fs.FileInfo
}

// openOnUse looks at a folder, to recognize it at each use.
func (p *Pool) openOnUse(dir string) (FS, error) {
	fsys, err := p.openAt(dir)
	if err != nil {
		return nil, err
	}
	defer fsys.Close()
	was, err := fsys.Lstat(".")
	if err != nil {
		return nil, err
	}
	return &onUse{p, dir, was}, nil
}

// with calls do with the open folder.
func (f *onUse) with(do func(fsys FS) error) error {
	fsys, err := f.pool.openAt(f.dir)
	if err != nil {
		return err
	}
	defer fsys.Close()
	now, err := fsys.Lstat(".")
	if err == nil && !sameInfo(f.was, now) {
		err = fmt.Errorf("%w: %s is another folder than when the torrent was opened: start it again to use that", ErrUnsafe, f.dir)
	}
	if err != nil {
		return err
	}
	return do(fsys)
}

// as does something that not every folder can do.
func as[T any](f *onUse, do func(T) error) error {
	return f.with(func(fsys FS) error {
		if t, ok := fsys.(T); ok {
			return do(t)
		}
		return errors.ErrUnsupported
	})
}

// Open implements FS. The file stays open when the folder is closed.
func (f *onUse) Open(name string, mode Mode) (h Handle, err error) {
	err = f.with(func(fsys FS) error {
		h, err = fsys.Open(name, mode)
		return err
	})
	return h, err
}

// Lstat implements FS.
func (f *onUse) Lstat(name string) (info fs.FileInfo, err error) {
	err = f.with(func(fsys FS) error {
		info, err = fsys.Lstat(name)
		return err
	})
	return info, err
}

// List implements Lister.
func (f *onUse) List(name string, most int) (list []fs.DirEntry, more bool, err error) {
	err = as(f, func(l Lister) error {
		list, more, err = l.List(name, most)
		return err
	})
	return list, more, err
}

// Readlink implements linkPlace.
func (f *onUse) Readlink(name string) (text string, err error) {
	err = as(f, func(p linkPlace) error {
		text, err = p.Readlink(name)
		return err
	})
	return text, err
}

// Symlink implements linkPlace.
func (f *onUse) Symlink(text, name string) error {
	return as(f, func(p linkPlace) error { return p.Symlink(text, name) })
}

// Space is that of the folder.
func (f *onUse) Space(name string) (s Space, err error) {
	err = f.with(func(fsys FS) error {
		s, err = spaceIn(fsys, name)
		return err
	})
	return s, err
}

// Mkdir implements FS.
func (f *onUse) Mkdir(name string) error {
	return f.with(func(fsys FS) error { return fsys.Mkdir(name) })
}

// SyncDir implements FS.
func (f *onUse) SyncDir(name string) error {
	return f.with(func(fsys FS) error { return fsys.SyncDir(name) })
}

// Rename implements Mover.
func (f *onUse) Rename(from, to string) error {
	return as(f, func(m Mover) error { return m.Rename(from, to) })
}

// Remove implements Mover.
func (f *onUse) Remove(name string) error {
	return as(f, func(m Mover) error { return m.Remove(name) })
}

// Replace implements Replacer.
func (f *onUse) Replace(from, to string) error {
	return as(f, func(r Replacer) error { return r.Replace(from, to) })
}

// MakeExecutable is that of the folder.
func (f *onUse) MakeExecutable(name string) error {
	return as(f, func(c interface{ MakeExecutable(name string) error }) error { return c.MakeExecutable(name) })
}

// SetMode is that of the folder.
func (f *onUse) SetMode(name string, mode fs.FileMode) error {
	return as(f, func(c interface {
		SetMode(name string, mode fs.FileMode) error
	},
	) error {
		return c.SetMode(name, mode)
	})
}

// SetTime is that of the folder.
func (f *onUse) SetTime(name string, at time.Time) error {
	return as(f, func(c interface {
		SetTime(name string, at time.Time) error
	},
	) error {
		return c.SetTime(name, at)
	})
}

// Close implements FS: nothing is open.
func (f *onUse) Close() error { return nil }
