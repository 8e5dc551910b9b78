package storage

import "io/fs"

// FS is the folder that contains torrents, as far as storage uses it. Tests replace it with faulty
// and crashing twins. Names are slash-separated and relative. Many storages can share it, and it is
// safe for concurrent use.
//
// Errors match fs.ErrNotExist, fs.ErrExist and ErrUnsafe with errors.Is; all others wrap the
// system's error number.
type FS interface {
	// Open opens a plain file. It refuses a link, a folder or a device with ErrUnsafe, and no name
	// leads out of the folder.
	Open(name string, mode Mode) (Handle, error)
	// Mkdir creates one folder; its parent exists.
	Mkdir(name string) error
	// Lstat looks up a name without following a link in its last component.
	Lstat(name string) (fs.FileInfo, error)
	// SyncDir makes the names in a folder durable; "." is the folder itself.
	SyncDir(name string) error
	// Close releases the folder. Open handles stay valid.
	Close() error
}

// Mode selects what a file is opened for.
type Mode uint8

// The modes. None of them truncates.
const (
	Read   Mode = iota // an existing file, for reading
	Write              // an existing file, for reading and writing
	Create             // a file that must not exist yet, for reading and writing
)

// Handle is an open file, safe for concurrent use.
type Handle interface {
	// ReadV fills the buffers one after another from off, in one system call where the system has
	// one. It returns the number of bytes read. A short read returns an error: io.EOF at the end of
	// the file.
	ReadV(bufs [][]byte, off int64) (int, error)
	// WriteV writes the buffers one after another at off. It returns the number of bytes written. A
	// short write returns an error.
	WriteV(bufs [][]byte, off int64) (int, error)
	// Stat returns the properties of the open file.
	Stat() (fs.FileInfo, error)
	// StartWrite asks the system to begin writing a range back to the device,
	// and does not wait for it. It is a hint: nothing depends on it.
	StartWrite(off, n int64)
	// Uncache tells the system that nobody will read a durable range soon: it can reuse that
	// memory. It is a hint: nothing depends on it.
	Uncache(off, n int64)
	// Sync waits until everything written is on the device.
	Sync() error
	Close() error
}
