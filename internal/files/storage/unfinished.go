package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync"

	"shoal/metainfo"
)

// Unfinished is a folder in which files of a torrent have a suffix until they are complete. Callers
// use the final names and need not know about the suffix. Unfinished finds out which of the two
// names a file has when it is first used, and a file that it creates gets the suffix. So a stop at
// any moment leaves nothing to repair (decision 0050).
type Unfinished struct {
	FS
	c UnfinishedConfig

	mu    sync.RWMutex // held for reading during a call by name, for writing while one is found out or changes
	names map[string]form
}

// UnfinishedConfig configures an Unfinished.
type UnfinishedConfig struct {
	Suffix string
	// Hide makes new files get the suffix. Without it, Unfinished only finds files that have it.
	Hide bool
	// Which decides when both names exist: it reports whether the file with the suffix is the right
	// one. nil means that it is not.
	Which func(name string, plain, hidden fs.FileInfo) bool
	// Partial reports whether a file without the suffix is known to be incomplete, so that it gets
	// the suffix now. It is called only when new files would get the suffix. nil means that none
	// is.
	Partial func(name string, plain fs.FileInfo) bool
}

// form says which of its two names a file has.
type form uint8

const (
	unknown form = iota
	plain
	hidden
)

// NewUnfinished wraps a folder for the files of a torrent. Empty files have their final names at
// once. So have files whose name with the suffix would be too long, or would be that of another
// file.
func NewUnfinished(folder FS, entries []Entry, c UnfinishedConfig) *Unfinished {
	u := &Unfinished{FS: folder, c: c, names: make(map[string]form, len(entries))}
	taken := make(map[string]bool, len(entries))
	for i := range entries {
		if entries[i].Pad {
			continue
		}
		for p := entries[i].Path; p != "." && !taken[metainfo.PathKey(p)]; p = path.Dir(p) {
			taken[metainfo.PathKey(p)] = true
		}
	}
	for i := range entries {
		e := &entries[i]
		with := path.Base(e.Path) + c.Suffix
		if e.Pad || e.Length == 0 || len(with) > metainfo.MaxName || metainfo.KeepName(with) != with || taken[metainfo.PathKey(e.Path+c.Suffix)] {
			continue
		}
		u.names[e.Path] = unknown
	}
	return u
}

// CheckSuffix reports whether every file system accepts files with the suffix.
func CheckSuffix(suffix string) error {
	if with := "x" + suffix; len(suffix) < 2 || len(suffix) > 32 || suffix[0] != '.' || metainfo.SafeName(with) != with {
		return fmt.Errorf("suffix %q: use a dot and up to 31 characters that every file system accepts, such as .part", suffix)
	}
	return nil
}

// known returns the name on disk of the file called name, if known without a look.
func (u *Unfinished) known(name string) (string, bool) {
	f, ours := u.names[name]
	switch {
	case !ours || f == plain:
		return name, true
	case f == hidden:
		return name + u.c.Suffix, true
	}
	return name, false
}

// find returns the name on disk of the file called name; where neither exists, the name that a new
// file would get. The caller holds u.mu for writing.
func (u *Unfinished) find(name string) (string, error) {
	if at, ok := u.known(name); ok {
		return at, nil
	}
	with := name + u.c.Suffix
	p, perr := u.FS.Lstat(name)
	h, herr := u.FS.Lstat(with)
	for _, err := range []error{perr, herr} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	switch {
	case perr == nil && herr == nil:
		u.names[name] = plain
		if u.c.Which != nil && u.c.Which(name, p, h) {
			u.names[name] = hidden
		}
	case perr == nil:
		u.names[name] = plain
		if u.c.Hide && u.c.Partial != nil && u.c.Partial(name, p) && u.rename(name, with) == nil {
			u.names[name] = hidden
		}
	case herr == nil:
		u.names[name] = hidden
	case u.c.Hide:
		return with, nil
	}
	at, _ := u.known(name)
	return at, nil
}

