package swarm

import (
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// ours is what we have announced to a peer.
//
//shoal:part
type ours struct {
	choked      bool // we choke it
	interesting bool // we have said that we are interested
	unchokedAt  mono.Time
	chokedAt    mono.Time // time of the latest choke that followed an unchoke
	reason      why.Why   // of the latest choke or unchoke; None before the first
}

func (o *ours) choke(now mono.Time, w why.Why) { o.choked, o.chokedAt, o.reason = true, now, w }

func (o *ours) unchoke(now mono.Time, w why.Why) { o.choked, o.unchokedAt, o.reason = false, now, w }

func (o *ours) declare(interested bool) { o.interesting = interested }
