package engine

import (
	"errors"
	"sync"
	"time"

	"shoal/internal/decide/quota"
	"shoal/internal/decide/swarm"
)

// This file applies the limit of connections of an engine, as quota.Conns decides. Handshakes
// that are in progress have places of their own (porch.go).

// errNoRoom is returned when the engine has reached its limit of connections.
var errNoRoom = errors.New("the engine has reached its limit of connections")

// errGaveWay is the error of an incoming connection that gave way to a newcomer.
var errGaveWay = errors.New("the handshake was slow, and its place was needed for another connection")

// atTheDoor is how long an incoming peer waits for room before we turn it away: other clients
// wait 10 s and more for an answer, and dial again a minute later at the earliest. Meanwhile
// the peer holds one of the places for handshakes, and can have to give way like the others.
const atTheDoor = 2 * time.Second

// seating counts the connections of all torrents together.
type seating struct {
	mu    sync.Mutex // held briefly, never across a blocking call
	conns *quota.Conns
	left  chan struct{} // closed when there may be room; nil while no incoming peer waits
}

// mayAdmit reports whether a torrent may have one more connection now. No other torrent loses
// a connection yet: most dialled addresses do not answer, and not every caller stays.
func (e *Engine) mayAdmit(t *Torrent) bool {
	e.seats.mu.Lock()
	defer e.seats.mu.Unlock()
	ok, _ := e.seats.conns.Admits(&t.links.seat)
	return ok
}

// lineUp queues a torrent that put off a dial until there is room.
func (t *Torrent) lineUp() {
	t.e.seats.mu.Lock()
	t.links.seat.Owner = t
	ok, _ := t.e.seats.conns.Admits(&t.links.seat)
	if !ok {
		t.e.seats.conns.Wait(&t.links.seat)
	}
	t.e.seats.mu.Unlock()
	if ok { // a connection ended meanwhile
		t.hasRoom()
	}
}

// awaits is mayAdmit for an incoming peer: it waits up to atTheDoor for room.
func (e *Engine) awaits(t *Torrent) bool {
	var late <-chan time.Time
	for {
		e.seats.mu.Lock()
		ok, _ := e.seats.conns.Admits(&t.links.seat)
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

// admits is mayAdmit for an established connection. If it takes the place of another torrent's
// connection, admits asks that torrent to give one up.
func (e *Engine) admits(t *Torrent) bool {
	e.seats.mu.Lock()
	ok, from := e.seats.conns.Admits(&t.links.seat)
	var other *Torrent
	if from != nil {
		from.Spare = false // one at a time: the torrent reports its next spare connection
		other, _ = from.Owner.(*Torrent)
	}
	e.seats.mu.Unlock()
	if other != nil {
		other.hint(event{action: spare{}})
	}
	return ok
}

// entered counts a connection of a torrent; unlink is the reverse.
func (e *Engine) entered(t *Torrent) {
	e.seats.mu.Lock()
	defer e.seats.mu.Unlock()
	t.links.seat.Owner = t
	e.seats.conns.Enter(&t.links.seat)
}

// idles notes whether a torrent has an idle connection, which only holds a place, and a spare
// one, which is useless at the moment.
func (e *Engine) idles(t *Torrent, idle, spare bool) {
	e.seats.mu.Lock()
	news := spare && !t.links.seat.Spare
	t.links.seat.Vacant, t.links.seat.Spare = idle, spare
	e.seats.mu.Unlock()
	if news {
		e.roomFor()
	}
}

// roomFor announces that there may be room: to incoming peers that wait, and to the torrent
// that has waited longest for a connection.
func (e *Engine) roomFor() {
	e.seats.mu.Lock()
	if e.seats.left != nil {
		close(e.seats.left)
		e.seats.left = nil
	}
	e.seats.mu.Unlock()
	for {
		e.seats.mu.Lock()
		next := e.seats.conns.Next()
		e.seats.mu.Unlock()
		// A torrent whose inbox is full loses its turn: it dials again by itself in a while.
		if next == nil || next.Owner.(*Torrent).nudge(event{action: vacancy{}}) {
			return
		}
	}
}

// hasRoom dials a peer whose dial was put off. A torrent that has none to dial leaves the room
// to the next.
func (t *Torrent) hasRoom() {
	if !t.swarm.Room(t.e.now()) {
		t.e.roomFor()
	}
}

// unseat removes a torrent that ends from those that wait, and passes unused room on.
func (e *Engine) unseat(t *Torrent) {
	e.seats.mu.Lock()
	e.seats.conns.Forget(&t.links.seat)
	e.seats.mu.Unlock()
	e.roomFor()
}

func (t *Torrent) unlink(key swarm.PeerKey) {
	t.links.remove(key)
	t.e.seats.mu.Lock()
	t.e.seats.conns.Leave(&t.links.seat)
	t.e.seats.mu.Unlock()
	t.e.roomFor()
}
