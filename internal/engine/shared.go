package engine

import (
	"fmt"
	"strings"

	"shoal/metainfo"
)

// ownFile refuses a file that another torrent of the engine has, too: in the same folder and
// by the same name. What is in it is theirs when they were first, or have something of it
// and we have not; then it is not written over. What they have got we find when we look
// at it the next time; if that is ours as well, nothing is left to be written.
//
// It is asked once for each file that is opened to be written to, so nothing is kept for it.
func (t *Torrent) ownFile(file int) error {
	name := t.Path(file)
	before, after := t.rivals(name)
	for _, other := range before {
		if other.fileAt(name) >= 0 {
			return theirs(name, other)
		}
	}
	for _, other := range after {
		if i := other.fileAt(name); i >= 0 && other.hasOf(i) && !t.hasOf(file) {
			return theirs(name, other)
		}
	}
	return nil
}

func theirs(name string, other *Torrent) error {
	return fmt.Errorf("%s is a file of the torrent %s, too, which has it", name, other.info.Name)
}

// rivals gives the torrents in the same folder that may have a file of this path: those
// that were added before this one, and those that came later.
func (t *Torrent) rivals(name string) (before, after []*Torrent) {
	top, _, _ := strings.Cut(name, "/")
	dir, later := t.at.Load().abs, false
	t.e.mu.Lock()
	defer t.e.mu.Unlock()
	for _, other := range t.e.order {
		if other == t {
			later = true
			continue
		}
		at := other.at.Load()
		if at == nil || at.abs != dir || other.spec.Storage != nil || other.spec.Open != nil ||
			other.named.Load() == nil && !metainfo.SamePath(other.info.Name, top) {
			continue
		}
		if later {
			after = append(after, other)
		} else {
			before = append(before, other)
		}
	}
	return before, after
}

// fileAt gives the number of the file that has a path on some file system; -1 for none.
func (t *Torrent) fileAt(name string) int {
	key := metainfo.PathKey(name)
	for i := range t.info.Files {
		if f := &t.info.Files[i]; !f.Pad && f.Length > 0 && metainfo.PathKey(t.Path(i)) == key {
			return i
		}
	}
	return -1
}

// hasOf reports whether a piece of a file is had.
func (t *Torrent) hasOf(file int) bool {
	f, size := &t.info.Files[file], int64(t.geom.PieceLength)
	for p := f.Offset / size; f.Length > 0 && p <= (f.Offset+f.Length-1)/size; p++ {
		if t.had.has(uint32(p)) {
			return true
		}
	}
	return false
}
