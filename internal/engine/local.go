package engine

import (
	"net/netip"

	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/net/lsdnode"
	"shoal/internal/net/netio"
)

// openLocal starts local service discovery (BEP 14) in the address families that we
// listen on.
func (e *Engine) openLocal() {
	if !e.cfg.LSD {
		return
	}
	m, ok := e.cfg.Network.(netio.Multicaster)
	if !ok {
		return
	}
	cfg := lsdnode.Config{Network: m, Found: e.foundNearby, Trace: e.traceFunc(), Clock: e.now, Logger: e.log}
	for _, d := range e.listeners {
		port := &cfg.Port
		if d.Addr().Addr().Is6() {
			port = &cfg.Port6
		}
		if *port == 0 {
			*port = d.Addr().Port()
		}
	}
	e.local = lsdnode.New(cfg)
}

func (e *Engine) closeLocal() error {
	if e.local == nil {
		return nil
	}
	return e.local.Close()
}

// foundNearby is called for each peer found on the local network. It must not wait: a hint
// that finds the loop busy is lost, and the peer announces again in five minutes.
func (e *Engine) foundNearby(infoHash [20]byte, peer netip.AddrPort) {
	if t := e.lookup(infoHash); t != nil && t.accepts() && !t.private.Load() {
		t.hint(event{action: &found{src: peerbook.LSD, addrs: []netip.AddrPort{peer}}})
	}
}

// updateLSD starts or stops announcing the torrent on the local network: it is announced
// while it accepts connections, unless it is private (BEP 27). Only the loop calls it.
func (t *Torrent) updateLSD() {
	if t.e.local == nil {
		return
	}
	nearby := t.swarm != nil && t.links.accepting.Load() && !t.private.Load()
	if !t.sent.nearbyIs(nearby) {
		return
	}
	if nearby {
		t.e.local.Add(t.infoHash)
	} else {
		t.e.local.Remove(t.infoHash)
	}
}
