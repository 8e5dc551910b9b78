package bencode

import (
	"errors"
	"fmt"
)

// Errors of a document. errors.Is finds each in the [*SyntaxError] that decoding returns;
// ErrSyntax matches all of them.
var (
	ErrSyntax    = errors.New("not bencode")
	ErrTruncated = errors.New("input ends inside a value")
	ErrTrailing  = errors.New("bytes after the end of the value")
	ErrNumber    = errors.New("number not in its canonical form")
	ErrOrder     = errors.New("dictionary keys out of order")
	ErrDuplicate = errors.New("dictionary key occurs twice")
	ErrOverflow  = errors.New("integer outside 64 bits")
	ErrDepth     = errors.New("nested too deep")
	ErrTooMany   = errors.New("too many values")
)

// A SyntaxError says what is wrong with a document, and where.
type SyntaxError struct {
	Offset int    // offset of the wrong byte from the start of the buffer
	Msg    string // what is wrong
	Err    error  // one of the sentinels above
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("bencode: %s at byte %d", e.Msg, e.Offset)
}

// Unwrap returns the sentinel.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Is makes every syntax error match [ErrSyntax].
func (e *SyntaxError) Is(target error) bool { return target == ErrSyntax }
