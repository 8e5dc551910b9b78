package engine

import (
	"errors"

	"shoal/internal/swarm"
)

// errNoRoom is why a peer is not dialled when there are as many connections as may be.
var errNoRoom = errors.New("the engine has as many connections as it may")

// admits reports whether a torrent may have one more connection, and has another give one
// up where that is so.
func (e *Engine) admits(t *Torrent) bool {
	e.crowdMu.Lock()
	ok, from := e.crowd.Admits(&t.places)
	var other *Torrent
	if from != nil {
		other, _ = from.Owner.(*Torrent)
	}
	e.crowdMu.Unlock()
	if other != nil {
		other.hint(event{kind: evSpare})
	}
	return ok
}

// entered counts a connection of a torrent, and unlink takes it out again.
func (e *Engine) entered(t *Torrent) {
	e.crowdMu.Lock()
	defer e.crowdMu.Unlock()
	t.places.Owner = t
	e.crowd.Enter(&t.places)
}

func (t *Torrent) unlink(key swarm.PeerKey) {
	delete(t.peers, key)
	t.e.crowdMu.Lock()
	defer t.e.crowdMu.Unlock()
	t.e.crowd.Leave(&t.places)
}
