// Package storage keeps the files of one torrent as one span of bytes, the span
// that BEP 3 cuts into pieces. It decides nothing about pieces: what is valid,
// and when it is written, is the affair of the disk package.
//
// The seam is Storage, with its contract written on it and one conformance suite
// (storagetest.Run) that every implementation passes. Files is the one
// implementation; it works over an FS, which is the folder of the operating
// system (OpenFolder), memory (NewMemFS), or a faulty twin of either in tests.
//
// Nothing here can leave the folder it was given: names are opened below an
// os.Root one component at a time (openPath keeps the last folders open), and a symbolic link in the place of a file is
// refused. The one way out is Linked: links that the user had put there before the
// torrent was opened are followed. Nothing here truncates.
package storage

import (
	"context"
	"errors"
	"time"
)

// ErrRange is returned for bytes outside the torrent: a mistake of the caller.
var ErrRange = errors.New("storage: range outside the torrent")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("storage: closed")

// Storage is the bytes of one torrent, from 0 to Size, whatever files they lie
// in. All methods may be called from several goroutines at once. Failures of the
// file system are of type *Error.
//
// Bytes that were written are seen by every read that starts after the write
// returned, and are still there after a crash once a Sync that started after it
// has returned nil. A write that failed may have changed any part of its range.
//
// Pad files (BEP 47) do not exist: their ranges read as zeros, and what is
// written to them is dropped. Files of length zero come to be in Prepare.
type Storage interface {
	// Size is the length of the span in bytes.
	Size() int64

	// ReadAt reads as io.ReaderAt does. Where a file is missing or too short
	// it gives the number of bytes before that place and an *Error of kind
	// Missing. A hole that was never written reads as zeros.
	ReadAt(p []byte, off int64) (int, error)

	// ReadV fills the buffers one after another from off, with one system
	// call per file where there is one. It fills all of them or fails.
	ReadV(bufs [][]byte, off int64) error

	// WriteV writes the buffers one after another from off, with one system
	// call per file where there is one. Files and folders come to be at the
	// first write into them; a file is only ever made longer, and only by
	// writing. The buffers are not kept, nor changed.
	WriteV(bufs [][]byte, off int64) error

	// Prepare makes the folders, and the files whose length is zero.
	Prepare(ctx context.Context) error

	// Sync makes durable what writes that returned before it have written:
	// the data of the files first, then the names that are new. When the
	// system could not write a file back, what the file holds is unknown
	// (the system may have dropped the data and call it clean): this and
	// every later Sync fail, until the storage is opened again and checked.
	Sync(ctx context.Context) error

	// State looks up what exists. It does not open or create anything.
	State() ([]FileState, error)

	// Close gives up the files. It does not sync. The caller has waited for
	// its reads and writes; later ones fail with ErrClosed.
	Close() error
}

// Entry is one file of a torrent: its place in the span and in the folder.
type Entry struct {
	Path   string // slash-separated, relative to the folder; made of safe components
	Length int64  // bytes
	Offset int64  // of its first byte in the span
	Pad    bool   // BEP 47: bytes that are not stored
}

// FileState is what lies on disk for one Entry.
type FileState struct {
	Entry
	Exists  bool
	InPart  bool      // it does not exist, and its first and last piece may lie in the part file
	Size    int64     // as it is: shorter than Length when incomplete, longer when foreign bytes follow
	ModTime time.Time // of the last change
	Err     error     // why there can be no such file, or what is there is not one; then it does not exist
}

// Readable reports whether all of the file's part of the span can be read,
// which says nothing about what it holds. Foreign bytes behind the end do not
// matter: they are kept, and never read.
func (s FileState) Readable() bool { return s.Pad || s.Exists && s.Size >= s.Length }
