package shoal

import "errors"

// Errors that callers choose by. Errors of this package wrap them: use errors.Is.
var (
	// ErrNotTorrent is returned for bytes that are not a torrent that we can use.
	ErrNotTorrent = errors.New("not a usable torrent")
	// ErrDuplicate is returned when the engine already has the torrent.
	ErrDuplicate = errors.New("torrent already added")
	// ErrNoSpace is returned when the file system is full, or too small for what is to be
	// written (a *Shortage).
	ErrNoSpace = errors.New("no space left")
	// ErrNotKept is returned when the file system refuses a file, and waiting does not help: we
	// must not write there, it does not take the name or the length, or something else has the
	// name.
	ErrNotKept = errors.New("not kept")
	// ErrStopped is returned when the torrent or the engine stopped before it was done.
	ErrStopped = errors.New("stopped")
	// ErrInUse is returned when another engine, perhaps of another process, remembers its
	// torrents in the same StateDir.
	ErrInUse = errors.New("in use")
	// ErrUnknown is returned when there is no such torrent.
	ErrUnknown = errors.New("no such torrent")
	// ErrNoMetadata is returned for what needs the metadata of a magnet while it is missing: see
	// Torrent.WaitMetadata.
	ErrNoMetadata = errors.New("no metadata yet")
	// ErrPath is returned for a path that is not valid on every file system, or that another
	// file of the torrent has.
	ErrPath = errors.New("not a path that a torrent's file can have")
	// ErrConfig is returned for options that contradict each other or are out of range.
	ErrConfig = errors.New("bad configuration")
	// ErrV2 is returned for a magnet link that names a torrent of BitTorrent v2 only (BEP 52).
	ErrV2 = errors.New("a torrent of BitTorrent v2 alone, which is not supported yet")
)
