package dht

import (
	"net/netip"
	"time"

	"shoal/internal/value/mono"
)

// gate lets a steady rate pass, and a burst that was saved up. It is the time until which
// everything that passed is paid for: the further after now, the more is owed.
type gate mono.Time

// pass lets through something that costs cost at the steady rate, unless more than save would
// be owed.
func (g *gate) pass(now mono.Time, cost, save time.Duration) bool {
	paid := max(mono.Time(*g), now)
	if paid.Sub(now)+cost > save {
		return false
	}
	*g = gate(paid.Add(cost))
	return true
}

// admit reports whether we may answer a query from an address at all. A salted hash spreads
// addresses over a fixed number of gates, so that a flood from made-up addresses takes no
// memory; two addresses that share a gate merely get less.
func (m *Machine) admit(now mono.Time, from netip.AddrPort) bool {
	a := from.Addr()
	if a.IsLoopback() {
		return true
	}
	b := a.As16()
	host := b[:]
	if a.Is6() {
		host = b[:8] // network of one customer
	}
	h := m.salt ^ 14695981039346656037
	for _, c := range host {
		h = (h ^ uint64(c)) * 1099511628211 // FNV-1a
	}
	h ^= h >> 32
	return m.sources[h%sourceGates].pass(now, sourceEvery, sourceBurst*sourceEvery)
}

// afford reports whether a reply of this many bytes fits the rate of all replies together.
func (m *Machine) afford(now mono.Time, to netip.AddrPort, bytes int) bool {
	cost := time.Duration(bytes) * time.Second / time.Duration(m.cfg.ReplyRate)
	return to.Addr().IsLoopback() || m.total.pass(now, cost, totalBurst)
}
