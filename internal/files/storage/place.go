package storage

import (
	"errors"
	"io/fs"
)

// Place says where the bytes of an entry lie: in its own file, or in the part file.
type Place struct {
	Path string // slash-separated, relative to the folder
	Part bool   // Path is the part file
}

// Place returns where entry i's bytes lie now. Where there is no file yet, it returns where the
// next write of a whole piece would create one.
func (f *Files) Place(i int) Place {
	e := &f.entries[i]
	if f.part == nil || e.Pad || !f.hasFragments(i) {
		return Place{Path: e.Path}
	}
	if _, err := f.fs.Lstat(e.Path); errors.Is(err, fs.ErrNotExist) && (f.Skipped(i) || f.hasPart()) {
		return Place{Path: f.part.Path, Part: true}
	}
	return Place{Path: e.Path}
}
