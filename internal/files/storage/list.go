package storage

import (
	"io"
	"io/fs"
	"path"
	"strings"
)

// ValidPath reports whether a name is a path below a folder. It accepts what fs.ValidPath accepts
// except ".", and also names that are not UTF-8, which many file systems have.
func ValidPath(name string) bool {
	if name == "" || strings.IndexByte(name, 0) >= 0 {
		return false
	}
	for elem := range strings.SplitSeq(name, "/") {
		if elem == "" || elem == "." || elem == ".." {
			return false
		}
	}
	return true
}

// Lister is an FS that can list its folders.
type Lister interface {
	// List returns the entries of a folder, in any order; "." is the folder itself. It reads at
	// most n names, and reports whether there are more. It does not follow links.
	List(name string, n int) (list []fs.DirEntry, more bool, err error)
}

// List implements Lister.
func (f folder) List(name string, most int) ([]fs.DirEntry, bool, error) {
	dir, ok := f.openDir(name)
	if !ok {
		var err error
		if dir, err = f.root.Open(name); err != nil {
			return nil, false, refused(err)
		}
	}
	defer dir.Close()
	list, err := dir.ReadDir(most + 1)
	if err == io.EOF {
		err = nil
	}
	for i := range list {
		if ok {
			list[i] = entryBelow{list[i], f, path.Join(name, list[i].Name())}
		}
	}
	if len(list) > most {
		return list[:most], true, err
	}
	return list, false, err
}

// entryBelow is an entry whose properties are looked up when they are wanted, below the folder.
type entryBelow struct {
	fs.DirEntry
	in   folder
	name string
}

// Info implements fs.DirEntry.
func (e entryBelow) Info() (fs.FileInfo, error) { return e.in.Lstat(e.name) }

// List implements Lister.
func (f *sharedFolder) List(name string, most int) ([]fs.DirEntry, bool, error) {
	if l, ok := f.FS.(Lister); ok {
		return l.List(name, most)
	}
	return nil, true, nil
}

// List implements Lister.
func (m *memFS) List(name string, most int) (list []fs.DirEntry, more bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.nodes[name]; n == nil || !n.folder {
		return nil, false, &fs.PathError{Op: "list", Path: name, Err: fs.ErrNotExist}
	}
	for at, n := range m.nodes {
		if at == "." || path.Dir(at) != name {
			continue
		}
		if len(list) == most {
			return list, true, nil
		}
		list = append(list, fs.FileInfoToDirEntry(n.info()))
	}
	return list, false, nil
}

// SameFile reports whether two results of a lookup are one file, as far as the system can tell.
func SameFile(a, b fs.FileInfo) bool {
	type twin interface{ FileID() (device, inode uint64) }
	if x, ok := a.(twin); ok {
		y, ok := b.(twin)
		if !ok {
			return false
		}
		ad, ai := x.FileID()
		bd, bi := y.FileID()
		return ai != 0 && ad == bd && ai == bi
	}
	return sameInfo(a, b)
}
