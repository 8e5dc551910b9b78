package engine

import (
	"fmt"
	"net/netip"

	"shoal/internal/decide/extip"
	"shoal/internal/format/wire"
	"shoal/internal/net/dhtnode"
	"shoal/internal/net/netio"
)

// maxListeners bounds the addresses that we listen on: a machine has a few.
const maxListeners = 16

// listen listens for TCP on every address, and with a DHT for UDP on the first address of
// each family (BEP 32: a node has one address in each).
func (e *Engine) listen() error {
	addrs := append([]netip.AddrPort{e.cfg.Listen}, e.cfg.ListenAlso...)
	if len(addrs) > maxListeners {
		return fmt.Errorf("listen on %d addresses: the maximum is %d", len(addrs), maxListeners)
	}
	doors, err := netio.ListenAll(e.cfg.Network, addrs, func(i int) bool {
		return e.cfg.DHT != nil && firstOfFamily(addrs, i)
	})
	if err != nil {
		return err
	}
	e.listeners = doors
	if e.cfg.DHT != nil {
		if err := e.openNode(); err != nil {
			for _, d := range doors {
				d.Close()
			}
			return err
		}
	}
	e.openLocal()
	return nil
}

func firstOfFamily(addrs []netip.AddrPort, i int) bool {
	for _, a := range addrs[:i] {
		if a.Addr().Unmap().Is4() == addrs[i].Addr().Unmap().Is4() {
			return false
		}
	}
	return true
}

// openNode starts the DHT node.
func (e *Engine) openNode() (err error) {
	cfg := dhtnode.Config{
		Network: e.cfg.Network, Bootstrap: e.cfg.DHT.Nodes, Fallback: e.cfg.DHT.PublicNodes,
		StateFile: e.cfg.DHT.StateFile, ReadOnly: e.cfg.DHT.ReadOnly,
		Version:   wire.Code + string(nodeVersion(e.cfg.Version)),
		Announced: e.announcedTo,
		SeenAs:    func(by, says netip.Addr) { e.seenAs(extip.DHT, by, says) },
		External:  e.outsideOf,
		Trace:     e.traceFunc(), Clock: e.now, Logger: e.log,
	}
	for _, d := range e.listeners {
		switch {
		case d.Packets == nil:
		case cfg.Conn == nil:
			cfg.Conn = d.Packets
		default:
			cfg.Beside = d.Packets
		}
	}
	if e.node, err = dhtnode.New(cfg); err != nil {
		return fmt.Errorf("start the DHT node: %w", err)
	}
	return nil
}

// Addr returns the first address that we listen on, with its real port.
func (e *Engine) Addr() netip.AddrPort { return e.listeners[0].Addr() }

// Addrs returns all addresses that we listen on, with their real ports.
func (e *Engine) Addrs() (addrs []netip.AddrPort) {
	for _, d := range e.listeners {
		addrs = append(addrs, d.Addr())
	}
	return addrs
}

// families returns our first listening address in each family.
func (e *Engine) families() (first []netip.Addr) {
	addrs := e.Addrs()
	for i, a := range addrs {
		if firstOfFamily(addrs, i) {
			first = append(first, a.Addr())
		}
	}
	return first
}

// ownPort returns the port at which peers of a family reach us: the port of our first address
// in it; 0 when we do not listen in that family.
func (e *Engine) ownPort(v6 bool) uint16 {
	for _, d := range e.listeners {
		if a := d.Addr(); a.Addr().Is6() == v6 {
			return a.Port()
		}
	}
	return 0
}

// port returns ownPort, or the first port when we do not listen in the family: trackers and
// the DHT require one.
func (e *Engine) port(v6 bool) uint16 {
	if p := e.ownPort(v6); p != 0 {
		return p
	}
	return e.Addr().Port()
}

// dhtPort returns the port of our DHT node in a family; 0 when it is not in that DHT.
func (e *Engine) dhtPort(v6 bool) uint16 {
	for _, d := range e.listeners {
		if d.Packets != nil && d.Addr().Addr().Is6() == v6 {
			return d.Addr().Port()
		}
	}
	return 0
}
