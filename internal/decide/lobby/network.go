package lobby

import (
	"net/netip"

	"shoal/internal/value/ipscope"
)

// NetworkOf returns the addresses that one household can use: a /24, of IPv6 a /64. In
// private networks and on the loopback each address stands for itself: these belong to the
// user.
func NetworkOf(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	switch {
	case ipscope.Own(a):
		return prefix(a, a.BitLen())
	case a.Is4():
		return prefix(a, 24)
	}
	return prefix(a, 64)
}

// siteOf returns the IPv6 networks that one party can have: a /48, the size that hosters and
// providers assign on request (RFC 6177). It holds 65,536 networks. For IPv4 it returns the
// network.
func siteOf(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	if a.Is4() || ipscope.Own(a) {
		return NetworkOf(a)
	}
	return prefix(a, 48)
}

func prefix(a netip.Addr, bits int) netip.Prefix {
	p, _ := a.WithZone("").Prefix(bits) // no error: the address has that many bits
	return p
}

// sitePart and siteLeast are what a /48 may hold before it counts as one party: an eighth of
// all places, and at least two. Below that its networks are households, to each of which a
// provider assigns a /64 or a /56.
const (
	sitePart  = 8
	siteLeast = 2
)

// Weights counts the places of each party. Create it with NewWeights.
type Weights struct {
	free     int // places of a site that do not count
	networks map[netip.Prefix]int
	sites    map[netip.Prefix]int
}

// NewWeights returns weights for this many places in all.
func NewWeights(places int) *Weights {
	return &Weights{max(siteLeast, places/sitePart), make(map[netip.Prefix]int), make(map[netip.Prefix]int)}
}

// Add counts one place of an address.
func (w *Weights) Add(a netip.Addr) { w.add(partyOf(a)) }

// Of returns the weight of the party of an address: the places of its network, or those of
// its site beyond a site's share, whichever is more.
func (w *Weights) Of(a netip.Addr) int { return w.of(partyOf(a)) }

// party is the network and the site of an address.
type party struct{ network, site netip.Prefix }

func partyOf(a netip.Addr) party { return party{NetworkOf(a), siteOf(a)} }

func (w *Weights) add(p party) {
	w.networks[p.network]++
	if p.site != p.network {
		w.sites[p.site]++
	}
}

func (w *Weights) of(p party) int {
	n := w.networks[p.network]
	if p.site != p.network {
		n = max(n, w.sites[p.site]-w.free)
	}
	return n
}

// OneParty reports whether two addresses belong to one network, or to one site that holds
// more than its share.
func (w *Weights) OneParty(a, b netip.Addr) bool {
	p, q := partyOf(a), partyOf(b)
	return p.network == q.network || p.site == q.site && w.sites[p.site] > w.free
}
