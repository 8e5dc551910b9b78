package block

import (
	"math"
	"testing"
)

func TestRef(t *testing.T) {
	for _, c := range []struct {
		ref   Ref
		index uint32
		text  string
	}{
		{Ref{}, 0, "0:0"},
		{Ref{Piece: 7, Begin: 2 * Size, Length: Size}, 2, "7:2"},
		{Ref{Piece: 3, Begin: Size, Length: 5000}, 1, "3:1"},
		{Ref{Piece: 3, Begin: Size - 1, Length: 1}, 0, "3:0"},
		{Ref{Piece: math.MaxUint32, Begin: math.MaxUint32, Length: math.MaxUint32}, math.MaxUint32 / Size, "4294967295:262143"},
	} {
		if got := c.ref.Index(); got != c.index {
			t.Errorf("%+v: block %d, want %d", c.ref, got, c.index)
		}
		if got := c.ref.String(); got != c.text {
			t.Errorf("%+v: %s, want %s", c.ref, got, c.text)
		}
	}
}
