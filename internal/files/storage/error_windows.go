package storage

import (
	"errors"
	"syscall"

	"shoal/internal/value/fault"
)

// systemFault says what an error code of Windows means.
func systemFault(_ string, err error) fault.Fault {
	code, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return fault.Fault{}
	}
	return fault.OfWindows(uint32(code))
}
