// Package storage stores the files of one torrent as one span of bytes, the span that BEP 3 cuts
// into pieces. It decides nothing about pieces: the disk package decides what is valid, and when it
// is written.
//
// The interface is Storage. Its contract stands on it, and every implementation passes one
// conformance suite (storagetest.Run). Files is the one implementation. It works over an FS: a
// folder of the operating system (OpenFolder), memory (NewMemFS), or a faulty twin of either in
// tests.
//
// Nothing here can leave the folder it was given. Names are opened below an os.Root one component
// at a time (openPath keeps the last folders open), and a symbolic link in place of a file is
// refused. The one exception is Linked, which follows links that the user made before the torrent
// was opened. Nothing here truncates a file.
package storage

import (
	"context"
	"errors"
	"time"
)

// ErrRange is returned for bytes outside the torrent: a bug in the caller.
var ErrRange = errors.New("storage: range outside the torrent")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("storage: closed")

// Storage is the bytes of one torrent, from 0 to Size, whatever files they lie in. All methods are
// safe for concurrent use. Failures of the file system are of type *Error.
//
// Every read that starts after a write has returned sees the written bytes. They survive a crash
// once a Sync that started after the write has returned nil. A failed write may have changed any
// part of its range.
//
// Pad files (BEP 47) do not exist: their ranges read as zeros, and writes to them are dropped.
// Prepare creates the files of length zero.
type Storage interface {
	// Size is the length of the span in bytes.
	Size() int64

	// ReadAt reads as io.ReaderAt does. Where a file is missing or too short, it returns the number
	// of bytes before that place and an *Error of kind Missing. A hole that was never written reads
	// as zeros.
	ReadAt(p []byte, off int64) (int, error)

	// ReadV fills the buffers one after another from off, with one system call per file where the
	// system has one. It fills all of them or fails.
	ReadV(bufs [][]byte, off int64) error

	// WriteV writes the buffers one after another from off, with one system call per file where the
	// system has one. The first write into a file creates it and its folders. Files only grow, and
	// only by writing. WriteV neither keeps nor changes the buffers.
	WriteV(bufs [][]byte, off int64) error

	// Prepare creates the folders, and the files of length zero.
	Prepare(ctx context.Context) error

	// Sync makes durable what writes that returned before it have written: first the data of the
	// files, then new names. When the system can't write a file back, the file's content is
	// unknown: the system may have dropped the data and marked it clean. This and every later Sync
	// then fail until the storage is opened again and checked.
	Sync(ctx context.Context) error

	// State looks up what exists. It does not open or create anything.
	State() ([]FileState, error)

	// Close releases the files. It does not sync. The caller has waited for its reads and writes;
	// later ones fail with ErrClosed.
	Close() error
}

// Entry is one file of a torrent: its place in the span and in the folder.
type Entry struct {
	Path   string // slash-separated, relative to the folder; made of safe components
	Length int64  // bytes
	Offset int64  // offset of its first byte in the span
	Pad    bool   // BEP 47: bytes that are not stored
}

// FileState is what lies on disk for one Entry.
type FileState struct {
	Entry
	Exists  bool
	InPart  bool      // it does not exist, and the part file can hold its first and last piece
	Size    int64     // size on disk: below Length when incomplete, above it when foreign bytes follow
	ModTime time.Time // time of the last change
	Err     error     // why such a file can't exist, or why what exists is not a file; Exists is false then
}

// Readable reports whether the file's whole part of the span can be read, which says nothing about
// its content. Foreign bytes after the end do not matter: they are kept, and never read.
func (s FileState) Readable() bool { return s.Pad || s.Exists && s.Size >= s.Length }
