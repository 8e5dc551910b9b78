package engine

import (
	"time"

	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
	"shoal/internal/simnet"
)

// slow is a link on which a download takes a while.
var slow = simnet.Link{Delay: 20 * time.Millisecond, Rate: 400_000}

// hooked gives a storage that asks before it reads and writes.
func hooked(st storage.Storage, read, write func() error) storage.Storage {
	h := &storagetest.Hooked{Storage: st}
	if read != nil {
		h.BeforeRead = func(int64, int64) error { return read() }
	}
	if write != nil {
		h.BeforeWrite = func(int64, int64) error { return write() }
	}
	return h
}

// zero is a link that takes no time.
var zero simnet.Link
