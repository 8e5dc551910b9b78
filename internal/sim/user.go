package sim

import (
	"errors"
	"fmt"

	"shoal/internal/value/mono"
)

// What the user of a node, readers, and the keeper of its files want. The node records it
// independently, to judge its swarm's requests.

// wishes is what the user, readers and files of a node want, as the simulator knows it.
//
//shoal:part
type wishes struct {
	prio      []uint8 // nil means all equal
	urged     map[uint32][2]uint32
	held      bool
	suspended bool
}

// Select sets the priority of each piece.
func (n *Node) Select(prio []uint8) {
	n.wishes.prio = prio
	n.input(func(now mono.Time) { n.swarm.SetPriorities(now, prio) })
}

// Urge makes a reader want some pieces.
func (n *Node) Urge(reader, from, to uint32) {
	n.wishes.urged[reader] = [2]uint32{from, to}
	n.input(func(now mono.Time) { n.swarm.Urge(now, reader, from, to) })
}

// Hold makes the files refuse writes, or accept them again.
func (n *Node) Hold(on bool) {
	n.wishes.held = on
	n.input(func(now mono.Time) { n.swarm.Hold(now, on) })
}

// Suspend makes the files go away with everything unfinished, or come back.
func (n *Node) Suspend(on bool) {
	if on && !n.wishes.suspended {
		n.disk.open()
	}
	n.wishes.suspended = on
	n.input(func(now mono.Time) { n.swarm.Suspend(now, on) })
	if on && n.up && n.swarm.Deadline() != mono.Never {
		n.w.failf("%s is suspended, and something is due at %v", n.spec.Name, n.swarm.Deadline())
	}
}

// Regain makes a piece reappear on disk.
func (n *Node) Regain(piece uint32) {
	if n.up && n.disk.verified.Set(piece) {
		n.input(func(now mono.Time) { n.swarm.Regained(now, piece) })
	}
}

// skips reports whether the user has skipped a piece.
func (n *Node) skips(piece uint32) bool { return n.wishes.prio != nil && n.wishes.prio[piece] == 0 }

// mayAsk checks a request for a block of a piece.
func (n *Node) mayAsk(piece uint32) error {
	switch {
	case n.wishes.held:
		return errors.New("while the files take nothing")
	case n.wishes.suspended:
		return errors.New("while the files are away")
	case !n.skips(piece):
		return nil
	}
	for _, u := range n.wishes.urged { // the answer does not depend on the order
		if u[0] <= piece && piece < u[1] {
			return nil
		}
	}
	return fmt.Errorf("which is skipped")
}
