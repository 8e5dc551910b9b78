package sim

import (
	"errors"
	"fmt"

	"shoal/internal/value/mono"
)

// What the user of a node, readers, and the keeper of its files say. The node keeps
// account of it by itself, to judge what its swarm asks for.

// wishes is what the user, readers and files of a node want, as the simulator knows it.
//
//shoal:part
type wishes struct {
	prio      []uint8 // nil: every piece alike
	urged     map[uint32][2]uint32
	held      bool
	suspended bool
}

// Select gives each piece its priority.
func (n *Node) Select(prio []uint8) {
	n.wishes.prio = prio
	n.input(func(now mono.Time) { n.swarm.SetPriorities(now, prio) })
}

// Urge has a reader want some pieces.
func (n *Node) Urge(reader, from, to uint32) {
	n.wishes.urged[reader] = [2]uint32{from, to}
	n.input(func(now mono.Time) { n.swarm.Urge(now, reader, from, to) })
}

// Hold has the files take nothing, or take it again.
func (n *Node) Hold(on bool) {
	n.wishes.held = on
	n.input(func(now mono.Time) { n.swarm.Hold(now, on) })
}

// Suspend has the files go away with all that is unfinished, or come back.
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

// Regain has a piece be on disk after all.
func (n *Node) Regain(piece uint32) {
	if n.up && n.disk.verified.Set(piece) {
		n.input(func(now mono.Time) { n.swarm.Regained(now, piece) })
	}
}

// skips reports whether the user has skipped a piece.
func (n *Node) skips(piece uint32) bool { return n.wishes.prio != nil && n.wishes.prio[piece] == 0 }

// mayAsk judges that a block of a piece is asked for.
func (n *Node) mayAsk(piece uint32) error {
	switch {
	case n.wishes.held:
		return errors.New("while the files take nothing")
	case n.wishes.suspended:
		return errors.New("while the files are away")
	case !n.skips(piece):
		return nil
	}
	for _, u := range n.wishes.urged { // whichever it is, the answer is the same
		if u[0] <= piece && piece < u[1] {
			return nil
		}
	}
	return fmt.Errorf("which is skipped")
}
