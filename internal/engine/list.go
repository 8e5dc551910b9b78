package engine

import (
	"slices"
	"sync"

	"shoal/internal/value/infohash"
)

// list is the torrents of an engine. Its mutex guards all of it.
//
//shoal:part
type list struct {
	mu      sync.Mutex
	byHash  map[[20]byte]*Torrent
	order   []*Torrent
	magnets []*Magnet // whose torrents are not in order yet
	closed  bool
	done    chan struct{} // closed when nothing is left running
}

func newList() list {
	return list{byHash: make(map[[20]byte]*Torrent), done: make(chan struct{})}
}

// close refuses torrents from now on. It returns those that are on the list, of magnets too,
// and whether the list was closed before.
func (l *list) close() (torrents []*Torrent, again bool) {
	again, l.closed = l.closed, true
	torrents = slices.Clone(l.order)
	for _, m := range l.magnets {
		torrents = append(torrents, m.t)
	}
	return torrents, again
}

// add puts a torrent at the end, and takes the magnet by which it began off its list.
func (l *list) add(t *Torrent) {
	l.byHash[t.infoHash] = t
	l.order = append(l.order, t)
	l.dropMagnet(t.magnet)
}

// remove reports whether t was in the order.
func (l *list) remove(t *Torrent) bool {
	if l.byHash[t.infoHash] == t {
		delete(l.byHash, t.infoHash)
	}
	l.dropMagnet(t.magnet)
	i := slices.Index(l.order, t)
	if i < 0 {
		return false
	}
	l.order = slices.Delete(l.order, i, i+1) // callers have copies
	return true
}

// move puts t at a place, and returns that and the torrent behind it; false if t is not in
// the order.
func (l *list) move(t *Torrent, to func(at int) int) (place int, behind *Torrent, ok bool) {
	at := slices.Index(l.order, t)
	if at < 0 {
		return 0, nil, false
	}
	place = min(max(to(at), 0), len(l.order)-1)
	l.order = slices.Insert(slices.Delete(l.order, at, at+1), place, t)
	if place+1 < len(l.order) {
		behind = l.order[place+1]
	}
	return place, behind, true
}

func (l *list) addMagnet(m *Magnet) { l.magnets = append(l.magnets, m) }

// dropMagnet takes a magnet off its list: its torrent is in the order, or has ended. A nil
// magnet is on no list.
func (l *list) dropMagnet(m *Magnet) {
	l.magnets = slices.DeleteFunc(l.magnets, func(x *Magnet) bool { return x == m })
}

// free reports whether no other torrent has the info-hash of t.
func (l *list) free(t *Torrent) bool {
	return l.byHash[t.infoHash] == nil && l.onlyMagnet(t.magnet, t.infoHash)
}

// onlyMagnet reports whether no magnet but m looks for a torrent.
func (l *list) onlyMagnet(m *Magnet, h infohash.Hash) bool {
	return !slices.ContainsFunc(l.magnets, func(x *Magnet) bool { return x != m && x.t.infoHash == h })
}
