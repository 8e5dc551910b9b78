package sim

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"shoal/internal/decide/dht"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
)

// dhtSide is the DHT node of a node.
//
//shoal:part
type dhtSide struct {
	machine *dht.Machine
	due     mono.Time // time at which it is woken
	lookup  dht.LookupID
}

// stopped clears the time of waking.
func (d *dhtSide) stopped() { d.due = mono.Never }

// startDHT creates the DHT node that shares the host's address.
func (n *Node) startDHT() {
	w := n.w
	w.sockets[n.addr] = n
	n.dht.due, n.dht.lookup = mono.Never, 0
	n.dht.machine = dht.New(dht.Config{
		Local: n.addr,
		Trace: func(r trace.Record) { w.record(n, r) },
	}, w.now, rand.New(rand.NewPCG(w.Seed, streamNode+uint64(n.number)<<8+uint64(n.life)+128)))
}

// Bootstrap adds nodes through which to join the DHT.
func (n *Node) Bootstrap(others ...*Node) {
	for _, o := range others {
		n.dht.machine.AddBootstrap(n.w.now, o.addr)
		n.stepDHT()
	}
}

func (n *Node) findPeers() {
	n.dht.lookup = n.dht.machine.Lookup(n.w.now, krpc.ID(n.w.InfoHash), dht.Announce{Enabled: true, Port: n.addr.Port()})
	n.w.after(0, n.stepDHT)
}

func (n *Node) told(addr netip.AddrPort) {
	n.dht.machine.Told(n.w.now, addr)
	n.w.after(0, n.stepDHT)
}

// stepDHT performs the effects of the DHT node.
func (n *Node) stepDHT() {
	if !n.up {
		return
	}
	w := n.w
	for _, e := range n.dht.machine.Effects() {
		switch e.Kind {
		case dht.Send:
			n.datagram(e.To, e.Bytes)
		case dht.Peers:
			addrs := slices.Clone(e.Addrs)
			w.after(0, func() { n.Found(peerbook.DHT, addrs...) })
		case dht.LookupDone:
			if e.Lookup == n.dht.lookup {
				holders := e.Result.Announced
				w.after(0, func() { n.input(func(now mono.Time) { n.swarm.Searched(now, holders) }) })
			}
		}
	}
	at := n.dht.machine.Deadline()
	if at != n.dht.due && at != mono.Never {
		life := n.life
		w.at(at, func() {
			if n.up && n.life == life && n.dht.due == at {
				n.dht.due = unarmed
				n.dht.machine.Tick(w.now)
				n.stepDHT()
			}
		})
	}
	n.dht.due = at
}

// datagram sends a packet, which can get lost and never arrives twice.
func (n *Node) datagram(to netip.AddrPort, b []byte) {
	w := n.w
	lost := w.loss > 0 && w.net.Float64() < w.loss
	o := w.sockets[to]
	if lost || o == nil || w.parted(n, o) {
		return
	}
	b = slices.Clone(b)
	w.after(w.trip(n, o), func() {
		if o.up && w.sockets[to] == o {
			o.dht.machine.Packet(w.now, n.addr, b)
			o.stepDHT()
		}
	})
}
