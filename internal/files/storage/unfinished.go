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

// Unfinished is a folder in which files of a torrent have a suffix behind their names
// until they are complete. Whoever uses it calls them by the names that they will have,
// and need not know: which of the two a file has is found out when it is first asked for,
// and where there is none, one that comes to be gets the suffix. So a stop at any moment
// leaves nothing that would have to be put right (decision 0050).
type Unfinished struct {
	FS
	c UnfinishedConfig

	mu    sync.RWMutex // held for reading during a call by name, for writing while one is found out or changes
	names map[string]form
}

// UnfinishedConfig is what an Unfinished is made with.
type UnfinishedConfig struct {
	Suffix string
	// Hide says that files which come to be get the suffix. Without it they are only
	// found by it.
	Hide bool
	// Which is asked when both names are there: whether the file with the suffix is the
	// one that is meant. Nil: it is not.
	Which func(name string, plain, hidden fs.FileInfo) bool
	// Partial is asked about files without the suffix, when new ones would get it:
	// whether one is known not to be complete, so that it gets the suffix now. Nil: it is not.
	Partial func(name string, plain fs.FileInfo) bool
}

// form is which of its two names a file has.
type form uint8

const (
	unknown form = iota
	plain
	hidden
)

// NewUnfinished makes an Unfinished of a folder, for the files of a torrent as they lie in
// it. Files of no bytes have their names at once; so have those whose name with the suffix
// would be too long, or that of another file.
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

// CheckSuffix tells whether a suffix is one that files can have on every file system.
func CheckSuffix(suffix string) error {
	if with := "x" + suffix; len(suffix) < 2 || len(suffix) > 32 || suffix[0] != '.' || metainfo.SafeName(with) != with {
		return fmt.Errorf("suffix %q: it begins with a dot, such as .part, and has only what every file system takes", suffix)
	}
	return nil
}

// known gives the name on disk of what is called name, if it is known without a look.
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

// find gives the name on disk of what is called name; where there is nothing, the name that
// it would get. u.mu is held for writing.
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

// call does something with what is called name, by the name that it has on disk.
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
			if _, ours := u.names[name]; ours { // then u.mu is held for writing
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

// MakeExecutable is that of the folder.
func (u *Unfinished) MakeExecutable(name string) error {
	c, ok := u.FS.(interface{ MakeExecutable(name string) error })
	if !ok {
		return nil
	}
	return u.call(name, c.MakeExecutable)
}

// Rename implements Mover. A file that has the suffix keeps it, and one that has it not
// does not get it; what comes to be by this name gets it if others would.
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
	if is && target != to { // neither of the two may be taken
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

// rename has a file get another name on disk, unless that is taken. u.mu is held.
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

// free reports, by an error, that a name is taken, but for what the system takes for the
// name that the file has.
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

// Hidden gives the files that have the suffix, as far as that was found out.
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

// Reveal takes the suffix off a file that is complete. SyncDir makes it durable. What has
// the name already stays, and the file keeps the suffix: fs.ErrExist.
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

// OnDisk gives the name on disk of what is called name, as far as that was found out.
func (u *Unfinished) OnDisk(name string) string {
	u.mu.RLock()
	defer u.mu.RUnlock()
	at, _ := u.known(name)
	return at
}
