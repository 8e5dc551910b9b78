package netio

import (
	"errors"
	"syscall"
)

// tooLong reports whether a datagram was longer than the buffer (WSAEMSGSIZE).
func tooLong(err error) bool { return errors.Is(err, syscall.Errno(10040)) }
