package storage

import (
	"errors"
	"io/fs"
)

// Place is where the bytes of an entry lie: in its own file, or in the part file.
type Place struct {
	Path string // slash-separated, relative to the folder
	Part bool   // of the part file
}

// Place tells where entry i's bytes lie now. Where there is no file yet it is where the
// next write of a whole piece would make one.
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
