package roster

import (
	"net/netip"
	"time"

	"shoal/internal/value/mono"
)

// Bounds of how often one address asks.
const (
	// LimitEvery is the time in which questions are counted, and MaxAsked how many an
	// address has then: ten thousand torrents are told of in less than two minutes.
	LimitEvery = 10 * time.Second
	MaxAsked   = 1000
	// maxAskers bounds the addresses that are counted at a time; more than that are
	// let through, since each has proven to be where it says.
	maxAskers = 50_000
)

// Limit counts the questions of each address. The zero Limit is ready.
type Limit struct {
	until mono.Time
	asked map[netip.Addr]int
}

// Allow counts a question, and reports whether it is to be answered.
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
