package sim

import (
	"net/netip"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/tracker"
	"shoal/internal/value/mono"
)

// Tracker is a virtual tracker: it remembers announcing peers and returns them to each other.
type Tracker struct {
	URL      string
	Interval time.Duration
	Down     bool // it does not answer
	// Promise returns the peer id to name with a peer's address; nil names none, as in a compact
	// list (BEP 23).
	Promise func(n *Node) []byte

	peers []*Node
	// Events counts the announces by event.
	Events map[tracker.Event]int
}

// AddTracker adds a tracker to the world, for nodes created later.
func (w *World) AddTracker() *Tracker {
	w.tracker = &Tracker{
		URL: "http://tracker.invalid/announce", Interval: 30 * time.Minute,
		Events: make(map[tracker.Event]int),
	}
	return w.tracker
}

// announce performs an Announce effect.
func (t *Tracker) announce(n *Node, e swarm.Effect) {
	const trip, patience = 100 * time.Millisecond, 15 * time.Second
	req := e.Request
	result := announce.Result{URL: req.URL, Event: req.Event}
	if t.Down {
		result.Err = "no answer"
		n.w.after(patience, func() { n.input(func(now mono.Time) { n.swarm.Announced(now, result) }) })
		return
	}
	n.w.after(trip, func() {
		t.Events[req.Event]++
		var addrs []netip.AddrPort
		var ids [][]byte
		known := false
		for _, o := range t.peers {
			if o == n {
				known = true
			}
			// A tracker also returns the announcing peer itself.
			if len(addrs) < req.NumWant {
				addrs = append(addrs, o.addr)
				if t.Promise != nil {
					ids = append(ids, t.Promise(o))
				}
			}
		}
		if !known && req.Event != tracker.Stopped {
			t.peers = append(t.peers, n)
		}
		result.Interval, result.Peers, result.Seeders, result.Leechers = t.Interval, len(addrs), -1, -1
		n.w.after(trip, func() {
			n.input(func(now mono.Time) {
				n.swarm.Found(now, peerbook.Tracker, addrs, ids)
				n.swarm.Announced(now, result)
			})
		})
	})
}
