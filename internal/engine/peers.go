package engine

import (
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/value/mono"
)

// Peers holds the connected peers of a torrent at one instant.
type Peers struct {
	At     time.Time
	Now    mono.Time // the same instant on the engine's clock
	Pieces uint32    // number of pieces of the torrent
	All    []swarm.PeerState
}

// Peers returns the connected peers. It waits for the loop of the torrent.
func (t *Torrent) Peers() (out Peers) {
	_ = t.call(func(now mono.Time) {
		out.At, out.Now, out.Pieces = time.Now(), now, t.geom().Pieces
		if t.swarm != nil {
			out.All = t.swarm.Peers(now)
		}
	}) // a stopped torrent has no peers
	return out
}
