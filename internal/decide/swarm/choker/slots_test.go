package choker

import "testing"

func TestSlotsFor(t *testing.T) {
	for limit, want := range map[int64]int{
		0: 8, -1: 8, 1: 4, 100 << 10: 4, 2 << 20: 4, 3 << 20: 6, 4 << 20: 8, 1 << 40: 8,
	} {
		if got := SlotsFor(limit); got != want {
			t.Errorf("%d bytes a second: %d slots, want %d", limit, got, want)
		}
	}
}
