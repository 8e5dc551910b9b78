package swarm

import "shoal/internal/value/mono"

// ours is what we have told a peer.
//
//shoal:part
type ours struct {
	choked      bool // we choke it
	interesting bool // we have said that we are interested
	unchokedAt  mono.Time
	chokedAt    mono.Time // time of the latest choke that followed an unchoke
}

func (o *ours) choke(now mono.Time) { o.choked, o.chokedAt = true, now }

func (o *ours) unchoke(now mono.Time) { o.choked, o.unchokedAt = false, now }

func (o *ours) declare(interested bool) { o.interesting = interested }
