package sim

import (
	"fmt"
	"time"

	"shoal/internal/decide/quota"
	"shoal/internal/value/mono"
)

// row makes nodes wait in a queue, as the torrents of one engine do.
type row struct {
	w     *World
	line  *quota.Queue
	cfg   quota.QueueConfig
	nodes []*Node
	began []*Node // in the order of their first run
}

// inLine suspends nodes and lets as many run as the queue allows, looking once a second.
func (w *World) inLine(cfg quota.QueueConfig, nodes ...*Node) *row {
	r := &row{w: w, line: quota.NewQueue(cfg), cfg: cfg, nodes: nodes}
	for i, n := range nodes {
		r.line.Add(w.now, quota.Key(i))
		n.Suspend(true)
	}
	r.look()
	return r
}

func (r *row) look() {
	now := r.w.now
	downloads, seeds := 0, 0
	for i, n := range r.nodes {
		want := quota.Download
		if n.swarm.Complete() {
			want = quota.Seed
		}
		s := n.swarm.Stats(now)
		r.line.Rate(now, quota.Key(i), s.Rates.SlowDown, s.Rates.SlowUp)
		r.line.Want(now, quota.Key(i), want)
	}
	for _, c := range r.line.Changes(now) {
		n := r.nodes[c.Key]
		if first := n.swarm.Stats(now).Downloaded == 0; c.Run && first {
			r.began = append(r.began, n)
		}
		n.Suspend(!c.Run)
	}
	for _, n := range r.nodes {
		switch {
		case n.wishes.suspended && n.swarm.Stats(now).Peers > 0:
			r.w.failf("%s waits in line and has peers", n.spec.Name)
		case n.wishes.suspended:
		case n.swarm.Complete():
			seeds++
		default:
			downloads++
		}
	}
	if downloads > r.cfg.Downloads || seeds > r.cfg.Seeds {
		r.w.failf("%d downloads and %d seeds run at the same time", downloads, seeds)
	}
	r.w.after(time.Second, r.look)
}

// enough pauses a node once a share limit is reached, looking ten times a second.
func (w *World) enough(n *Node, limits quota.ShareLimits) (reached func() bool) {
	var m quota.Seeding
	m.SetLimits(limits)
	m.Seeding(w.now, true)
	done := false
	var look func()
	look = func() {
		down, up := n.swarm.Moved()
		m.Totals(w.now, up, down, int64(n.w.Geometry.Total))
		if reason, enough := m.Enough(w.now); enough {
			done = true
			n.input(func(now mono.Time) { n.swarm.SuspendFor(now, true, reason) })
			return
		}
		w.after(100*time.Millisecond, look)
	}
	look()
	return func() bool { return done }
}

// resting are torrents that do not run all the time.
var resting = []Scenario{
	{
		Name: "in-line", Story: "Eight downloads of an engine of which two may run, and one seed: each has its turn, in order.",
		Pieces: 20, Blocks: 4,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 200 * kb})
			all := w.group(8, Spec{Name: "L", Up: 100 * kb})
			introduce(append(all, seed)...)
			r := w.inLine(quota.QueueConfig{Downloads: 2, Seeds: 1, SlowDown: 1, SlowUp: 1}, all...)
			// They run one after another, two at a time: the seed is the bottleneck.
			alone := time.Duration(float64(w.Geometry.Total) / (200 * kb) * float64(time.Second))
			if err := w.Complete(8*alone*3/2 + 20*time.Second); err != nil {
				return err
			}
			for i, n := range r.began {
				if n != all[i] {
					return fmt.Errorf("%s ran as number %d", n.spec.Name, i)
				}
			}
			return w.wasted(5)
		},
	},
	{
		Name: "shared-enough", Story: "A seed leaves after a copy and a half; the six that wanted it have it from each other.",
		Pieces: 40, Blocks: 4,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 300 * kb})
			all := w.group(6, Spec{Name: "L", Up: 100 * kb})
			introduce(append(all, seed)...)
			reached := w.enough(seed, quota.ShareLimits{Ratio: 1.5})
			if err := w.Complete(10 * time.Minute); err != nil {
				return err
			}
			_, up := seed.swarm.Moved()
			if most := 3*int64(w.Geometry.Total)/2 + 3*300*kb; !reached() || up > most {
				return fmt.Errorf("the seed sent %d bytes, it was to be %d at most; it left: %v", up, most, reached())
			}
			return nil
		},
	},
}
