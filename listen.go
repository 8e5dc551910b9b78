package shoal

import (
	"errors"
	"net/netip"
	"syscall"

	"shoal/internal/engine"
	"shoal/internal/net/netio"
)

// This file turns Config into addresses to listen on. The engine opens them
// (internal/engine/listeners.go).

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
		e, err := netio.OfFamilies(func(all []netip.Addr) (*engine.Engine, error) {
			addrs := netio.WithPort(all, port)
			ec.Listen, ec.ListenAlso = addrs[0], addrs[1:]
			return engine.New(ec)
		})
		if port == 0 || !errors.Is(err, syscall.EADDRINUSE) {
			return e, err
		}
	}
	return nil, nil // not reached
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
