package storage

import (
	"errors"
	"io"
	"io/fs"

	"shoal/internal/value/fault"
	public "shoal/storage"
)

// Kind sorts failures by what can be done about them.
type Kind = fault.Kind

// The kinds of failure.
const (
	Other        = fault.Other
	NoSpace      = fault.NoSpace
	NoPermission = fault.NoPermission
	ReadOnly     = fault.ReadOnly
	TooManyFiles = fault.TooManyFiles
	Missing      = fault.Missing
	IO           = fault.IO
	Unsafe       = fault.Unsafe
	TooLarge     = fault.TooLarge
	BadName      = fault.BadName
	Gone         = fault.Gone
	Busy         = fault.Busy
	NoMemory     = fault.NoMemory
	Unsupported  = fault.Unsupported
	NoFiles      = fault.NoFiles
)

// Error is a failure of the file system: what failed, on what, why, and what to do about it.
type Error struct {
	Op   string // "open", "read", "write", "create", "sync", "look up"
	Path string // slash-separated, relative to the folder
	Kind Kind
	Err  error // the cause

	advice string // more exact than the advice for Kind and Err; empty: use that one
}

// Error returns text such as "write a/b.iso: no space left on device (free some space, …)".
func (e *Error) Error() string {
	s := e.Op + " " + e.Path + ": " + e.Err.Error()
	f := systemFault(e.Op, e.Err)
	if f.Kind != e.Kind {
		f = fault.Fault{Kind: e.Kind}
	}
	a := e.advice
	if a == "" {
		a = f.Words()
	}
	if a != "" {
		s += " (" + a + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the public error of the kind.
func (e *Error) Is(target error) bool {
	return target == public.ErrMissing && e.Kind == Missing || target == public.ErrNoSpace && e.Kind == NoSpace
}

// KindOf returns the kind of the *Error in err's chain, or Other when it has none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	switch { // of a storage of the caller
	case errors.Is(err, public.ErrMissing):
		return Missing
	case errors.Is(err, public.ErrNoSpace):
		return NoSpace
	}
	return Other
}

// ErrUnsafe is returned, wrapped, by an FS for a name that exists but must not be used: a link, a
// folder, a device.
var ErrUnsafe = errors.New("not a plain file")

// Fail wraps an error that an FS returned for op on path as an *Error. It returns nil for nil, and
// an error that already contains an *Error unchanged.
func Fail(op, path string, err error) error {
	if errors.As(err, new(*Error)) {
		return err
	}
	return fail(op, path, err)
}

// fail wraps an error that an FS returned as an *Error, or returns nil for nil.
func fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	// The system's own wrapping repeats the operation and an absolute path.
	if pe, ok := err.(*fs.PathError); ok {
		err = pe.Err
	}
	return &Error{Op: op, Path: path, Kind: classify(op, err), Err: err}
}

func classify(op string, err error) Kind {
	switch {
	case errors.Is(err, ErrUnsafe):
		return Unsafe
	case errors.As(err, new(*noFilesError)):
		return NoFiles
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, io.ErrUnexpectedEOF):
		return Missing
	}
	if k := systemFault(op, err).Kind; k != Other {
		return k
	}
	if errors.Is(err, fs.ErrPermission) {
		return NoPermission
	}
	return Other
}

// noFilesError is "no space left" from a file system that has free bytes but can't hold more files:
// freeing some space would not help.
type noFilesError struct{ err error }

func (e *noFilesError) Error() string { return e.err.Error() }
func (e *noFilesError) Unwrap() error { return e.err }

// making explains an error from creating a name: "no space" becomes a noFilesError when space,
// which looks at the volume, finds free bytes but no free files.
func making(err error, space func() (Space, error)) error {
	if err == nil || systemFault("create", err).Kind != NoSpace {
		return err
	}
	if s, serr := space(); serr == nil && s.NoFilesLeft() {
		if pe, ok := err.(*fs.PathError); ok { // PathError repeats the operation and the path
			err = pe.Err
		}
		return &noFilesError{err}
	}
	return err
}

// tooLong adds to a TooLarge error the advice for a file of this length.
func tooLong(err error, length int64) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == TooLarge {
		e.advice = fault.TooLong(length, lengthLimit()).Words()
	}
	return err
}
