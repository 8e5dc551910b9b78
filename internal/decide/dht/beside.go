package dht

import (
	"net/netip"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// IPv4 and IPv6 have a DHT each (BEP 32). An engine in both has a node in each, with its own
// id and table. The two help each other to join: while one knows few nodes, the queries of
// the other ask for nodes of both families; and a query for nodes of both families gets both
// (decision 0094).

// Pair joins the machines of the two families to one node. They must have one owner, which
// performs the effects of both after each input to either.
func Pair(a, b *Machine) { a.beside, b.beside = b, a }

// families returns our own family, and all families of which we know nodes.
func (m *Machine) families() (own, all krpc.Families) {
	own = krpc.IPv4
	if m.cfg.IPv6 {
		own = krpc.IPv6
	}
	if m.beside != nil {
		return own, krpc.IPv4 | krpc.IPv6
	}
	return own, own
}

// want returns the families of nodes that a query asks for: none, which means our own (BEP
// 32), or both while the other side needs some.
func (m *Machine) want(now mono.Time) krpc.Families {
	if m.beside == nil {
		return 0
	}
	if usable, _ := m.beside.table.count(now); usable >= K {
		return 0
	}
	return krpc.IPv4 | krpc.IPv6
}

// credibleBeside is credible for the other family: some nodes mix peers of both in their
// replies, and an engine in both DHTs can use them.
func (m *Machine) credibleBeside(told, by netip.AddrPort) bool {
	return m.beside != nil && m.beside.credible(told, by)
}

// pass hands nodes of the other family, named in a reply, to the other side.
func (m *Machine) pass(now mono.Time, nodes []krpc.Node, by netip.AddrPort) {
	o := m.beside
	if o == nil {
		return
	}
	o.begin()
	for _, n := range nodes {
		if n.Addr.Addr().Is6() == o.cfg.IPv6 && n.ID != o.id && o.credible(n.Addr, by) {
			o.propose(now, check{addr: n.Addr, id: n.ID, known: true, why: why.Bootstrap})
		}
	}
	o.run(now)
}