// call calls do with the name on disk of the file called name.
func (u *Unfinished) call(name string, do func(at string) error) error {
	u.mu.RLock()
	if at, ok := u.known(name); ok {
		defer u.mu.RUnlock()
		return do(at)
	}
	u.mu.RUnlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	at, err := u.find(name)
	if err != nil {
		return err
	}
	return do(at)
}

// Open implements FS.
func (u *Unfinished) Open(name string, mode Mode) (h Handle, err error) {
	err = u.call(name, func(at string) error {
		h, err = u.FS.Open(at, mode)
		if f := u.names[name]; err == nil && f == unknown && mode == Create {
			if _, ours := u.names[name]; ours { // then this call holds u.mu for writing
				u.names[name] = plain
				if at != name {
					u.names[name] = hidden
				}
			}
		}
		return err
	})
	return h, err
}

// Lstat implements FS.
func (u *Unfinished) Lstat(name string) (info fs.FileInfo, err error) {
	err = u.call(name, func(at string) error {
		info, err = u.FS.Lstat(at)
		return err
	})
	return info, err
}

// Remove implements Mover.
func (u *Unfinished) Remove(name string) error {
	m, ok := u.FS.(Mover)
	if !ok {
		return errors.ErrUnsupported
	}
	return u.call(name, m.Remove)
}

// MakeExecutable is that of the wrapped folder.
func (u *Unfinished) MakeExecutable(name string) error {
	c, ok := u.FS.(interface{ MakeExecutable(name string) error })
	if !ok {
		return nil
	}
	return u.call(name, c.MakeExecutable)
}

// Rename implements Mover. A file keeps the suffix that it has, and one without it does not get it.
// A file created later under the new name gets the suffix if others would.
func (u *Unfinished) Rename(from, to string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	at, err := u.find(from)
	if err != nil {
		return err
	}
	_, was := u.names[from]
	_, is := u.names[to]
	f, target := plain, to
	if is && (u.names[from] == hidden || !was && u.c.Hide) {
		f, target = hidden, to+u.c.Suffix
	}
	if is && target != to { // both names must be free
		if err := u.free(at, to); err != nil {
			return err
		}
	}
	if err := u.rename(at, target); err != nil {
		return err
	}
	if was {
		u.names[from] = unknown
	}
	if is {
		u.names[to] = f
	}
	return nil
}

// rename renames a file on disk, unless the name is taken. The caller holds u.mu.
func (u *Unfinished) rename(at, to string) error {
	m, ok := u.FS.(Mover)
	if !ok {
		return errors.ErrUnsupported
	}
	if err := u.free(at, to); err != nil {
		return err
	}
	return m.Rename(at, to)
}

// free returns an error when a name is taken, unless the system treats it as the name that the file
// already has.
func (u *Unfinished) free(at, to string) error {
	there, err := u.FS.Lstat(to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if is, err := u.FS.Lstat(at); err == nil {
		a, _, known := identify(is)
		b, _, also := identify(there)
		if known && also && a == b && metainfo.SamePath(at, to) {
			return nil
		}
	}
	return &fs.PathError{Op: "rename", Path: to, Err: fs.ErrExist}
}

// Hidden returns the files known to have the suffix.
func (u *Unfinished) Hidden() (names []string) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	for name, f := range u.names {
		if f == hidden {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Reveal removes the suffix from a complete file. SyncDir makes that durable. If another file has
// the final name already, that one stays, this one keeps the suffix, and Reveal returns
// fs.ErrExist.
func (u *Unfinished) Reveal(name string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.names[name] != hidden {
		return nil
	}
	err := u.rename(name+u.c.Suffix, name)
	if errors.Is(err, fs.ErrExist) {
		// What has the name is the file itself where another Unfinished with this suffix, below
		// or above this one, has renamed it.
		if _, lerr := u.FS.Lstat(name + u.c.Suffix); errors.Is(lerr, fs.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		return fail("rename", name+u.c.Suffix, err)
	}
	u.names[name] = plain
	return nil
}

// OnDisk returns the name on disk of the file called name, as far as it is known.
func (u *Unfinished) OnDisk(name string) string {
	u.mu.RLock()
	defer u.mu.RUnlock()
	at, _ := u.known(name)
	return at
}
