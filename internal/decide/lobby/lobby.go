// Package lobby decides which incoming connection, of those still in their handshake, makes
// room when one more comes and all places are taken.
//
// Strangers can open connections and send nothing. So a newcomer always gets a place, and a
// connection of the party with the most places loses its own: of a network, or of an IPv6
// site beyond its share (Weights); within it of the network, and of the address, with the
// most. Among these goes first a connection that has not moved on for a second, then one that
// has not named a torrent, then the oldest. So one address can keep out only itself. When all
// come from one address, a peer that sends its handshake gets in, because a peer that dials
// sends it at once (BEP 3).
//
// A Lobby has one owner or a lock. No BEP covers this (decision 0123).
package lobby

import (
	"net/netip"
	"slices"
	"time"

	"shoal/internal/value/mono"
)

// patience is how long a connection may take for the next part of its handshake before it is
// the first to go. A round trip takes less.
const patience = time.Second

// Key names a connection. The caller never reuses it.
type Key uint64

// Lobby holds the connections in their handshake. Create it with New.
type Lobby struct {
	limit  int
	guests []guest // in order of arrival
}

// guest is one connection.
type guest struct {
	key   Key
	addr  netip.Addr
	party party
	moved mono.Time // time when it came, or named a torrent
	named bool      // it has named its torrent
	done  bool      // its handshake is complete: it leaves by itself
}

// New returns a lobby with limit places.
func New(limit int) *Lobby { return &Lobby{limit: limit} }

// Count returns the number of places taken.
func (l *Lobby) Count() int { return len(l.guests) }

// Enter assigns a place to a connection from an address. If all were taken and evicts is
// true, the caller closes out, which lost its place. ok is false when nothing can make room.
func (l *Lobby) Enter(now mono.Time, key Key, addr netip.Addr) (out Key, evicts, ok bool) {
	addr = addr.Unmap()
	g := guest{key: key, addr: addr, party: partyOf(addr), moved: now}
	if len(l.guests) >= l.limit {
		i := l.worst(now, g)
		if i < 0 {
			return 0, false, false
		}
		out, evicts = l.guests[i].key, true
		l.guests = slices.Delete(l.guests, i, i+1)
	}
	l.guests = append(l.guests, g)
	return out, evicts, true
}

// Named says that a connection has named its torrent, and that we have that torrent.
func (l *Lobby) Named(now mono.Time, key Key) {
	if g := l.find(key); g != nil {
		g.named, g.moved = true, now
	}
}

// Done says that the handshakes of a connection are complete. It reports whether the
// connection still has its place; from now on it keeps the place until Leave.
func (l *Lobby) Done(key Key) bool {
	g := l.find(key)
	if g != nil {
		g.done = true
	}
	return g != nil
}

// Leave frees the place of a connection, if it still has one.
func (l *Lobby) Leave(key Key) {
	l.guests = slices.DeleteFunc(l.guests, func(g guest) bool { return g.key == key })
}

func (l *Lobby) find(key Key) *guest {
	for i := range l.guests {
		if l.guests[i].key == key {
			return &l.guests[i]
		}
	}
	return nil
}

// worst returns the index of the connection that makes room for g; -1: none.
func (l *Lobby) worst(now mono.Time, g guest) int {
	weights := NewWeights(l.limit)
	addrs := map[netip.Addr]int{g.addr: 1}
	weights.add(g.party)
	for _, o := range l.guests {
		weights.add(o.party)
		addrs[o.addr]++
	}
	worst := -1
	for i, o := range l.guests {
		if !o.done && (worst < 0 || before(now, o, l.guests[worst], weights, addrs)) {
			worst = i
		}
	}
	return worst
}

// before reports whether a must go before b.
func before(now mono.Time, a, b guest, weights *Weights, addrs map[netip.Addr]int) bool {
	if x, y := weights.of(a.party), weights.of(b.party); x != y {
		return x > y
	}
	if x, y := weights.networks[a.party.network], weights.networks[b.party.network]; x != y {
		return x > y
	}
	if x, y := addrs[a.addr], addrs[b.addr]; x != y {
		return x > y
	}
	if x, y := a.late(now), b.late(now); x != y {
		return x
	}
	if a.named != b.named {
		return !a.named
	}
	return a.moved < b.moved
}

func (g guest) late(now mono.Time) bool { return now.Sub(g.moved) >= patience }
