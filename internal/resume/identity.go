package resume

import (
	"errors"
	"io/fs"

	"shoal/internal/storage"
)

// Identity is what tells whether a file is still the one it was. The zero value
// is a file that is not there.
type Identity struct {
	Exists  bool
	Device  uint64 // 0 where the system does not tell
	Inode   uint64 // 0 where the system does not tell; on Windows the time of creation
	Size    int64  // bytes; -1 for what is not a plain file
	ModTime int64  // nanoseconds since 1970
}

// sameFile reports whether the two are one file, whatever it holds. The device
// is not compared: many file systems get another number at each mount.
func (a Identity) sameFile(b Identity) bool {
	return a.Exists && b.Exists && a.Inode == b.Inode
}

// same reports whether nothing has changed.
func (a Identity) same(b Identity) bool {
	return a.Exists == b.Exists && a.Inode == b.Inode && a.Size == b.Size && a.ModTime == b.ModTime
}

// Seen is a torrent's folder as it lies on disk.
type Seen struct {
	Folder Identity   // the folder itself; its size and time say nothing
	Files  []Identity // by entry; zero for pads and files of no bytes
}

// Look sees how the files lie in the folder. It opens nothing.
func Look(fsys storage.FS, files []storage.Entry) (Seen, error) {
	folder, err := look(fsys, ".")
	if err != nil {
		return Seen{}, err
	}
	folder.Size, folder.ModTime = 0, 0
	s := Seen{Folder: folder, Files: make([]Identity, len(files))}
	for i := range files {
		if !kept(&files[i]) {
			continue
		}
		if s.Files[i], err = look(fsys, files[i].Path); err != nil {
			return Seen{}, err
		}
	}
	return s, nil
}

func look(fsys storage.FS, name string) (Identity, error) {
	info, err := fsys.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Identity{}, nil
	}
	if err != nil {
		return Identity{}, storage.Fail("look up", name, err)
	}
	return identityFrom(info), nil
}

// identityOf gives the identity of an open file.
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
