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

// Replacer is an FS in which one file can replace another.
type Replacer interface {
	// Replace renames a file in one step, and replaces a file that has the new name.
	Replace(from, to string) error
}

// routed is route for a caller that does not hold l.mu.
func (l *Linked) routed(name string) (FS, string) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.route(name)
}

// Rename implements Mover. It renames a link, whose target stays; a file in a linked folder is
// renamed in there. When only the linked folder's own name changes, and the rest of the path in it
// stays the same, the new name becomes a second link to that folder.
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
		return fmt.Errorf("it lies in the folder behind the link %s: rename it within that folder", at)
	}
	// An earlier Mkdir may have created the folder: it is empty then.
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

// link creates another link with the target of t. The caller holds l.mu.
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

// note registers a link that we created. The caller holds l.mu.
func (l *Linked) note(name string, t *trail, text string) {
	if l.links == nil {
		l.links = make(map[string]*trail)
	}
	l.links[name] = &trail{fs: t.fs, file: t.file, to: t.to}
	l.known.made(l.dir, name, text)
}

// renameLink renames a link. It creates a relative link again when the old text would lead
// elsewhere from the new place. The caller holds l.mu.
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

// Remove implements Mover. Of a link to a file it removes the link, never the file. It removes a
// link to a folder only when another link leads there.
func (l *Linked) Remove(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.links[name]
	if t == nil {
		fsys, at := l.route(name)
		return fsys.(Mover).Remove(at)
	}
	if t.file == "" && !t.moved {
		return fmt.Errorf("%s is the user's only link to a folder: %w", name, fs.ErrExist)
	}
	fsys, at := l.place(name)
	if err := fsys.(Mover).Remove(at); err != nil {
		return err
	}
	delete(l.links, name)
	return nil
}

// Replace implements Replacer. If to is a link, Replace replaces the link, not its target.
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

// Link implements Linker for names without a link on their way.
func (l *Linked) Link(from FS, name string) error {
	fsys, at := l.routed(name)
	if k, ok := fsys.(Linker); ok && at == name {
		return k.Link(from, name)
	}
	return errors.ErrUnsupported
}

// SetTime sets the modification time of a file.
func (l *Linked) SetTime(name string, at time.Time) error {
	fsys, name := l.routed(name)
	if c, ok := fsys.(interface {
		SetTime(name string, at time.Time) error
	}); ok {
		return c.SetTime(name, at)
	}
	return nil
}

// MakeExecutable is that of the folder that contains the file.
func (l *Linked) MakeExecutable(name string) error {
	fsys, name := l.routed(name)
	if c, ok := fsys.(interface{ MakeExecutable(name string) error }); ok {
		return c.MakeExecutable(name)
	}
	return nil
}

// through returns the outermost link that a name lies behind, or nil.
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

// linkOn creates in the folder to a link with the target of the link on the way to a file, and
// reports whether there is such a link. The file behind it stays where it is. made is the name of
// the new link; empty when it existed.
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
	// Open the target's folder for dst as well: each of the two closes its own.
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

// leaveLink removes a link on the way to a file once another link has the same target, and reports
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
