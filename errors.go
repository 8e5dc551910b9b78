package shoal

import (
	"errors"

	"shoal/internal/engine"
	"shoal/internal/files/catalogue"
	"shoal/internal/files/content"
	files "shoal/internal/files/storage"
	"shoal/internal/value/fault"
	"shoal/metainfo"
)

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

// publicError adds to an error of the inner packages the sentinel that callers choose by.
func publicError(err error) error {
	if s, ok := shortageIn(err); ok {
		return &taggedError{ErrNoSpace, s}
	}
	var sentinel error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, engine.ErrStopped), errors.Is(err, engine.ErrClosed):
		sentinel = ErrStopped
	case errors.Is(err, engine.ErrDuplicate):
		sentinel = ErrDuplicate
	case errors.Is(err, engine.ErrNoMetadata):
		sentinel = ErrNoMetadata
	case errors.Is(err, engine.ErrMetadata):
		sentinel = ErrNotTorrent
	case errors.Is(err, catalogue.ErrInUse):
		sentinel = ErrInUse
	case errors.Is(err, engine.ErrUnknown):
		sentinel = ErrUnknown
	case files.KindOf(err) == files.NoSpace, files.KindOf(err) == files.NoFiles:
		sentinel = ErrNoSpace
	case errors.Is(err, content.ErrNotKept), files.KindOf(err).Then() == fault.Refuse:
		sentinel = ErrNotKept
	case errors.Is(err, engine.ErrWebSeed), errors.Is(err, engine.ErrTracker):
		sentinel = ErrConfig
	case errors.Is(err, metainfo.ErrPath):
		sentinel = ErrPath
	default:
		return clean(err)
	}
	return &taggedError{sentinel, clean(err)}
}

// taggedError has the text of the inner error, and wraps the sentinel as well.
type taggedError struct{ sentinel, err error }

func (e *taggedError) Error() string   { return e.err.Error() }
func (e *taggedError) Unwrap() []error { return []error{e.sentinel, e.err} }
