package shoal

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"shoal/internal/engine"
	"shoal/internal/net/netio"
)

// This file turns Config into addresses to listen on. The engine opens them
// (internal/engine/listeners.go).

// both are all addresses of the families that a machine may have.
var both = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}

// families are those that are tried where nothing was chosen: both, or the one that the
// machine has.
var families = [][]netip.Addr{both, both[:1], both[1:]}

// listenByDefault makes an engine that listens on all addresses: at its own port, so that a
// router's rule for it works, or at another when that one is taken.
func listenByDefault(ec engine.Config, own uint16) (*engine.Engine, error) {
	for _, port := range []uint16{own, 0} {
		if port == 0 && ec.DHT != nil {
			// The engine that has the port also has the node's tables.
			own := *ec.DHT
			own.StateFile = ""
			ec.DHT = &own
		}
		e, err := ofFamilies(func(all []netip.Addr) (*engine.Engine, error) {
			addrs := withPort(all, port)
			ec.Listen, ec.ListenAlso = addrs[0], addrs[1:]
			return engine.New(ec)
		})
		if port == 0 || !errors.Is(err, syscall.EADDRINUSE) {
			return e, err
		}
	}
	return nil, nil // not reached
}

// ofFamilies opens something on both families, or on the one that the machine has. The
// error is that of both.
func ofFamilies[T any](open func([]netip.Addr) (T, error)) (T, error) {
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

func withPort(all []netip.Addr, port uint16) (addrs []netip.AddrPort) {
	for _, a := range all {
		addrs = append(addrs, netip.AddrPortFrom(a, port))
	}
	return addrs
}

// listen returns the addresses chosen; none if all are to be tried.
func (c Config) listen() []netip.AddrPort {
	if !c.Listen.IsValid() {
		return nil
	}
	return append([]netip.AddrPort{c.Listen}, c.ListenAlso...)
}

// network returns the network of an engine: bound to the addresses that were chosen, and to
// the loopback alone if all of them are there.
func (c Config) network() netio.Network { return netio.New(netio.PolicyFor(c.listen())) }
