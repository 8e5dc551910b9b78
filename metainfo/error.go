package metainfo

import (
	"errors"
	"fmt"

	"shoal/bencode"
)

// Reasons to refuse a torrent that a caller may want to distinguish. errors.Is finds them in
// the [*Error].
var (
	// ErrV2Only is returned for a torrent without a v1 part (BEP 52).
	ErrV2Only = errors.New("BitTorrent v2 only; not supported yet")

	// ErrVersion is returned for a torrent whose version is neither 1 nor 2.
	ErrVersion = errors.New("unknown meta version")

	// ErrTooLarge is returned when a torrent exceeds a bound of this package.
	ErrTooLarge = errors.New("too large")
)

// An Error says why a torrent is refused, and where in the file.
type Error struct {
	Offset int    // in bytes from the start of the parsed data
	Field  string // such as "info.files[3].path[0]"; empty for the file as a whole
	Msg    string // the reason
	Err    error  // a sentinel above, a [*bencode.SyntaxError], or nil
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("torrent refused: %s (at byte %d)", e.Msg, e.Offset)
	}
	return fmt.Sprintf("torrent refused: %s: %s (at byte %d)", e.Field, e.Msg, e.Offset)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// refuse returns an Error at a value.
func refuse(v bencode.Value, field, format string, args ...any) *Error {
	return &Error{Offset: v.Offset(), Field: field, Msg: fmt.Sprintf(format, args...)}
}

// wrongKind returns an Error at a value of the wrong kind or, when the value is absent, at
// the dictionary in which it is missing.
func wrongKind(in, v bencode.Value, field string, want bencode.Kind) *Error {
	if !v.Exists() {
		return refuse(in, field, "missing")
	}
	if v.Kind() == want {
		return refuse(v, field, "the number does not fit into 64 bits")
	}
	return refuse(v, field, "%v instead of %v", v.Kind(), want)
}

// notBencode converts an error of the decoder into an Error.
func notBencode(err error) *Error {
	e := &Error{Msg: err.Error(), Err: err}
	var s *bencode.SyntaxError
	if errors.As(err, &s) {
		e.Offset, e.Msg = s.Offset, "not bencode: "+s.Msg
	}
	return e
}

// notes collects warnings, up to maxWarnings.
type notes []string

func (n *notes) add(format string, args ...any) {
	switch {
	case len(*n) < maxWarnings-1:
		*n = append(*n, fmt.Sprintf(format, args...))
	case len(*n) == maxWarnings-1:
		*n = append(*n, "there are more warnings")
	}
}

// quote formats text from a stranger for a message: safe, and not too long.
func quote(s string) string {
	const most = 100
	if len(s) > most {
		return fmt.Sprintf("%q and %d bytes more", s[:most], len(s)-most)
	}
	return fmt.Sprintf("%q", s)
}
