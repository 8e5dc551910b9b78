package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Replacer is an FS that can put a file in the place of another one.
type Replacer interface {
	// Replace gives a file another name in one step. What has that name is gone.
	Replace(from, to string) error
}

// routed is route for a caller that does not hold l.mu.
func (l *Linked) routed(name string) (FS, string) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.route(name)
}

// Rename implements Mover. A link is renamed, and leads where it did; a file in a linked
// folder is renamed in there. The folder that a link leads to gets a link of another name
// when all of the way to the file in it stays the same.
func (l *Linked) Rename(from, to string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, t := l.over(from)
	if t != nil && at == from {
		return l.renameLink(from, to, t)
	}
	to1, t1 := l.over(to)
	switch {
	case t == t1:
		fsys, old := l.route(from)
		_, name := l.route(to)
		return fsys.(Mover).Rename(old, name)
	case t == nil:
		return fmt.Errorf("%s is a link to another folder: move the file there by hand", to1)
	}
	rest := strings.TrimPrefix(from, at)
	if t1 != nil && t1.to == t.to && strings.TrimPrefix(to, to1) == rest {
		t.moved = true
		return nil // another link leads to it already
	}
	above, ok := strings.CutSuffix(to, rest)
	if t1 != nil || !ok || above == "" {
		return fmt.Errorf("it lies in the folder that the link %s leads to, and can be renamed only in there", at)
	}
	// Folders on the way were made before: nothing is in this one.
	if fsys, dir := l.place(above); fsys.(Mover).Remove(dir) != nil {
		if _, err := fsys.Lstat(dir); err == nil {
			return fmt.Errorf("%s is a folder, and %s a link: %w", above, at, fs.ErrExist)
		}
	}
	if err := l.link(above, t); err != nil {
		return err
	}
	t.moved = true
	return nil
}

// link makes another link that leads where t does. l.mu is held.
func (l *Linked) link(name string, t *trail) error {
	fsys, at := l.place(name)
	p := placeOf(fsys)
	if p == nil {
		return errors.ErrUnsupported
	}
	if err := p.Symlink(t.to, at); err != nil {
		return err
	}
	l.note(name, t, t.to)
	return fsys.SyncDir(path.Dir(at))
}

// note has a link of ours known. l.mu is held.
func (l *Linked) note(name string, t *trail, text string) {
	if l.links == nil {
		l.links = make(map[string]*trail)
	}
	l.links[name] = &trail{fs: t.fs, file: t.file, to: t.to}
	l.known.made(l.dir, name, text)
}

// renameLink gives a link another name. One that leads to a place relative to its folder is
// made again where it would lead elsewhere. l.mu is held.
func (l *Linked) renameLink(from, to string, t *trail) error {
	a, old := l.place(from)
	b, name := l.place(to)
	p, q := placeOf(a), placeOf(b)
	if p == nil || q == nil {
		return errors.ErrUnsupported
	}
	text, err := p.Readlink(old)
	if err != nil {
		return err
	}
	if path.Dir(from) == path.Dir(to) {
		err = a.(Mover).Rename(old, name)
	} else {
		if !filepath.IsAbs(text) {
			text = t.to
		}
		if err = q.Symlink(text, name); err == nil {
			err = a.(Mover).Remove(old)
		}
	}
	if err != nil {
		return err
	}
	delete(l.links, from)
	l.note(to, t, text)
	return nil
}

// Remove implements Mover. Of a link to a file it removes the link, never the file; a link to
// a folder goes only when another one leads there.
func (l *Linked) Remove(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.links[name]
	if t == nil {
		fsys, at := l.route(name)
		return fsys.(Mover).Remove(at)
	}
	if t.file == "" && !t.moved {
		return fmt.Errorf("%s is a link to a folder of the user: %w", name, fs.ErrExist)
	}
	fsys, at := l.place(name)
	if err := fsys.(Mover).Remove(at); err != nil {
		return err
	}
	delete(l.links, name)
	return nil
}

// Replace implements Replacer. A link in the place of to is replaced, not what it leads to.
func (l *Linked) Replace(from, to string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, old := l.place(from)
	b, name := l.place(to)
	r, ok := a.(Replacer)
	if !ok || a != b {
		return errors.ErrUnsupported
	}
	if err := r.Replace(old, name); err != nil {
		return err
	}
	delete(l.links, to)
	return nil
}

// Link implements Linker, where no link is on the way.
func (l *Linked) Link(from FS, name string) error {
	fsys, at := l.routed(name)
	if k, ok := fsys.(Linker); ok && at == name {
		return k.Link(from, name)
	}
	return errors.ErrUnsupported
}

// SetTime changes the time of the last change of a file.
func (l *Linked) SetTime(name string, at time.Time) error {
	fsys, name := l.routed(name)
	if c, ok := fsys.(interface {
		SetTime(name string, at time.Time) error
	}); ok {
		return c.SetTime(name, at)
	}
	return nil
}

// MakeExecutable is that of the folder that a file lies in.
func (l *Linked) MakeExecutable(name string) error {
	fsys, name := l.routed(name)
	if c, ok := fsys.(interface{ MakeExecutable(name string) error }); ok {
		return c.MakeExecutable(name)
	}
	return nil
}

// through returns the outermost link that a name lies behind, and whether there is one.
func (l *Linked) through(name string) (at string, t *trail) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := 0; i <= len(name); i++ {
		if i == len(name) || name[i] == '/' {
			if t = l.links[name[:i]]; t != nil {
				return name[:i], t
			}
		}
	}
	return "", nil
}

// linkOn brings a link on the way to a file to the folder to, so that it leads there as well,
// and reports whether there is one. The file behind it stays where it is. made is the link
// that was made; empty when it was there.
func (l *Linked) linkOn(to FS, name string) (made string, linked bool, err error) {
	at, t := l.through(name)
	if t == nil {
		return "", false, nil
	}
	dst, ok := to.(*Linked)
	if !ok {
		return "", true, errors.ErrUnsupported
	}
	dst.mu.Lock()
	defer dst.mu.Unlock()
	if there := dst.links[at]; there != nil && there.to == t.to {
		return "", true, nil
	}
	// The folder behind is opened for dst as well, since each closes its own.
	dir := t.to
	if t.file != "" {
		dir = filepath.Dir(t.to)
	}
	fsys, err := dst.pool.Folder(dir)
	if err != nil {
		return "", true, err
	}
	dst.opened = append(dst.opened, fsys)
	if err := dst.link(at, &trail{fs: fsys, file: t.file, to: t.to}); err != nil {
		return "", true, err
	}
	return at, true, nil
}

// leaveLink removes a link on the way to a file, once another one leads there, and reports
// whether there is one.
func (l *Linked) leaveLink(name string) (linked bool, err error) {
	at, t := l.through(name)
	if t == nil {
		return false, nil
	}
	l.mu.Lock()
	t.moved = true
	l.mu.Unlock()
	return true, l.Remove(at)
}
