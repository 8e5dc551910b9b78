package engine

import (
	"encoding/hex"
	"errors"
	"io/fs"

	"shoal/internal/storage"
	"shoal/metainfo"
)

// A taste is what is known of the names that a folder's file system takes. It asks by making
// empty files in a folder of its own and removing them: no other answer is sure, since file
// systems are mounted with options, and over networks. Only torrents with names that some file
// system refuses make it ask, and only what is in doubt.
type taste struct {
	folder storage.FS
	mover  storage.Mover
	lister storage.Lister
	dir    string
	open   bool // dir is made, and takes files
	takes  map[string]bool
}

// mostDoubts bounds the names that are tried; what is in doubt beyond that is rewritten.
const mostDoubts = 256

func newTaste(folder storage.FS, infoHash [20]byte) *taste {
	t := &taste{folder: folder, takes: map[string]bool{}, dir: "." + hex.EncodeToString(infoHash[:]) + ".shoal-probe"}
	var ok bool
	if t.mover, ok = folder.(storage.Mover); !ok {
		return t
	}
	if t.lister, ok = folder.(storage.Lister); !ok {
		return t
	}
	if err := folder.Mkdir(t.dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return t // nothing can be made here, and the first write says why
	}
	t.open = t.try("probe")
	return t
}

// close removes what was made.
func (t *taste) close() {
	if t.mover != nil {
		_ = t.mover.Remove(t.dir) // where it stays, it is empty
	}
}

// try makes a file, looks whether it has its name, and removes it.
func (t *taste) try(name string) bool {
	at := t.dir + "/" + name
	h, err := t.folder.Open(at, storage.Create)
	if errors.Is(err, fs.ErrExist) { // left by a stop
		return t.mover.Remove(at) == nil && !t.listed(name) && t.try(name)
	}
	if err != nil {
		return false
	}
	h.Close()
	there := t.listed(name)
	if err := t.mover.Remove(at); err != nil && !there {
		list, _, _ := t.lister.List(t.dir, 100) // by the name that it got
		for _, e := range list {
			_ = t.mover.Remove(t.dir + "/" + e.Name())
		}
	}
	return there
}

// listed reports whether the folder lists a file by exactly this name: some file systems drop
// dots at the end, or put other characters in place of some.
func (t *taste) listed(name string) bool {
	list, _, err := t.lister.List(t.dir, 100)
	if err != nil {
		return false
	}
	for _, e := range list {
		if e.Name() == name {
			return true
		}
	}
	return false
}

// name reports whether a file can have a name.
func (t *taste) name(name string) bool {
	if !t.open {
		return true
	}
	for _, d := range metainfo.Doubts(name) {
		ok, known := t.takes[d]
		if !known {
			if len(t.takes) >= mostDoubts {
				return false
			}
			if d == metainfo.ShortName {
				ok = !t.aliases()
			} else {
				ok = t.try(d)
			}
			t.takes[d] = ok
		}
		if !ok {
			return false
		}
	}
	return true
}

// aliases reports whether a file can be reached by a second name, such as SHORTN~1.TXT.
func (t *taste) aliases() bool {
	return t.reaches("short names are made of this.txt", metainfo.ShortName)
}

// folds reports whether names that differ only in case, or in the composition of accents, are
// one.
func (t *taste) folds() bool {
	return t.open && (t.reaches("Case", "cASE") || t.reaches("e\u0301", "\u00e9"))
}

// reaches reports whether a file is found by another name than its own.
func (t *taste) reaches(name, other string) bool {
	at := t.dir + "/" + name
	h, err := t.folder.Open(at, storage.Create)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return false
	}
	if err == nil {
		h.Close()
	}
	_, err = t.folder.Lstat(t.dir + "/" + other)
	_ = t.mover.Remove(at)
	return err == nil
}
