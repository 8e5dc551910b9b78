//go:build !race

// The race detector makes sync.Pool forget, so allocations are counted without it.

package disk_test

import (
	"testing"

	"shoal/internal/value/block"
)

// A block costs no allocation from the budget to the file, once all has been
// used before; nor does reading one.
func TestNoAllocation(t *testing.T) {
	c := single(64*block.Size, 8*64*block.Size)
	r := newRig(t, c, 256, files(t, c, folder(t, t.TempDir())))
	refs := c.refs()
	run := func() {
		for p := range c.geom.Pieces {
			r.send(refs[p*64:(p+1)*64], nil)
			if res := <-r.results; !res.OK {
				t.Errorf("%+v", res)
			}
		}
	}
	run()
	if n := testing.AllocsPerRun(20, run); n >= 1 {
		t.Errorf("%v allocations for %d blocks stored, want none", n, len(refs))
	}
	dst := make([]byte, 16*block.Size)
	if n := testing.AllocsPerRun(100, func() {
		if r.torrent.Read(refs[8:24], dst) != nil {
			t.Error("read failed")
		}
	}); n != 0 {
		t.Errorf("%v allocations for 16 blocks read, want none", n)
	}
}
