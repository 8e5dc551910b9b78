package storage

import (
	"context"
	"errors"
)

// Allocator is a Handle that can reserve room on its device.
type Allocator interface {
	// Allocate reserves the first n bytes of the file and makes the file that long. Existing bytes
	// stay, new ones read as zeros. It returns errNoAllocation when the file system can't reserve.
	Allocate(n int64) error
}

var errNoAllocation = errors.New("storage: no allocation")

// zeros is the buffer for one write where the system can't reserve room.
var zeros [256 << 10]byte

// Allocate reserves room for all of file i, so that a volume that is too small fails before we
// download anything. Where the system can't reserve, Allocate appends zeros until the file has its
// length; ctx interrupts that.
func (f *Files) Allocate(ctx context.Context, i int) error {
	e := &f.entries[i]
	if e.Pad || e.Length == 0 {
		return nil
	}
	g := f.group()
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
		f.wrote(o.slot, g, 0, 0)
	}
	return tooLong(fail("allocate", e.Path, err), e.Length)
}
