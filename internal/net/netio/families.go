package netio

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// both are all addresses of the families that a machine may have.
var both = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}

// families are those that are tried where nothing was chosen: both, or the one that the
// machine has.
var families = [][]netip.Addr{both, both[:1], both[1:]}

// OfFamilies opens something on all addresses of both families, or of the one that the machine
// has. It is for callers that were given no address to listen on. The error is that of both.
func OfFamilies[T any](open func([]netip.Addr) (T, error)) (T, error) {
	var first error
	for _, all := range families {
		opened, err := open(all)
		if err == nil {
			return opened, nil
		}
		if first == nil {
			first = err
		}
		if errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, new(*net.OpError)) {
			break // it is not for want of a family
		}
	}
	var none T
	return none, first
}

// WithPort returns the addresses with a port.
func WithPort(all []netip.Addr, port uint16) (addrs []netip.AddrPort) {
	for _, a := range all {
		addrs = append(addrs, netip.AddrPortFrom(a, port))
	}
	return addrs
}
