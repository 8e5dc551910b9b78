package storage

import (
	"errors"
	"syscall"
)

// Allocate implements Allocator.
func (h *handle) Allocate(n int64) error {
	for {
		err := syscall.Fallocate(int(h.fd.Load()), 0, 0, n)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return errNoAllocation
		}
		return err
	}
}
