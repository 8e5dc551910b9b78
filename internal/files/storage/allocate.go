package storage

import (
	"context"
	"errors"
)

// Allocator is a Handle that can reserve room on its device.
type Allocator interface {
	// Allocate reserves the first n bytes of the file, which is that long then; what
	// was there stays, what is new reads as zeros. errNoAllocation says that the file
	// system can't.
	Allocate(n int64) error
}

var errNoAllocation = errors.New("storage: no allocation")

// zeros is what is written at a time where room can't be reserved otherwise.
var zeros [256 << 10]byte

// Allocate reserves room for all of file i, so that a volume that is too small says so
// before anything is fetched. Where the system can't, what is missing at the file's end is
// written as zeros; ctx ends that.
func (f *Files) Allocate(ctx context.Context, i int) error {
	e := &f.entries[i]
	if e.Pad || e.Length == 0 {
		return nil
	}
	o, err := f.pool.acquire(f, i, Create)
	if err != nil {
		return err
	}
	defer f.pool.release(o)
	info, err := o.Stat()
	if err != nil {
		return fail("allocate", e.Path, err)
	}
	err = errNoAllocation
	if a, ok := o.Handle.(Allocator); ok {
		err = a.Allocate(e.Length)
	}
	if errors.Is(err, errNoAllocation) {
		err = nil
		for off := info.Size(); off < e.Length && err == nil; {
			if err = ctx.Err(); err == nil {
				n := min(int64(len(zeros)), e.Length-off)
				_, err = o.WriteV([][]byte{zeros[:n]}, off)
				off += n
			}
		}
	}
	if err == nil {
		f.wrote(o.slot, 0, 0)
	}
	return tooLong(fail("allocate", e.Path, err), e.Length)
}
