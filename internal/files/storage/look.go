package storage

import (
	"errors"
	"io/fs"
	"sync/atomic"
)

// walks says that the system walks to a file in one call (openat2 of Linux). Older systems, and
// some sandboxes, do not.
var walks atomic.Bool

// Look is what a look at a name has found.
type Look struct {
	Stamp
	Plain  bool // a plain file
	Folder bool
	Info   fs.FileInfo // nil where the other fields say all
}

// Number returns the number of a file on its device; 0 where it is not known, as of many.
func (l *Look) Number() uint64 {
	if l.Info == nil {
		return l.Inode
	}
	if own, ok := l.Info.(interface{ FileID() (device, inode uint64) }); ok { // a twin of the system
		_, n := own.FileID()
		return n
	}
	return numberOf(l.Info)
}

// opens reports whether an open file is the one that was looked at.
func (l *Look) opens(h Handle) (bool, error) {
	if s, ok := h.(Stamper); ok && l.Info == nil {
		st, err := s.Stamp()
		return st.Device == l.Device && st.Inode == l.Inode, err
	}
	opened, err := h.Stat()
	return err == nil && sameInfo(l.Info, opened), err
}

// LooksAtAll is an FS that looks at many files at once for less than one look at each costs.
type LooksAtAll interface {
	// LookAll calls each for every i below n whose name is not empty, in order, with what Lstat
	// finds at name(i). Names in one folder follow one another as far as possible. A folder that
	// is replaced meanwhile can still be seen as it was.
	LookAll(n int, name func(i int) string, each func(i int, at Look, err error))
}

// LookAll looks at files in a folder, as LooksAtAll does.
func LookAll(fsys FS, n int, name func(i int) string, each func(i int, at Look, err error)) {
	if l, ok := fsys.(LooksAtAll); ok {
		l.LookAll(n, name, each)
		return
	}
	for i := range n {
		if at := name(i); at != "" {
			info, err := fsys.Lstat(at)
			each(i, lookFrom(info, err), err)
		}
	}
}

// lookFrom converts the result of Lstat.
func lookFrom(info fs.FileInfo, err error) (at Look) {
	if err == nil {
		at.Size, at.ModTime = info.Size(), info.ModTime().UnixNano()
		at.Plain, at.Folder, at.Info = info.Mode().IsRegular(), info.IsDir(), info
	}
	return at
}

// LookAll implements LooksAtAll.
func (f *sharedFolder) LookAll(n int, name func(int) string, each func(int, Look, error)) {
	LookAll(f.FS, n, name, each)
}

// LookAll implements LooksAtAll. With links it looks at one file after another.
func (l *Linked) LookAll(n int, name func(int) string, each func(int, Look, error)) {
	l.mu.RLock()
	plain := len(l.links)+len(l.broken) == 0
	l.mu.RUnlock()
	if !plain {
		LookAll(struct{ FS }{l}, n, name, each)
		return
	}
	LookAll(l.FS, n, name, func(i int, at Look, err error) {
		if errors.Is(err, ErrUnsafe) {
			l.mu.RLock()
			err = l.explain(name(i), err)
			l.mu.RUnlock()
		}
		each(i, at, err)
	})
}

// LookAll implements LooksAtAll. A file that is not yet known by one of its names is looked at
// alone, those between such files together.
func (u *Unfinished) LookAll(n int, name func(int) string, each func(int, Look, error)) {
	on := make([]string, 0, min(n, mostTogether))
	for i := 0; i < n; {
		first, alone := i, ""
		for on = on[:0]; i < n && alone == "" && len(on) < mostTogether; i++ {
			at := name(i)
			if at != "" {
				u.mu.RLock()
				is, known := u.known(at)
				u.mu.RUnlock()
				if at = is; !known {
					at, alone = "", is
				}
			}
			on = append(on, at)
		}
		LookAll(u.FS, len(on), func(k int) string { return on[k] }, func(k int, at Look, err error) { each(first+k, at, err) })
		if alone != "" {
			info, err := u.Lstat(alone)
			each(i-1, lookFrom(info, err), err)
		}
	}
}

// mostTogether bounds the names of an Unfinished that are passed on together, and so their memory.
const mostTogether = 4096
