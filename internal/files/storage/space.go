package storage

import (
	"errors"
	"io/fs"
	"path"
)

// Space is what the file system reports about the volume that a name lies on.
type Space struct {
	Volume      uint64 // its number, as DeviceOf returns it; 0 where the system reports none
	Free, Total int64  // in bytes; Free is what this user can write
	// Files is how many files and folders the volume can have, FreeFiles how many more; both 0
	// where the file system has no such bound.
	Files, FreeFiles int64
}

// Known reports whether the file system reported anything: some report 0 of 0 bytes.
func (s Space) Known() bool { return s.Total > 0 && s.Free >= 0 && s.Free <= s.Total }

// NoFilesLeft reports whether the volume can't hold more files although it has free bytes.
func (s Space) NoFilesLeft() bool { return s.Files > 0 && s.FreeFiles == 0 && s.Free > 0 }

// Spacer is an FS that can report its free space.
type Spacer interface {
	// Space describes the volume that a name lies on, or would lie on.
	Space(name string) (Space, error)
}

// SpaceAt describes the volume that a name lies on, or would lie on; false when the system does not
// report it.
func SpaceAt(fsys FS, name string) (Space, bool) {
	s, ok := fsys.(Spacer)
	if !ok {
		return Space{}, false
	}
	space, err := s.Space(name)
	return space, err == nil && space.Known()
}

// Allocated returns how many bytes of the device a file occupies: less than its length when it has
// holes.
func Allocated(info fs.FileInfo) int64 {
	if n, ok := blocksOf(info); ok {
		return n
	}
	return info.Size()
}

// Space implements Spacer.
func (f folder) Space(name string) (Space, error) {
	for at := path.Dir(name); ; at = path.Dir(at) {
		dir, err := f.root.Open(at)
		if errors.Is(err, fs.ErrNotExist) && at != "." {
			continue // it will be created on the volume of its parent
		}
		if err != nil {
			return Space{}, refused(err)
		}
		defer dir.Close()
		return spaceOf(dir)
	}
}

// Space is that of the wrapped folder.
func (f *sharedFolder) Space(name string) (Space, error) { return spaceIn(f.FS, name) }

// Space describes the volume behind a link that we follow.
func (l *Linked) Space(name string) (space Space, err error) {
	err = l.call(name, func(fsys FS, at string) error {
		space, err = spaceIn(fsys, at)
		return err
	})
	return space, err
}

// Space is that of the wrapped folder: both names of a file are on one volume.
func (u *Unfinished) Space(name string) (Space, error) { return spaceIn(u.FS, name) }

func spaceIn(fsys FS, name string) (Space, error) {
	if s, ok := fsys.(Spacer); ok {
		return s.Space(name)
	}
	return Space{}, errors.ErrUnsupported
}
