package dht

import (
	"net/netip"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// IPv4 and IPv6 have a DHT each (BEP 32). An engine that is in both has a node in each, with
// an id and a table of its own. The two help each other in: while one knows few nodes, the
// other asks whom it asks for nodes of both families; and who asks one of ours for nodes of
// both gets them.

// Pair makes two machines of the two families sides of one node. They must have one owner,
// who performs the effects of both after each input to either.
func Pair(a, b *Machine) { a.beside, b.beside = b, a }

// families gives our own family, and all of which we know nodes.
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

// want says which nodes a query asks for: nothing, which means those of our family (BEP
// 32), or both while the other side is in need of some.
func (m *Machine) want(now mono.Time) krpc.Families {
	if m.beside == nil {
		return 0
	}
	if usable, _ := m.beside.table.count(now); usable >= K {
		return 0
	}
	return krpc.IPv4 | krpc.IPv6
}

// credibleBeside is credible for the other family: some mix peers of both in their answers,
// and an engine that is in both DHTs can use them.
func (m *Machine) credibleBeside(told, by netip.AddrPort) bool {
	return m.beside != nil && m.beside.credible(told, by)
}

// pass gives the nodes of the other family that somebody told us to the other side.
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
