//go:build unix

package storage

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"shoal/internal/value/fault"
)

// systemFault says what an error number of a Unix system means.
func systemFault(op string, err error) fault.Fault {
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return fault.Fault{}
	}
	return fault.Of(op, unix.ErrnoName(errno))
}
