package dht

import "net/netip"

// reach orders addresses by how far they reach.
type reach uint8

const (
	nowhere reach = iota // not an address of one host
	host                 // loopback
	site                 // private networks, link-local
	world
)

func reachOf(a netip.Addr) reach {
	switch {
	case !a.IsValid() || a.IsUnspecified() || a.IsMulticast():
		return nowhere
	case a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240): // this network; reserved, broadcast
		return nowhere
	case a.IsLoopback():
		return host
	case a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "": // the link is unknown
		return nowhere
	case a.IsPrivate() || a.IsLinkLocalUnicast():
		return site
	}
	return world
}

// reachable reports whether an address can be one of a node of this family.
func (m *Machine) reachable(p netip.AddrPort) bool {
	return p.Port() != 0 && p.Addr().Is6() == m.cfg.IPv6 && reachOf(p.Addr()) != nowhere
}

// credible reports whether an address that another node told us is worth trying: it must
// reach at least as far as the teller's own. A node on the internet that names loopback or
// private addresses is wrong, or makes us attack a third party.
func (m *Machine) credible(told, by netip.AddrPort) bool {
	return m.reachable(told) && reachOf(told.Addr()) >= reachOf(by.Addr()) && !m.own(told)
}

// own reports whether an address is ours.
func (m *Machine) own(p netip.AddrPort) bool {
	return p == m.cfg.Local || p == m.seenAs.addr && p.IsValid()
}

// crowded reports whether two addresses count as one host, of which one node is enough: an
// IPv6 customer has at least a /64. On loopback every port may be another node, so that a DHT
// fits on one machine.
func crowded(a, b netip.AddrPort) bool {
	switch {
	case a == b:
		return true
	case a.Addr().IsLoopback():
		return false
	case a.Addr().Is6() && reachOf(a.Addr()) == world:
		return within(64, a.Addr(), b.Addr())
	}
	return a.Addr() == b.Addr()
}

// neighbours reports whether two addresses belong to one network, which one party may own: a
// /24 of IPv4, a /48 of IPv6. A bucket takes one node of each network, and so does a lookup;
// otherwise an attacker that rents a network would get all its places. Private networks are
// small and belong to one user, so they do not count (decision 0093).
func neighbours(a, b netip.AddrPort) bool {
	bits := 24
	if a.Addr().Is6() {
		bits = 48
	}
	return reachOf(a.Addr()) == world && within(bits, a.Addr(), b.Addr())
}

// within reports whether two addresses share their first bits.
func within(bits int, a, b netip.Addr) bool {
	p, err := a.WithZone("").Prefix(bits)
	return err == nil && p.Contains(b.WithZone(""))
}

func unmap(p netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// seenAs learns our address from the nodes that answer us (BEP 42's `ip`). One answer is not
// enough: as many as votes nodes, each at another address, must report the same.
type seenAs struct {
	addr netip.AddrPort
	next netip.AddrPort // address that the nodes vote for
	from [votes]netip.Addr
	n    int
}

const votes = 3

func (s *seenAs) vote(by, says netip.AddrPort) {
	switch {
	case !says.IsValid() || says.Port() == 0 || reachOf(says.Addr()) == nowhere || says == s.addr:
		return
	case says != s.next:
		s.next, s.n = says, 0
	}
	for _, a := range s.from[:s.n] {
		if a == by.Addr() && !a.IsLoopback() {
			return
		}
	}
	s.from[s.n] = by.Addr()
	if s.n++; s.n == votes {
		s.addr, s.next, s.n = says, netip.AddrPort{}, 0
	}
}
