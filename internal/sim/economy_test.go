package sim

import (
	"testing"
	"time"

	"shoal/internal/value/mono"
)

// Four of forty that never upload get less than the others, and slow these by less than a
// twentieth, on the average of four crowds.
func TestFreeRiders(t *testing.T) {
	t.Parallel()
	c := flashCrowd{leechers: 40, up: mib, seedUp: 4 * mib, lag: 10 * time.Millisecond}
	// play gives the mean time in which the fair finish, and how much of the torrent the
	// free-riders and the fair have when half of these have finished.
	play := func(seed uint64, selfish bool) (mean, riders, fair float64) {
		w := New(seed, 256, 16)
		c.alter = func(i int, s *Spec) { s.Selfish = selfish && i%10 == 3 }
		_, all := c.gather(w)
		honest := func(i int) bool { return i%10 != 3 }
		done := func() (n int) {
			for i, o := range all {
				if honest(i) && o.swarm.Complete() {
					n++
				}
			}
			return n
		}
		if err := w.Run(3*c.bound(w), func() bool { return done() >= 18 }); err != nil {
			t.Fatal(err)
		}
		for i, n := range all {
			if has := float64(n.disk.verified.Count()) / float64(w.Geometry.Pieces); honest(i) {
				fair += has / 36
			} else {
				riders += has / 4
			}
		}
		if err := w.Run(3*c.bound(w), func() bool { return done() == 36 }); err != nil {
			t.Fatal(err)
		}
		for i, n := range all {
			if honest(i) {
				mean += n.Completed.Sub(mono.Start).Seconds() / 36
			}
		}
		return mean, riders, fair
	}
	const seeds = 4
	var slower float64
	for seed := range uint64(seeds) {
		without, _, _ := play(seed, false)
		with, riders, fair := play(seed, true)
		t.Logf("seed %d: the fair finish after %.1f s, with free-riders after %.1f s; these have %.2f when the fair have %.2f",
			seed, without, with, riders, fair)
		if riders > fair*2/3 {
			t.Errorf("seed %d: free-riders have %.2f of the torrent, the fair %.2f", seed, riders, fair)
		}
		slower += (with/without - 1) / seeds
	}
	if slower >= 0.05 {
		t.Errorf("free-riders slow the others by %.1f %%", 100*slower)
	}
}
