package netio

import (
	"net"
	"net/netip"
	"slices"
)

// maxReachable bounds the addresses of one machine that Reachable returns: with containers there
// are many.
const maxReachable = 16

// Reachable returns the addresses at which others reach a listener at addr: addr itself, or, if
// that is unspecified, the addresses of this machine in its family, the loopback last. It omits
// link-local addresses.
func Reachable(addr netip.AddrPort) []netip.AddrPort {
	addr = unmap(addr)
	if !addr.Addr().IsUnspecified() {
		return []netip.AddrPort{addr}
	}
	var all []netip.AddrPort
	if found, err := net.InterfaceAddrs(); err == nil {
		for _, a := range found {
			p, err := netip.ParsePrefix(a.String())
			if err != nil || p.Addr().Is4() != addr.Addr().Is4() || p.Addr().IsLinkLocalUnicast() || p.Addr().IsLoopback() {
				continue
			}
			if at := netip.AddrPortFrom(p.Addr().WithZone(""), addr.Port()); len(all) < maxReachable && !slices.Contains(all, at) {
				all = append(all, at)
			}
		}
	}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if addr.Addr().Is6() {
		loopback = netip.IPv6Loopback()
	}
	return append(all, netip.AddrPortFrom(loopback, addr.Port()))
}
