// Package ipscope says how far an IP address reaches: this machine, a network near it, or the
// internet. These rules decide which addresses we believe when strangers name them, and which
// we contact when strangers lead us there (decision 0176).
package ipscope

import "net/netip"

// carrierNAT lies between a provider and its customers (RFC 6598).
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// near are networks that do not lead to the internet, in addition to those that netip knows:
// this network, carrier-grade NAT, benchmarking, and old site-local.
var near = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	carrierNAT,
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("fec0::/10"),
}

// nat64 holds an IPv4 address in the last four bytes (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Internal reports whether a belongs to this machine or to any network near it. Hosts there
// serve more than what is meant for strangers, and trust everyone who reaches them.
func Internal(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.IsMulticast() {
		return true
	}
	for _, p := range near {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Own reports whether a belongs to this machine or to the user's own network. The network of
// a provider is not the user's.
func Own(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}

// Private reports whether a means another host in each network: private, link-local, or
// behind carrier-grade NAT.
func Private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLinkLocalUnicast() || carrierNAT.Contains(a)
}

// Credible reports whether a host can know of a peer at addr by itself. A host elsewhere can't
// see into our machine or our private network: when it names an address there, it means
// another machine than we would dial. Peers, trackers and DHT nodes name addresses.
func Credible(giver, addr netip.Addr) bool {
	giver, addr = giver.Unmap(), addr.Unmap()
	switch {
	case giver.IsLoopback():
		return true
	case addr.IsLoopback():
		return false
	case Private(addr):
		return Private(giver)
	}
	return true
}
