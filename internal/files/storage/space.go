package storage

import (
	"errors"
	"io/fs"
	"path"
)

// Space is what the file system says of the volume that a name lies on.
type Space struct {
	Volume      uint64 // its number, as DeviceOf returns it; 0 where the system does not tell
	Free, Total int64  // bytes; Free is what this user may write
	// How many files and folders there may be, and how many more; 0 and 0 where the file
	// system has no such bound.
	Files, FreeFiles int64
}

// Known reports whether the file system said anything: some say 0 of 0 bytes.
func (s Space) Known() bool { return s.Total > 0 && s.Free >= 0 && s.Free <= s.Total }

// NoFilesLeft reports whether the volume takes no more files although it has room for bytes.
func (s Space) NoFilesLeft() bool { return s.Files > 0 && s.FreeFiles == 0 && s.Free > 0 }

// Spacer is an FS that knows how much room there is.
type Spacer interface {
	// Space looks at the volume that a name lies on, or would lie on.
	Space(name string) (Space, error)
}

// SpaceAt returns how much room there is where a name lies, or would lie; false when the
// system does not tell.
func SpaceAt(fsys FS, name string) (Space, bool) {
	s, ok := fsys.(Spacer)
	if !ok {
		return Space{}, false
	}
	space, err := s.Space(name)
	return space, err == nil && space.Known()
}

// Allocated returns how many bytes of the device a file takes: less than its length when it has
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
			continue // it is made, on the volume of the folder that it lies in
		}
		if err != nil {
			return Space{}, refused(err)
		}
		defer dir.Close()
		return spaceOf(dir)
	}
}

// Space is that of the folder.
func (f *sharedFolder) Space(name string) (Space, error) { return spaceIn(f.FS, name) }

// Space is that of where a link leads that is followed.
func (l *Linked) Space(name string) (space Space, err error) {
	err = l.call(name, func(fsys FS, at string) error {
		space, err = spaceIn(fsys, at)
		return err
	})
	return space, err
}

// Space is that of the folder: both names of a file are on one volume.
func (u *Unfinished) Space(name string) (Space, error) { return spaceIn(u.FS, name) }

func spaceIn(fsys FS, name string) (Space, error) {
	if s, ok := fsys.(Spacer); ok {
		return s.Space(name)
	}
	return Space{}, errors.ErrUnsupported
}
