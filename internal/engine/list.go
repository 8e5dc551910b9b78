package engine

import (
	"slices"
	"sync"
)

// list holds the torrents of an engine. Its mutex guards all fields.
//
//shoal:part
type list struct {
	mu     sync.Mutex
	byHash map[[20]byte]*Torrent
	order  []*Torrent
	closed bool
	done   chan struct{} // closed when nothing is left running
}

func newList() list {
	return list{byHash: make(map[[20]byte]*Torrent), done: make(chan struct{})}
}

// close makes the list refuse new torrents. It returns the torrents on the list, and whether the
// list was closed before.
func (l *list) close() (torrents []*Torrent, again bool) {
	again, l.closed = l.closed, true
	return slices.Clone(l.order), again
}

// add appends a torrent to the order.
func (l *list) add(t *Torrent) {
	l.byHash[t.infoHash] = t
	l.order = append(l.order, t)
}

// remove removes t, and reports whether t was in the order.
func (l *list) remove(t *Torrent) bool {
	if l.byHash[t.infoHash] == t {
		delete(l.byHash, t.infoHash)
	}
	i := slices.Index(l.order, t)
	if i < 0 {
		return false
	}
	l.order = slices.Delete(l.order, i, i+1) // callers have copies
	return true
}

// move moves t to a position, and returns that position and the torrent behind it; ok is false
// when t is not in the order.
func (l *list) move(t *Torrent, to func(at int) int) (position int, behind *Torrent, ok bool) {
	at := slices.Index(l.order, t)
	if at < 0 {
		return 0, nil, false
	}
	position = min(max(to(at), 0), len(l.order)-1)
	l.order = slices.Insert(slices.Delete(l.order, at, at+1), position, t)
	if position+1 < len(l.order) {
		behind = l.order[position+1]
	}
	return position, behind, true
}

// free reports whether no other torrent has the info-hash of t.
func (l *list) free(t *Torrent) bool { return l.byHash[t.infoHash] == nil }
