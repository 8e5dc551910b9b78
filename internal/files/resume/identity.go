package resume

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"shoal/internal/files/storage"
	"shoal/internal/value/plural"
)

// Identity tells whether a file is still the same. The zero value is a file that does not exist
// (decision 0135).
type Identity struct {
	Exists  bool
	Device  uint64 // 0 where the system does not report it
	Inode   uint64 // 0 where the system does not report it; on Windows the time of creation
	Size    int64  // in bytes; -1 for what is not a plain file
	ModTime int64  // nanoseconds since 1970
}

// sameFile reports whether the two can be one file, whatever its content: whether they have the
// same inode number, where numbers are not invented. The device does not count: many file systems
// get another number at each mount.
func (a Identity) sameFile(b Identity, v Volume) bool {
	return a.Exists && b.Exists && (v.MadeUp || a.Inode == b.Inode)
}

// same reports whether the file is unchanged since it was noted as was. Size and time decide. The
// inode number does not: many file systems invent one, another at each mount, and a restored backup
// has another one, too.
func (a Identity) same(was Identity) bool {
	if a.Size < 0 && was.Size < 0 {
		return true // a folder, say, whose time means nothing
	}
	return a.Exists == was.Exists && a.Size == was.Size && sameTime(was.ModTime, a.ModTime)
}

// differs describes how a file differs from its note.
func (a Identity) differs(was Identity) string {
	switch {
	case !a.Exists:
		return "it is gone"
	case !was.Exists:
		return "it was not there"
	case a.Size < 0:
		return "it is not a plain file"
	case a.Size != was.Size:
		return fmt.Sprintf("it has %s and had %s", plural.Of(a.Size, "byte"), plural.Group(was.Size))
	case a.ModTime != was.ModTime:
		return fmt.Sprintf("its time of change is %s and was %s", stampTime(a.ModTime), stampTime(was.ModTime))
	}
	return "it is another file of the same size and time"
}

func stampTime(ns int64) string {
	return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05.999999999")
}

// Seen is how a torrent's folder lies on disk.
type Seen struct {
	Folder Identity   // the folder itself; its size and time mean nothing
	Files  []Identity // by entry; zero for pads and empty files
	Volume Volume     // how far to trust their attributes; set by the caller
}

// Same reports whether no file has changed since it was seen before.
func (s Seen) Same(before Seen) bool {
	return slices.EqualFunc(s.Files, before.Files, Identity.same)
}

// Look looks up the files in the folder. It does not open any.
func Look(fsys storage.FS, files []storage.Entry) (Seen, error) {
	folder, err := look(fsys, ".")
	if err != nil {
		return Seen{}, err
	}
	folder.Size, folder.ModTime = 0, 0
	s := Seen{Folder: folder, Files: make([]Identity, len(files))}
	var failed error
	storage.LookAll(fsys, len(files), func(i int) string {
		if failed != nil || !kept(&files[i]) {
			return ""
		}
		return files[i].Path
	}, func(i int, at storage.Look, err error) {
		s.Files[i], failed = identityNamed(files[i].Path, &at, err)
	})
	if failed != nil {
		return Seen{}, failed
	}
	return s, nil
}

// identityNamed returns the identity of a file that was looked at with others.
func identityNamed(name string, at *storage.Look, err error) (Identity, error) {
	if errors.Is(err, fs.ErrNotExist) || err != nil && nameless(storage.Fail("look up", name, err)) {
		return Identity{}, nil
	}
	if err != nil {
		return Identity{}, storage.Fail("look up", name, err)
	}
	if at.Info != nil {
		return identityFrom(at.Info), nil
	}
	id := Identity{Exists: true, Device: at.Device, Inode: at.Inode, Size: at.Size, ModTime: at.ModTime}
	if !at.Plain {
		id.Size = -1
	}
	return id, nil
}

func look(fsys storage.FS, name string) (Identity, error) {
	info, err := fsys.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err != nil && nameless(storage.Fail("look up", name, err)) {
		return Identity{}, nil
	}
	if err != nil {
		return Identity{}, storage.Fail("look up", name, err)
	}
	return identityFrom(info), nil
}

// nameless reports whether no file can have the name, so that none exists: the file system refuses
// it, or one of its parents is a file.
func nameless(err error) bool {
	k := storage.KindOf(err)
	return k == storage.BadName || k == storage.Unsafe
}

// identityOf returns the identity of an open file.
func identityOf(h storage.Handle) (Identity, error) {
	if s, ok := h.(storage.Stamper); ok {
		st, err := s.Stamp()
		return Identity{Exists: true, Device: st.Device, Inode: st.Inode, Size: st.Size, ModTime: st.ModTime}, err
	}
	info, err := h.Stat()
	if err != nil {
		return Identity{}, err
	}
	return identityFrom(info), nil
}

func identityFrom(info fs.FileInfo) Identity {
	id := Identity{Exists: true, Size: info.Size(), ModTime: info.ModTime().UnixNano()}
	if own, ok := info.(interface{ FileID() (device, inode uint64) }); ok { // a twin of the system
		id.Device, id.Inode = own.FileID()
	} else {
		id.Device, id.Inode = fileID(info)
	}
	if !info.Mode().IsRegular() {
		id.Size = -1
	}
	return id
}
