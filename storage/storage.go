// Package storage is where the bytes of a torrent can be kept instead of in files of a folder:
// shoal.AddOptions.Storage takes what implements Storage. storagetest.Run, in the folder below,
// is its conformance suite; Memory is an implementation that passes it.
//
//	func TestStorage(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T, files []storage.Entry) storage.Storage {
//			return mine.Open(t.TempDir(), files)
//		})
//	}
package storage

import (
	"context"
	"errors"
	"time"
)

// Errors that an engine understands; find them with errors.Is. Any other is taken for a failure of
// the device: the torrent stalls, and tries again.
var (
	// ErrRange is returned for bytes outside the torrent: a mistake of the caller.
	ErrRange = errors.New("storage: range outside the torrent")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("storage: closed")
	// ErrMissing is returned, wrapped, for a read of bytes that were never written.
	ErrMissing = errors.New("storage: not there")
	// ErrNoSpace is returned, wrapped, where there is no room for what is written.
	ErrNoSpace = errors.New("storage: no space left")
)

// Storage is the bytes of one torrent, from 0 to Size: its files one after another, as BEP 3 cuts
// them into pieces. All methods can be called from several goroutines at once.
//
// Bytes that were written are seen by every read that starts after the write returned, and are
// still there after a crash once a Sync that started after it has returned nil. A write that
// failed can have changed any part of its range. A storage decides nothing about pieces: the
// engine checks what it reads, and writes only what has the right hash, but for pieces too large
// to hold in memory.
//
// Pad files (BEP 47) do not exist: their ranges read as zeros, and what is written to them is
// dropped.
type Storage interface {
	// Size returns the length of the span in bytes.
	Size() int64

	// ReadAt reads as io.ReaderAt does; io.EOF is that of the span. Where bytes were never
	// written it returns the number of bytes before that place and an error that is both
	// ErrMissing and io.ErrUnexpectedEOF, if there are any before it in the same file. A hole
	// before bytes that were written reads as zeros.
	ReadAt(p []byte, off int64) (int, error)

	// ReadV fills the buffers one after another from off. It fills all of them or fails.
	ReadV(bufs [][]byte, off int64) error

	// WriteV writes the buffers one after another from off. A file exists from the first
	// write into it. WriteV neither keeps nor changes the buffers.
	WriteV(bufs [][]byte, off int64) error

	// Prepare creates the files whose length is zero, and whatever else is needed before the
	// first write. It can be called again.
	Prepare(ctx context.Context) error

	// Sync makes durable what writes that returned before it have written. When the system
	// could not write bytes back, this and every later Sync fail, until the storage is opened
	// again and checked.
	Sync(ctx context.Context) error

	// State looks up what exists, one FileState for each Entry in their order. It does not
	// open or create anything.
	State() ([]FileState, error)

	// Close releases the storage. It does not sync. The caller has waited for its reads and
	// writes; later ones fail with ErrClosed. Close can be called again.
	Close() error
}

// Entry is one file of a torrent: its place in the span and in the folder.
type Entry struct {
	Path   string // slash-separated, relative to the folder; made of safe components
	Length int64  // bytes
	Offset int64  // of its first byte in the span
	Pad    bool   // BEP 47: bytes that are not stored
}

// FileState is what is kept for one Entry.
type FileState struct {
	Entry
	Exists  bool
	InPart  bool      // it does not exist, and its first and last piece may lie in the part file of a folder
	Size    int64     // as it is: shorter than Length when incomplete, longer when foreign bytes follow
	ModTime time.Time // of the last change
	Err     error     // why there can be no such file, or what is there is not one; then it does not exist
}

// Readable reports whether all of the file's part of the span can be read, which says nothing
// about what it holds. Foreign bytes behind the end do not matter: they are kept, and never read.
func (s FileState) Readable() bool { return s.Pad || s.Exists && s.Size >= s.Length }
