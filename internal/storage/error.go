package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Kind sorts failures by what can be done about them.
type Kind uint8

// The kinds of failure.
const (
	Other        Kind = iota // none of those below
	NoSpace                  // the volume, or the user's share of it, is full
	NoPermission             // the system does not allow it
	ReadOnly                 // the volume is mounted read-only
	TooManyFiles             // the process or the system has no file handles left
	Missing                  // the file does not exist, or ends too early
	IO                       // the device failed
	Unsafe                   // what is there is not a plain file of this torrent alone
)

var kinds = [...]struct{ name, advice string }{
	Other:        {"failure", ""},
	NoSpace:      {"no space", "free some space, or choose another folder"},
	NoPermission: {"no permission", "allow this user to read and write there, or choose another folder"},
	ReadOnly:     {"read-only", "mount the volume writable, or choose another folder"},
	TooManyFiles: {"too many open files", "raise the limit on open files"},
	Missing:      {"missing", "bring the file back, or check the torrent again"},
	IO:           {"device failure", "look at the health of the disk, then check the torrent again"},
	Unsafe:       {"unsafe", "move what is there out of the way, or choose another folder"},
}

// String gives the kind in two or three words.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k].name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Advice says what a person can do about it; empty when nothing general helps.
func (k Kind) Advice() string {
	if int(k) < len(kinds) {
		return kinds[k].advice
	}
	return ""
}

// Error is a failure of the file system: what was attempted, on what, why, and
// what to do about it.
type Error struct {
	Op   string // "open", "read", "write", "create", "sync", "look up"
	Path string // slash-separated, relative to the folder
	Kind Kind
	Err  error // the cause
}

// Error gives "write a/b.iso: no space left on device (free some space, …)".
func (e *Error) Error() string {
	s := e.Op + " " + e.Path + ": " + e.Err.Error()
	if a := e.Kind.Advice(); a != "" {
		s += " (" + a + ")"
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the kind of the *Error in err's chain; Other when there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Other
}

// ErrUnsafe is what an FS returns, wrapped, for a name that is there but must
// not be used: a link, a folder, a device.
var ErrUnsafe = errors.New("not a plain file")

// Fail makes an *Error of what an FS returned when something was attempted with a name in
// it; nil of nil.
func Fail(op, path string, err error) error {
	if errors.As(err, new(*Error)) {
		return err
	}
	return fail(op, path, err)
}

// fail makes an *Error of what an FS returned.
func fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	// The system's own wrapping repeats the operation and an absolute path.
	if pe, ok := err.(*fs.PathError); ok {
		err = pe.Err
	}
	return &Error{Op: op, Path: path, Kind: classify(err), Err: err}
}

func classify(err error) Kind {
	switch {
	case errors.Is(err, ErrUnsafe):
		return Unsafe
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, io.ErrUnexpectedEOF):
		return Missing
	}
	if k := classifySystem(err); k != Other {
		return k
	}
	if errors.Is(err, fs.ErrPermission) {
		return NoPermission
	}
	return Other
}
