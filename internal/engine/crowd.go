package engine

import (
	"errors"
	"sync"
	"time"

	"shoal/internal/decide/crowd"
	"shoal/internal/decide/swarm"
)

// errNoRoom is why a peer is not dialled when there are as many connections as may be.
var errNoRoom = errors.New("the engine has as many connections as it may")

// errGaveWay is why an incoming connection is closed that was slow to shake hands.
var errGaveWay = errors.New("it was slow to shake hands, and others came")

// atTheDoor is how long a peer that has come waits for room before it is turned away: other
// clients wait 10 s and more for an answer, and dial again a minute later at the earliest.
// Meanwhile the peer holds one of the places for handshakes, and gives way there as others do.
const atTheDoor = 2 * time.Second

// seating is the connections of all torrents together.
type seating struct {
	mu    sync.Mutex // held briefly, never across a blocking call
	crowd *crowd.Crowd
	left  chan struct{} // closed when there may be room; nil while no peer waits at the door
}

// mayAdmit reports whether a torrent may have one more connection now. It costs nobody
// anything: most addresses that are dialled are not there, and strangers come and go.
func (e *Engine) mayAdmit(t *Torrent) bool {
	e.seats.mu.Lock()
	defer e.seats.mu.Unlock()
	ok, _ := e.seats.crowd.Admits(&t.links.share)
	return ok
}

// lineUp has a torrent that put off a dial wait in the line until there is room.
func (t *Torrent) lineUp() {
	t.e.seats.mu.Lock()
	t.links.share.Owner = t
	ok, _ := t.e.seats.crowd.Admits(&t.links.share)
	if !ok {
		t.e.seats.crowd.Wait(&t.links.share)
	}
	t.e.seats.mu.Unlock()
	if ok { // a connection ended meanwhile
		t.hasRoom()
	}
}

// awaits is mayAdmit for a peer that has come: it waits a moment for room.
func (e *Engine) awaits(t *Torrent) bool {
	var late <-chan time.Time
	for {
		e.seats.mu.Lock()
		ok, _ := e.seats.crowd.Admits(&t.links.share)
		if !ok && e.seats.left == nil {
			e.seats.left = make(chan struct{})
		}
		left := e.seats.left
		e.seats.mu.Unlock()
		if ok {
			return true
		}
		if late == nil {
			timer := time.NewTimer(atTheDoor)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-left:
		case <-late:
			return false
		case <-t.life.ctx.Done():
			return false
		case <-e.life.ctx.Done():
			return false
		}
	}
}

// admits is mayAdmit for a connection that is there. Where it takes the place of one of
// another torrent, that gives one up.
func (e *Engine) admits(t *Torrent) bool {
	e.seats.mu.Lock()
	ok, from := e.seats.crowd.Admits(&t.links.share)
	var other *Torrent
	if from != nil {
		from.Spare = false // one at a time: its torrent says when there is another
		other, _ = from.Owner.(*Torrent)
	}
	e.seats.mu.Unlock()
	if other != nil {
		other.hint(event{action: spare{}})
	}
	return ok
}

// entered counts a connection of a torrent, and unlink takes it out again.
func (e *Engine) entered(t *Torrent) {
	e.seats.mu.Lock()
	defer e.seats.mu.Unlock()
	t.links.share.Owner = t
	e.seats.crowd.Enter(&t.links.share)
}

// idles says whether a torrent has a connection that only holds a place, and one that is of no
// use at the moment.
func (e *Engine) idles(t *Torrent, idle, spare bool) {
	e.seats.mu.Lock()
	news := spare && !t.links.share.Spare
	t.links.share.Idle, t.links.share.Spare = idle, spare
	e.seats.mu.Unlock()
	if news {
		e.roomFor()
	}
}

// roomFor tells those that there may be room for: peers at the door, and the torrent that has
// waited longest for a connection.
func (e *Engine) roomFor() {
	e.seats.mu.Lock()
	if e.seats.left != nil {
		close(e.seats.left)
		e.seats.left = nil
	}
	e.seats.mu.Unlock()
	for {
		e.seats.mu.Lock()
		next := e.seats.crowd.Next()
		e.seats.mu.Unlock()
		// A torrent that is behind loses its turn: it dials again by itself in a while.
		if next == nil || next.Owner.(*Torrent).nudge(event{action: vacancy{}}) {
			return
		}
	}
}

// hasRoom dials a peer that was put off for want of room. A torrent that has none to dial
// leaves the room to the next.
func (t *Torrent) hasRoom() {
	if !t.swarm.Room(t.e.now()) {
		t.e.roomFor()
	}
}

// unseat takes a torrent that ends out of the line, and passes on room that it has not used.
func (e *Engine) unseat(t *Torrent) {
	e.seats.mu.Lock()
	e.seats.crowd.Forget(&t.links.share)
	e.seats.mu.Unlock()
	e.roomFor()
}

func (t *Torrent) unlink(key swarm.PeerKey) {
	t.links.remove(key)
	t.e.seats.mu.Lock()
	t.e.seats.crowd.Leave(&t.links.share)
	t.e.seats.mu.Unlock()
	t.e.roomFor()
}
