package webplan

import (
	"slices"
	"time"

	"shoal/internal/value/mono"
)

// Bounds on the connections to web seeds of a whole engine.
const (
	MaxPlaces = 32 // together
	MaxOfHost = 4  // to one host: more count as an attack with many a server
	// turn is how long a place is kept from others who wait for it.
	turn = 30 * time.Second
)

// User is a torrent, to Places: any number that stands for it.
type User uint64

// Want is a place for a seed of a torrent.
type Want struct {
	User User
	Seed int
	Host string // of the seed, with its port
}

// Places shares the connections to web seeds out among the torrents of an engine. A
// place goes to the torrent that has the fewest, then to who has waited longest. Whoever
// waits gets a turn: of places that could be his the oldest is asked back, one at a time,
// from a torrent that has more than he would have, or whose turn is over.
//
// It is not safe for concurrent use, and keeps one entry for each place asked for, of which
// each torrent has MaxConns at most (decision 0102).
type Places struct {
	held    []holding
	waiting []Want // in order of asking
	users   map[User]int
	hosts   map[string]int
}

type holding struct {
	Want
	since mono.Time
	asked bool // back
}

// Ask wants a place. What comes of it is told by Grant and Revoke.
func (p *Places) Ask(w Want) { p.waiting = append(p.waiting, w) }

// Unask does not wait for a place any more. One that was granted at the same moment is
// given back.
func (p *Places) Unask(w Want) {
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return
	}
	p.Give(w)
}

// Give gives a place back; first one that was asked for.
func (p *Places) Give(w Want) {
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

// Leave gives back all places of a torrent.
func (p *Places) Leave(u User) {
	p.waiting = slices.DeleteFunc(p.waiting, func(w Want) bool { return w.User == u })
	p.held = slices.DeleteFunc(p.held, func(h holding) bool {
		if h.User == u {
			p.count(h.Want, -1)
		}
		return h.User == u
	})
}

func (p *Places) count(w Want, n int) {
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

// Grant gives the next who gets a place now, until there is none.
func (p *Places) Grant(now mono.Time) (Want, bool) {
	best := -1
	for i, w := range p.waiting {
		if len(p.held) >= MaxPlaces {
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

// Revoke gives the next place that is to be given back, and when it is worth asking
// again; mono.Never while nobody waits. It is asked after Grant has nothing.
func (p *Places) Revoke(now mono.Time) (Want, bool, mono.Time) {
	again := mono.Never
	if slices.ContainsFunc(p.held, func(h holding) bool { return h.asked }) {
		return Want{}, false, again // one is on its way: see who it goes to
	}
	for _, w := range p.waiting[:min(len(p.waiting), 2*MaxPlaces)] {
		oldest := -1
		for i, h := range p.held {
			if h.User == w.User || p.hosts[w.Host] >= MaxOfHost && h.Host != w.Host {
				continue
			}
			due := h.since.Add(turn)
			if p.users[h.User] > p.users[w.User]+1 {
				due = h.since // it has more than its share
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

// Count gives how many places are taken, and how many are waited for.
func (p *Places) Count() (held, waiting int) { return len(p.held), len(p.waiting) }
