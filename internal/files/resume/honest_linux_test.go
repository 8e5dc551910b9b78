package resume_test

import "testing"

// Judging a read costs one system call, and no memory.
func TestReadsAreJudgedForNothing(t *testing.T) {
	_, g, _ := honest(t)
	bufs := [][]byte{make([]byte, pieceLength), make([]byte, pieceLength)}
	if n := testing.AllocsPerRun(100, func() {
		if err := g.ReadV(bufs, 4096); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations for a read", n)
	}
}
