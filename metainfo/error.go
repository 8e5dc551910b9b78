package metainfo

import (
	"errors"
	"fmt"

	"shoal/bencode"
)

// Reasons to refuse a torrent that a caller may want to tell apart; found with errors.Is in
// the [*Error].
var (
	// ErrV2Only refuses a torrent that has no v1 part (BEP 52).
	ErrV2Only = errors.New("BitTorrent v2 only; not supported yet")

	// ErrVersion refuses a torrent of a version that is neither 1 nor 2.
	ErrVersion = errors.New("unknown meta version")

	// ErrTooLarge refuses what exceeds one of the bounds of this package.
	ErrTooLarge = errors.New("too large")
)

// An Error says why a torrent is refused, and where in the file the reason lies.
type Error struct {
	Offset int    // in bytes from the start of what was parsed
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

// refuse blames a value.
func refuse(v bencode.Value, field, format string, args ...any) *Error {
	return &Error{Offset: v.Offset(), Field: field, Msg: fmt.Sprintf(format, args...)}
}

// wrongKind blames a value for being of the wrong kind, or, when it is absent, the
// dictionary it is missing from.
func wrongKind(in, v bencode.Value, field string, want bencode.Kind) *Error {
	if !v.Exists() {
		return refuse(in, field, "missing")
	}
	if v.Kind() == want {
		return refuse(v, field, "not a number that 64 bits hold")
	}
	return refuse(v, field, "%v instead of %v", v.Kind(), want)
}

// notBencode turns an error of the decoder, the only kind it returns, into an Error.
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

// quote prints text from a stranger for a message: safe, and not too long.
func quote(s string) string {
	const most = 100
	if len(s) > most {
		return fmt.Sprintf("%q and %d bytes more", s[:most], len(s)-most)
	}
	return fmt.Sprintf("%q", s)
}
