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
	case a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "": // nobody knows which link
		return nowhere
	case a.IsPrivate() || a.IsLinkLocalUnicast():
		return site
	}
	return world
}

// reachable reports whether a node of this family could be at an address.
func (m *Machine) reachable(p netip.AddrPort) bool {
	return p.Port() != 0 && p.Addr().Is6() == m.cfg.IPv6 && reachOf(p.Addr()) != nowhere
}

// credible reports whether an address is worth trying when another told it to us: it must
// reach as far as the teller's own. A node out in the world that names loopback or private
// addresses is wrong, or has us knock at somebody's door.
func (m *Machine) credible(told, by netip.AddrPort) bool {
	return m.reachable(told) && reachOf(told.Addr()) >= reachOf(by.Addr()) && !m.own(told)
}

// own reports whether an address is ours.
func (m *Machine) own(p netip.AddrPort) bool {
	return p == m.cfg.Local || p == m.seenAs.addr && p.IsValid()
}

// crowded reports whether two addresses count as one host, of which one node is enough: of
// IPv6 a customer has a /64 at least. On loopback every port may be another node, so that a
// DHT fits on one machine.
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

// neighbours reports whether two addresses are of one network, which one party may have to
// itself: a /24 of IPv4, a /48 of IPv6. A bucket takes one node of each, and so does a
// lookup, or whoever rents a network has all places in it. Private networks are small, and
// their owners are at home.
func neighbours(a, b netip.AddrPort) bool {
	bits := 24
	if a.Addr().Is6() {
		bits = 48
	}
	return reachOf(a.Addr()) == world && within(bits, a.Addr(), b.Addr())
}

// within reports whether two addresses have their first bits in common.
func within(bits int, a, b netip.Addr) bool {
	p, err := a.WithZone("").Prefix(bits)
	return err == nil && p.Contains(b.WithZone(""))
}

func unmap(p netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// seenAs learns our address from those who answer us (BEP 42's `ip`). One is not believed:
// it takes as many as votes, each at another address, that say the same.
type seenAs struct {
	addr netip.AddrPort
	next netip.AddrPort // what is being voted for
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
