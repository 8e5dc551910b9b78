package swarm

import "shoal/internal/mono"

// SetPriorities says how much each piece is wanted: 0 skip, 1 low, 2 normal, 3
// high. nil means that all are normal.
func (s *Swarm) SetPriorities(now mono.Time, prio []uint8) { s.now = now }

// Urge says that a reader wants the pieces [from, to) now and in this order,
// whatever their priority; from == to ends that.
func (s *Swarm) Urge(now mono.Time, reader uint32, from, to uint32) { s.now = now }
