package storage

import "io/fs"

// FS is the folder that torrents are kept in, as far as storage uses it: the
// seam for faulty and crashing twins. Names are slash-separated and relative.
// It may be shared by many storages and is used from several goroutines.
//
// Errors answer errors.Is for fs.ErrNotExist, fs.ErrExist and ErrUnsafe, and
// otherwise carry the system's error number.
type FS interface {
	// Open opens a plain file. A link, a folder or a device is refused with
	// ErrUnsafe, and no name leads out of the folder.
	Open(name string, mode Mode) (Handle, error)
	// Mkdir makes one folder; its parent exists.
	Mkdir(name string) error
	// Lstat looks up a name without following a link in its last component.
	Lstat(name string) (fs.FileInfo, error)
	// SyncDir makes the names in a folder durable; "." is the folder itself.
	SyncDir(name string) error
	// Close gives the folder up. Open handles stay valid.
	Close() error
}

// Mode says what a file is opened for.
type Mode uint8

// The modes. None of them truncates.
const (
	Read   Mode = iota // an existing file, for reading
	Write              // an existing file, for reading and writing
	Create             // a file that must not exist yet, for reading and writing
)

// Handle is an open file. Its methods may be called from several goroutines.
type Handle interface {
	// ReadV fills the buffers one after another from off, in one system call
	// where there is one, and gives the number of bytes read; fewer than
	// asked for come with an error, io.EOF at the end of the file.
	ReadV(bufs [][]byte, off int64) (int, error)
	// WriteV writes the buffers one after another at off, and gives the
	// number of bytes written; fewer than given come with an error.
	WriteV(bufs [][]byte, off int64) (int, error)
	// Stat looks the open file up.
	Stat() (fs.FileInfo, error)
	// StartWrite asks the system to begin writing a range back to the device,
	// and does not wait for it. It is a hint: nothing depends on it.
	StartWrite(off, n int64)
	// Uncache says that a range which is on the device will not be read soon: the system
	// may use its memory for something else. It is a hint: nothing depends on it.
	Uncache(off, n int64)
	// Sync waits until all that was written is on the device.
	Sync() error
	Close() error
}
