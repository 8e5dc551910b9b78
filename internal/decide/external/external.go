// Package external works out at which address the world sees us, one for IPv4 and one for
// IPv6, from what others say: DHT nodes in `ip` (BEP 42), peers in `yourip` (BEP 10),
// trackers in `external ip` (BEP 24). No single word is believed, for anybody may say
// anything: it is a vote, of networks rather than of addresses, in which those whom we
// chose to ask count twice as much as those who came to us.
//
// A Tally is owned by the engine and not safe for concurrent use. It is bounded, reads no
// clock, and gives the same answer to the same votes.
// Decision 0092 says why.
package external

import (
	"net/netip"
	"slices"
	"time"

	"shoal/internal/value/ipscope"
	"shoal/internal/value/mono"
)

// Source says how we came to hear somebody's word.
type Source uint8

// The sources.
const (
	DHT     Source = iota // a node that answered a query of ours
	Tracker               // a tracker that was announced to
	Dialled               // a peer that we dialled
	Caller                // a peer that dialled us: it chose us
	sources
)

var sourceNames = [sources]string{"dht", "tracker", "dialled", "caller"}

// String gives the source's name as golden scripts print it.
func (s Source) String() string { return sourceNames[s] }

const (
	// quorum is how many points an address needs: three networks that we chose to ask, or
	// six that came to us. Nobody who has but one network, or two, can tell us who we are.
	quorum = 6
	// perSource is how many votes of one source are kept, so that a crowd of callers pushes
	// out nobody but callers.
	perSource = 32
	// window is how long a vote counts at all. The DHT is heard every 15 minutes, most
	// trackers every 30.
	window = time.Hour
	// recent is how long a vote counts for or against a change of address. When a line is
	// given a new one, all that is newer speaks of that.
	recent = 10 * time.Minute
	// settled is how long an address is kept before another can take its place: a node that
	// changes its id is a stranger to the DHT, so nobody may have us do it often.
	settled = 10 * time.Minute
)

// Tally counts votes. The zero value is ready.
type Tally struct {
	four, six count
}

// count is the state of one family.
type count struct {
	addr  netip.Addr // as decided; invalid until then
	since mono.Time
	votes []vote // oldest first; one a network
}

type vote struct {
	by   netip.Prefix // the network of who said it
	src  Source
	says netip.Addr
	at   mono.Time
}

// Vote takes somebody's word for our address, and reports whether our address has changed
// by it. Words about addresses of the other family, from or about addresses that the world
// does not know, are passed over: who is in our own network sees another side of us.
func (t *Tally) Vote(now mono.Time, src Source, by, says netip.Addr) bool {
	by, says = by.Unmap(), says.Unmap()
	if !worldwide(by) || !worldwide(says) || by.Is4() != says.Is4() {
		return false
	}
	c := &t.six
	if says.Is4() {
		c = &t.four
	}
	c.put(vote{network(by), src, says, now})
	if says == c.addr {
		return false // nobody else gains by it
	}
	return c.decide(now, says)
}

// Addr gives our address in a family as the world sees it; invalid while nobody knows.
func (t *Tally) Addr(v6 bool) netip.Addr {
	if v6 {
		return t.six.addr
	}
	return t.four.addr
}

// put keeps a vote in place of what the same network said before, and of the oldest of its
// source when there are too many.
func (c *count) put(v vote) {
	n := 0
	for _, o := range c.votes {
		if o.src == v.src && o.by != v.by {
			n++
		}
	}
	c.votes = slices.DeleteFunc(c.votes, func(o vote) bool {
		if o.by == v.by {
			return true
		}
		if o.src == v.src && n >= perSource {
			n--
			return true
		}
		return false
	})
	c.votes = append(c.votes, v)
}

// decide reports whether an address is ours from now on. The first needs a quorum and more
// than half of all points; one that is to take another's place needs a quorum and twice
// the points of that one, of late, and has to wait until that one is settled.
func (c *count) decide(now mono.Time, says netip.Addr) bool {
	age := window
	if c.addr.IsValid() {
		if now.Sub(c.since) < settled {
			return false
		}
		age = recent
	}
	var yes, no points
	for _, v := range c.votes {
		switch {
		case now.Sub(v.at) >= age:
		case v.says == says:
			yes.add(v)
		case !c.addr.IsValid() || v.says == c.addr:
			no.add(v)
		}
	}
	if y, n := yes.sum(), no.sum(); y < quorum || y <= n || c.addr.IsValid() && y < 2*n {
		return false
	}
	c.addr, c.since = says, now
	return true
}

// points is what votes weigh. Callers alone can make a quorum, and no more than that.
type points struct{ asked, callers int }

func (p *points) add(v vote) {
	if v.src == Caller {
		p.callers++
	} else {
		p.asked += 2
	}
}

func (p points) sum() int { return p.asked + min(p.callers, quorum) }

// network is what one party is taken to have: to have votes in many of these takes money.
func network(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, _ := a.WithZone("").Prefix(bits) // never fails: the length fits
	return p
}

// worldwide reports whether an address means one host wherever it is named.
func worldwide(a netip.Addr) bool {
	switch {
	case !a.IsValid() || !a.IsGlobalUnicast() || ipscope.Private(a):
		return false
	case a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240): // this network; reserved
		return false
	}
	return true
}
