package webplan

import (
	"slices"
	"time"

	"shoal/internal/value/mono"
)

// Bounds on the connections to web seeds of a whole engine.
const (
	MaxSlots  = 32 // of all torrents together
	MaxOfHost = 4  // to one host: many a server treats more as an attack
	// turn is how long a connection is safe from others that wait for it.
	turn = 30 * time.Second
)

// User is a torrent in Slots: any number that identifies it.
type User uint64

// Want is a connection to a seed that a torrent asks for.
type Want struct {
	User User
	Seed int
	Host string // host and port of the seed
}

// Slots divides the connections to web seeds among the torrents of an engine. A connection
// goes to the torrent that has the fewest, then to the one that has waited longest. Each
// waiting torrent gets a turn: Slots revokes the oldest connection that it could use, one at
// a time, from a torrent that has more than it would have, or whose turn is over.
//
// Slots is not safe for concurrent use. It keeps one entry for each connection asked for;
// each torrent has at most MaxConns (decision 0102).
type Slots struct {
	held    []holding
	waiting []Want // in order of asking
	users   map[User]int
	hosts   map[string]int
}

type holding struct {
	Want
	since mono.Time
	asked bool // revoked, and not yet given back
}

// Ask asks for a connection. Grant and Revoke return what comes of it.
func (p *Slots) Ask(w Want) { p.waiting = append(p.waiting, w) }

// Unask withdraws an Ask. If the connection was granted at the same moment, Unask
// releases it.
func (p *Slots) Unask(w Want) {
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return
	}
	p.Release(w)
}

// Release returns a connection to Slots; first one that was revoked.
func (p *Slots) Release(w Want) {
	at := -1
	for i, h := range p.held {
		if h.Want == w && (at < 0 || h.asked && !p.held[at].asked) {
			at = i
		}
	}
	if at >= 0 {
		p.held = slices.Delete(p.held, at, at+1)
		p.count(w, -1)
	}
}

// Leave gives back all connections of a torrent.
func (p *Slots) Leave(u User) {
	p.waiting = slices.DeleteFunc(p.waiting, func(w Want) bool { return w.User == u })
	p.held = slices.DeleteFunc(p.held, func(h holding) bool {
		if h.User == u {
			p.count(h.Want, -1)
		}
		return h.User == u
	})
}

func (p *Slots) count(w Want, n int) {
	if p.users == nil {
		p.users, p.hosts = make(map[User]int), make(map[string]int)
	}
	if p.users[w.User] += n; p.users[w.User] == 0 {
		delete(p.users, w.User)
	}
	if p.hosts[w.Host] += n; p.hosts[w.Host] == 0 {
		delete(p.hosts, w.Host)
	}
}

// Grant returns the next torrent that gets a connection now; false when there is none.
func (p *Slots) Grant(now mono.Time) (Want, bool) {
	best := -1
	for i, w := range p.waiting {
		if len(p.held) >= MaxSlots {
			break
		}
		if p.hosts[w.Host] < MaxOfHost && (best < 0 || p.users[w.User] < p.users[p.waiting[best].User]) {
			best = i
		}
	}
	if best < 0 {
		return Want{}, false
	}
	w := p.waiting[best]
	p.waiting = slices.Delete(p.waiting, best, best+1)
	p.held = append(p.held, holding{Want: w, since: now})
	p.count(w, 1)
	return w, true
}

// Revoke returns the next connection to give back, and when to call again; mono.Never while
// none waits. The caller calls it when Grant returns false.
func (p *Slots) Revoke(now mono.Time) (Want, bool, mono.Time) {
	again := mono.Never
	if slices.ContainsFunc(p.held, func(h holding) bool { return h.asked }) {
		return Want{}, false, again // one is coming back: first see which torrent gets it
	}
	for _, w := range p.waiting[:min(len(p.waiting), 2*MaxSlots)] {
		oldest := -1
		for i, h := range p.held {
			if h.User == w.User || p.hosts[w.Host] >= MaxOfHost && h.Host != w.Host {
				continue
			}
			due := h.since.Add(turn)
			if p.users[h.User] > p.users[w.User]+1 {
				due = h.since // that torrent has more than its share
			}
			if due > now {
				again = min(again, due)
			} else if oldest < 0 || h.since < p.held[oldest].since {
				oldest = i
			}
		}
		if oldest >= 0 {
			p.held[oldest].asked = true
			return p.held[oldest].Want, true, mono.Never
		}
	}
	return Want{}, false, again
}

// Count returns how many connections are granted, and how many are waited for.
func (p *Slots) Count() (held, waiting int) { return len(p.held), len(p.waiting) }
