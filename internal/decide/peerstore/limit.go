package peerstore

import (
	"net/netip"
	"time"

	"shoal/internal/value/mono"
)

// Bounds on how often one address announces.
const (
	// LimitEvery is the time over which queries are counted, and MaxAsked how many an address
	// may send in it: a client announces ten thousand torrents in less than two minutes.
	LimitEvery = 10 * time.Second
	MaxAsked   = 1000
	// maxAskers bounds the addresses counted at a time; further ones may pass, because each
	// has proved its address.
	maxAskers = 50_000
)

// Limit counts the queries of each address. The zero Limit is ready to use.
type Limit struct {
	until mono.Time
	asked map[netip.Addr]int
}

// Allow counts a query, and reports whether to answer it.
func (l *Limit) Allow(now mono.Time, from netip.Addr) bool {
	if now >= l.until {
		l.until = now.Add(LimitEvery)
		l.asked = make(map[netip.Addr]int)
	}
	net := network(from.Unmap())
	n, counted := l.asked[net]
	if !counted && len(l.asked) >= maxAskers {
		return true
	}
	if n >= MaxAsked {
		return false
	}
	l.asked[net] = n + 1
	return true
}
