package netio

import (
	"net"
	"net/netip"
	"slices"
)

// maxReachable bounds the addresses of one machine that are told: with containers there
// are many.
const maxReachable = 16

// Reachable returns the addresses at which others reach what listens at addr: itself, or,
// where it is unspecified, those of this machine that are of its family: those of networks
// first, the loopback last. Addresses that hold on one link alone are left out.
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
