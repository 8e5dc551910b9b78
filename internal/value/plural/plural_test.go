package plural

import (
	"math"
	"testing"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		n    int64
		noun string
		want string
	}{
		{0, "file", "0 files"},
		{1, "file", "1 file"},
		{2, "address", "2 addresses"},
		{1, "address", "1 address"},
		{3, "box", "3 boxes"},
		{3, "match", "3 matches"},
		{2, "copy", "2 copies"},
		{2, "day", "2 days"},
		{2, "y", "2 ys"},
		{999, "piece", "999 pieces"},
		{12345, "missing piece", "12,345 missing pieces"},
		{-1, "byte", "-1 bytes"},
		{-1234567, "byte", "-1,234,567 bytes"},
		{math.MaxInt64, "byte", "9,223,372,036,854,775,807 bytes"},
		{math.MinInt64, "byte", "-9,223,372,036,854,775,808 bytes"},
	} {
		if got := Of(c.n, c.noun); got != c.want {
			t.Errorf("%d %s: %q, want %q", c.n, c.noun, got, c.want)
		}
	}
	if got := Of(uint64(math.MaxUint64), "byte"); got != "18,446,744,073,709,551,615 bytes" {
		t.Error(got)
	}
}
