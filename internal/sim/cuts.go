package sim

import "time"

// Part cuts nodes off from all others for a while.
func (w *World) Part(d time.Duration, nodes ...*Node) {
	clear(w.island)
	for _, n := range nodes {
		w.island[n.host()] = true
	}
	w.healsAt = w.now.Add(d)
}

// breakConnections resets one connection at every interval, until stop is called.
func (w *World) breakConnections(every time.Duration, nodes []*Node) (stop func()) {
	on := true
	var next func()
	next = func() {
		if !on {
			return
		}
		n := nodes[w.faults.IntN(len(nodes))]
		if n.up && len(n.ends) > 0 {
			n.ends[w.faults.IntN(len(n.ends))].reset()
		}
		w.after(every, next)
	}
	next()
	return func() { on = false }
}
