package sim

import (
	"fmt"
	"slices"
	"time"
)

const mib = 1 << 20

// crowd is a flash crowd: leechers that arrive together, and one seed.
type crowd struct {
	leechers int
	up       int64 // of each leecher, bytes a second
	seedUp   int64
	lag      time.Duration

	seed  Spec
	peer  Spec
	alter func(i int, s *Spec) // makes leecher i something else
}

// gather makes the crowd, everybody knowing everybody.
func (c crowd) gather(w *World) (seed *Node, all []*Node) {
	w.Every = 5000
	s := c.seed
	s.Name, s.Have, s.Up, s.UpKnown, s.Lag = "S", w.Full(), c.seedUp, true, c.lag
	seed = w.Add(s)
	for i := range c.leechers {
		one := c.peer
		one.Name, one.Up, one.UpKnown, one.Lag = fmt.Sprintf("L%d", i), c.up, true, c.lag
		if c.alter != nil {
			c.alter(i, &one)
		}
		all = append(all, w.Add(one))
	}
	introduce(append(slices.Clone(all), seed)...)
	return seed, all
}

// bound is the least time in which everybody could have everything: what the seed has
// must leave it once, and what all lack must pass some uplink.
func (c crowd) bound(w *World) time.Duration {
	f, n := float64(w.Geometry.Total), float64(c.leechers)
	s := max(f/float64(c.seedUp), n*f/(float64(c.seedUp)+n*float64(c.up)))
	return time.Duration(s * float64(time.Second))
}

// finish runs until every leecher has everything, which must be within so many times the
// bound.
func (c crowd) finish(w *World, all []*Node, most float64) error {
	bound := c.bound(w)
	complete := func() bool {
		return !slices.ContainsFunc(all, func(n *Node) bool { return n.up && n.honest() && !n.swarm.Complete() })
	}
	if err := w.Run(time.Duration(most*float64(bound)), complete); err != nil {
		return fmt.Errorf("%w: %.2f times the bound of %.1f s\n%s", err, most, bound.Seconds(), w.standing())
	}
	return nil
}

// economy is what a swarm of peers with bounded uplinks comes to.
var economy = []Scenario{
	{
		Name: "flash-crowd", Story: "Twenty arrive together at a seed of twice their uplink: all finish within 1.10 of the bound.",
		Pieces: 256, Blocks: 16,
		Play: func(w *World) error {
			c := crowd{leechers: 20, up: 2 * mib, seedUp: 4 * mib, lag: time.Millisecond}
			_, all := c.gather(w)
			return c.finish(w, all, 1.10)
		},
	},
	{
		Name: "flash-crowd-far", Story: "The same, with a tenth of a second between any two.",
		Pieces: 256, Blocks: 16,
		Play: func(w *World) error {
			c := crowd{leechers: 20, up: 2 * mib, seedUp: 4 * mib, lag: 25 * time.Millisecond}
			_, all := c.gather(w)
			return c.finish(w, all, 1.15)
		},
	},
	{
		Name: "forty", Story: "Forty leechers and one seed finish within 1.15 of the bound.",
		Pieces: 128, Blocks: 16,
		Play: func(w *World) error {
			c := crowd{leechers: 40, up: mib, seedUp: 4 * mib, lag: 10 * time.Millisecond}
			_, all := c.gather(w)
			return c.finish(w, all, 1.15)
		},
	},
}
