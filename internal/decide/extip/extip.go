// Package extip decides at which address the world sees us, one for IPv4 and one for IPv6,
// from what others report: DHT nodes in `ip` (BEP 42), peers in `yourip` (BEP 10), trackers
// in `external ip` (BEP 24). No single report counts, because anybody can report anything. It
// is a vote of networks rather than of addresses, and sources that we chose to ask count
// twice as much as peers that came to us.
//
// The engine owns a Tally; it is not safe for concurrent use. It is bounded, reads no clock,
// and returns the same answer to the same votes (decision 0092).
package extip

import (
	"net/netip"
	"slices"
	"time"

	"shoal/internal/value/ipscope"
	"shoal/internal/value/mono"
)

// Source is how a report came to us.
type Source uint8

// Values of Source.
const (
	DHT     Source = iota // a node that answered a query of ours
	Tracker               // a tracker that we announced to
	Dialled               // a peer that we dialled
	Caller                // a peer that dialled us: it chose us
	sources
)

var sourceNames = [sources]string{"dht", "tracker", "dialled", "caller"}

// String returns the source's name as golden scripts print it.
func (s Source) String() string { return sourceNames[s] }

const (
	// quorum is how many points an address needs: three networks that we chose to ask, or six
	// that came to us. An attacker with one or two networks can't decide our address.
	quorum = 6
	// perSource is how many votes of one source we keep, so that many callers push out only
	// callers.
	perSource = 32
	// window is how long a vote counts at all. The DHT reports every 15 minutes, most
	// trackers every 30.
	window = time.Hour
	// recent is how long a vote counts for or against a change of address. When a line gets a
	// new address, every later report is about that one.
	recent = 10 * time.Minute
	// settled is how long an address stays before another can replace it: a node that changes
	// its id is a stranger to the DHT, so an attacker must not make us do it often.
	settled = 10 * time.Minute
)

// Tally counts votes. The zero value is ready to use.
type Tally struct {
	four, six count
}

// count is the state of one family.
type count struct {
	addr  netip.Addr // our address; invalid until decided
	since mono.Time
	votes []vote // oldest first; one for each network
}

type vote struct {
	by   netip.Prefix // network of the voter
	src  Source
	says netip.Addr
	at   mono.Time
}

// Vote takes a report of our address, and reports whether it changed our address. It ignores
// reports about the other family, and reports from or about addresses that are not on the
// internet: our own network sees another address of us.
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
		return false // a vote for the current address changes nothing
	}
	return c.decide(now, says)
}

// Addr returns our address in a family as the world sees it; invalid while unknown.
func (t *Tally) Addr(v6 bool) netip.Addr {
	if v6 {
		return t.six.addr
	}
	return t.four.addr
}

// put stores a vote in place of the earlier one of its network, and of the oldest of its
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

// decide reports whether an address is ours from now on. The first address needs a quorum and
// more than half of all points. One that is to replace another needs a quorum and twice the
// recent points of that one, and must wait until that one is settled.
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

// points is the weight of votes. Callers alone can make a quorum, and no more than that.
type points struct{ asked, callers int }

func (p *points) add(v vote) {
	if v.src == Caller {
		p.callers++
	} else {
		p.asked += 2
	}
}

func (p points) sum() int { return p.asked + min(p.callers, quorum) }

// network is what one party is assumed to own: votes from many of these cost money.
func network(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, _ := a.WithZone("").Prefix(bits) // never fails: the length fits
	return p
}

// worldwide reports whether an address means the same host everywhere.
func worldwide(a netip.Addr) bool {
	switch {
	case !a.IsValid() || !a.IsGlobalUnicast() || ipscope.Private(a):
		return false
	case a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240): // this network; reserved
		return false
	}
	return true
}
