package storage

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"shoal/metainfo"
)

// Entries lays out the files of a torrent in the order of its info dictionary.
func Entries(info *metainfo.Info) []Entry {
	entries := make([]Entry, len(info.Files), len(info.Files)+1) // one more for a part file
	n := 0
	for i := range info.Files {
		for _, elem := range info.Files[i].Path {
			n += len(elem) + 1
		}
	}
	var all strings.Builder // the paths are parts of one string: an allocation for each costs more
	all.Grow(n)
	for i := range info.Files {
		f, start := &info.Files[i], all.Len()
		for k, elem := range f.Path {
			if k > 0 {
				all.WriteByte('/')
			}
			all.WriteString(elem)
		}
		entries[i] = Entry{Path: all.String()[start:], Length: f.Length, Offset: f.Offset, Pad: f.Pad}
	}
	return entries
}

// PartName is the name of a torrent's part file, which lies beside the torrent's folder. No file of
// a torrent has such a name: those do not begin with a dot and end with this suffix.
func PartName(info *metainfo.Info) string {
	return "." + hex.EncodeToString(info.Hash[:]) + ".shoal-part"
}

// OpenIn opens the storage of a torrent in a folder. The paths of entries can differ from the
// torrent's. The folder is closed with the storage, and when OpenIn fails.
func OpenIn(folder FS, entries []Entry, info *metainfo.Info, pool *Pool) (*Files, error) {
	f, err := New(entries, Config{FS: folder, Pool: pool})
	if err != nil {
		folder.Close()
		return nil, err
	}
	f.UsePart(PartName(info), info.PieceLength)
	f.closeFS = true
	return f, nil
}

// sharedFolder is an FS that several storages use. Each Close ends one use.
type sharedFolder struct {
	FS
	pool *Pool
	dir  string
	uses int // guarded by Pool.mu

	behindLink bool // counted in Pool.behindLinks; guarded by Pool.mu
}

// Folder opens the folder at dir, or shares it with the storages that have it open.
func (p *Pool) Folder(dir string) (FS, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.folders[dir]
	if old != nil {
		old.uses++ // keep it open during the look
		var same bool
		p.unlocked(func() { same = old.stillThere() })
		if same {
			return old, nil
		}
		defer func() { p.unlocked(func() { old.Close() }) }()
	}
	var fsys FS
	var err error
	p.unlocked(func() { fsys, err = p.openAt(dir) })
	if err != nil {
		return nil, err
	}
	if f := p.folders[dir]; f != nil && f != old { // somebody else opened it first
		p.unlocked(func() { fsys.Close() })
		f.uses++
		return f, nil
	}
	if p.folders == nil {
		p.folders = make(map[string]*sharedFolder)
	}
	f := &sharedFolder{FS: fsys, pool: p, dir: dir, uses: 1}
	p.folders[dir] = f
	return f, nil
}

// openAt opens a folder.
func (p *Pool) openAt(dir string) (FS, error) {
	if p.openFolder != nil {
		return p.openFolder(dir)
	}
	return OpenFolder(dir)
}

// stillThere reports whether the folder's path still leads to it: somebody may have unmounted the
// volume, or mounted another one there.
func (f *sharedFolder) stillThere() bool {
	if f.pool.openFolder != nil {
		_, err := f.FS.Lstat(".")
		return err == nil
	}
	now, err := os.Stat(f.dir)
	if err != nil {
		return false
	}
	open, err := f.FS.Lstat(".")
	return err == nil && sameInfo(now, open)
}

// Replaced returns the paths of the folders in use that no longer lead to them.
func (p *Pool) Replaced() []string {
	p.mu.Lock()
	var all []*sharedFolder
	for _, f := range p.folders {
		f.uses++
		all = append(all, f)
	}
	p.mu.Unlock()
	var gone []string
	for _, f := range all {
		if !f.stillThere() {
			gone = append(gone, f.dir)
		}
		f.Close()
	}
	return gone
}

// MakeExecutable is that of the wrapped folder.
func (f *sharedFolder) MakeExecutable(name string) error {
	if c, ok := f.FS.(interface{ MakeExecutable(name string) error }); ok {
		return c.MakeExecutable(name)
	}
	return nil
}

// Rename implements Mover.
func (f *sharedFolder) Rename(from, to string) error { return f.FS.(Mover).Rename(from, to) }

// Link implements Linker.
func (f *sharedFolder) Link(from FS, name string) error {
	if l, ok := f.FS.(Linker); ok {
		return l.Link(from, name)
	}
	return errors.ErrUnsupported
}

// SetTime is that of the wrapped folder.
func (f *sharedFolder) SetTime(name string, at time.Time) error {
	if c, ok := f.FS.(interface {
		SetTime(name string, at time.Time) error
	}); ok {
		return c.SetTime(name, at)
	}
	return nil
}

// SetMode is that of the wrapped folder.
func (f *sharedFolder) SetMode(name string, mode fs.FileMode) error {
	if c, ok := f.FS.(interface {
		SetMode(name string, mode fs.FileMode) error
	}); ok {
		return c.SetMode(name, mode)
	}
	return errors.ErrUnsupported
}

// Replace is that of the wrapped folder.
func (f *sharedFolder) Replace(from, to string) error {
	if r, ok := f.FS.(Replacer); ok {
		return r.Replace(from, to)
	}
	return errors.ErrUnsupported
}

// Remove implements Mover.
func (f *sharedFolder) Remove(name string) error { return f.FS.(Mover).Remove(name) }

// Close implements FS.
func (f *sharedFolder) Close() error {
	f.pool.mu.Lock()
	f.uses--
	last := f.uses == 0
	if last && f.pool.folders[f.dir] == f {
		delete(f.pool.folders, f.dir)
	}
	if last && f.behindLink {
		f.pool.behindLinks--
	}
	f.pool.mu.Unlock()
	if last {
		return f.FS.Close()
	}
	return nil
}
