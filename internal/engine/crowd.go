package engine

import (
	"errors"

	"shoal/internal/swarm"
)

// errNoRoom is why a peer is not dialled when there are as many connections as may be.
var errNoRoom = errors.New("the engine has as many connections as it may")

// errGaveWay is why an incoming connection is closed that was slow to shake hands.
var errGaveWay = errors.New("it was slow to shake hands, and others came")

// mayAdmit reports whether a torrent may have one more connection now. It costs nobody
// anything: most addresses that are dialled are not there, and strangers come and go.
func (e *Engine) mayAdmit(t *Torrent) bool {
	e.crowdMu.Lock()
	defer e.crowdMu.Unlock()
	ok, _ := e.crowd.Admits(&t.places)
	return ok
}

// admits is mayAdmit for a connection that is there. Where it takes the place of one of
// another torrent, that gives one up.
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

// idles says whether a torrent has a connection that only holds a place.
func (e *Engine) idles(t *Torrent, idle bool) {
	e.crowdMu.Lock()
	defer e.crowdMu.Unlock()
	t.places.Idle = idle
}

func (t *Torrent) unlink(key swarm.PeerKey) {
	delete(t.peers, key)
	t.e.crowdMu.Lock()
	defer t.e.crowdMu.Unlock()
	t.e.crowd.Leave(&t.places)
}
