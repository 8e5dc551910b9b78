package storage

import (
	"errors"

	"golang.org/x/sys/unix"
)

// NextData implements dataFinder. Reads name their places, so that of the handle is free.
func (h *handle) NextData(off, size int64) (int64, bool) {
	at, err := unix.Seek(int(h.fd), off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, true // only a hole is left
	}
	return at, err == nil
}
