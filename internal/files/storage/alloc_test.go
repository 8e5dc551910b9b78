//go:build !race

// The race detector makes sync.Pool forget, so allocations are counted without it.

package storage_test

import (
	"testing"

	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
)

func TestNoAllocation(t *testing.T) {
	st := open(t, folder(t, t.TempDir()), storage.NewPool(0),
		storagetest.Lay(storage.Entry{Path: "a", Length: 100000}, storage.Entry{Path: "b", Length: 100000}))
	bufs := [][]byte{make([]byte, 16384), make([]byte, 16384), make([]byte, 16384)}
	n := testing.AllocsPerRun(100, func() {
		if st.WriteV(bufs, 80000) != nil || st.ReadV(bufs, 80000) != nil {
			t.Error("failed")
		}
		if _, err := st.ReadAt(bufs[0], 70000); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for two vectors and a read, want none", n)
	}
}

// Judging a read costs none either.
func TestCheckedReadsDoNotAllocate(t *testing.T) {
	st := open(t, folder(t, t.TempDir()), storage.NewPool(0), storagetest.Lay(storage.Entry{Path: "a", Length: 100000}))
	bufs := [][]byte{make([]byte, 16384)}
	if err := st.WriteV(bufs, 0); err != nil {
		t.Fatal(err)
	}
	st.CheckReads(func(_ int, h storage.Handle) error {
		if s, ok := h.(storage.Stamper); ok {
			_, err := s.Stamp()
			return err
		}
		return nil
	})
	n := testing.AllocsPerRun(100, func() {
		if err := st.ReadV(bufs, 0); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for a read that is judged, want none", n)
	}
}
