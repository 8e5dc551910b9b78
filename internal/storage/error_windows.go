package storage

import (
	"errors"
	"syscall"
)

// classifySystem sorts the error codes of Windows (winerror.h).
func classifySystem(err error) Kind {
	code, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return Other
	}
	switch code {
	case 39, 112, 1295: // handle disk full, disk full, disk quota exceeded
		return NoSpace
	case 5, 32, 33: // access denied, sharing violation, lock violation
		return NoPermission
	case 19: // write protected
		return ReadOnly
	case 4: // too many open files
		return TooManyFiles
	case 23, 27, 29, 30, 31, 483, 1117: // checksum, sector, write and read faults, general, device errors
		return IO
	case 267: // not a directory
		return Unsafe
	}
	return Other
}
