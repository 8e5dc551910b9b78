//go:build unix

package storage

import (
	"errors"
	"syscall"
)

// classifySystem sorts the error numbers of Unix systems.
func classifySystem(err error) Kind {
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return Other
	}
	switch errno {
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG:
		return NoSpace
	case syscall.EACCES, syscall.EPERM:
		return NoPermission
	case syscall.EROFS:
		return ReadOnly
	case syscall.EMFILE, syscall.ENFILE:
		return TooManyFiles
	case syscall.EIO, syscall.ENXIO, syscall.ENODEV, syscall.ESTALE:
		return IO
	case syscall.ELOOP, syscall.ENOTDIR, syscall.EISDIR:
		return Unsafe
	}
	return Other
}
