package content

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"

	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// A taste is what we know about the names that a folder's file system takes. It asks by creating empty
// files in a folder of its own and removing them: no other answer is sure, since file systems are
// mounted with options, and over networks. It asks only for torrents with names that some file system
// refuses, and only what is in doubt.
//
// The taste has created that folder itself, under a free name: an existing folder could be a link to
// another file system, or hold files of the user. It neither believes nor removes what others put into
// the folder meanwhile.
type taste struct {
	folder storage.FS
	mover  storage.Mover
	lister storage.Lister
	dir    string
	open   bool // we created dir, and it takes files
	takes  map[string]bool
}

// mostDoubts bounds the names that are tried; further names in doubt are rewritten.
const mostDoubts = 256

// probeNames is how many names for a probe are tried. Each is random, so the second is needed only when
// the file system lies.
const probeNames = 4

func newTaste(folder storage.FS, infoHash [20]byte) *taste {
	t := &taste{folder: folder, takes: map[string]bool{}}
	var ok bool
	if t.mover, ok = folder.(storage.Mover); !ok {
		return t
	}
	if t.lister, ok = folder.(storage.Lister); !ok {
		return t
	}
	for range probeNames {
		dir := "." + hex.EncodeToString(infoHash[:]) + "." + randomName() + ".shoal-probe"
		switch err := folder.Mkdir(dir); {
		case err == nil:
			t.dir = dir
			t.open = t.try("probe")
			return t
		case !errors.Is(err, fs.ErrExist):
			return t // nothing can be created here, and the first write says why
		}
	}
	return t
}

// close removes the folder that newTaste created, unless others have put something into it.
func (t *taste) close() {
	if t.dir != "" {
		_ = t.mover.Remove(t.dir)
	}
}

// A probe is an empty file that a taste has created.
type probe struct {
	at   string
	info fs.FileInfo
}

// make creates an empty file. When the name exists already somebody else has created it, and that shows
// nothing.
func (t *taste) make(name string) (*probe, error) {
	p := &probe{at: t.dir + "/" + name}
	h, err := t.folder.Open(p.at, storage.Create)
	if err != nil {
		return nil, err
	}
	p.info, err = h.Stat()
	return p, errors.Join(err, h.Close())
}

// remove removes a file that the taste has created, by the name that it got, and nothing else.
func (t *taste) remove(p *probe) {
	if p == nil {
		return
	}
	if p.is(t.folder.Lstat(p.at)) {
		_ = t.mover.Remove(p.at)
		return
	}
	list, _, _ := t.lister.List(t.dir, 100)
	for _, e := range list {
		if at := t.dir + "/" + e.Name(); p.is(t.folder.Lstat(at)) {
			_ = t.mover.Remove(at)
		}
	}
}

// is reports whether a look-up found the file that the taste has created.
func (p *probe) is(info fs.FileInfo, err error) bool {
	return err == nil && p.info != nil && info.Mode().IsRegular() && info.Size() == 0 && storage.SameFile(info, p.info)
}

// try creates a file, looks whether it has its name, and removes it.
func (t *taste) try(name string) bool {
	p, err := t.make(name)
	defer t.remove(p)
	return err == nil && t.listed(name)
}

// listed reports whether the folder lists a file by exactly this name: some file systems drop final dots,
// or replace characters.
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

// folds reports whether names that differ only in case, or in the composition of accents, are one name.
func (t *taste) folds() bool {
	return t.open && (t.reaches("Case", "cASE") || t.reaches("e\u0301", "\u00e9"))
}

// reaches reports whether a file is found by a name other than its own. What has the other name need not
// look like the file: some file systems number a file at each look, and keeping two names apart without
// need is safe.
func (t *taste) reaches(name, other string) bool {
	p, err := t.make(name)
	defer t.remove(p)
	if err != nil {
		return false
	}
	_, err = t.folder.Lstat(t.dir + "/" + other)
	return err == nil
}

// randomName returns a part of a file name that nobody else uses.
func randomName() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
