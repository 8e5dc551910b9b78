package dht

import (
	"net/netip"
	"slices"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// check is an address that may be a node. Only its answer to our ping proves that a node is
// there; with that it may enter the table.
type check struct {
	addr  netip.AddrPort
	id    krpc.ID // id that another node named; unset: unknown
	known bool    // id is set
	why   why.Why
}

// Told names the node of a peer, from its PORT message (BEP 5); we ping it.
func (m *Machine) Told(now mono.Time, addr netip.AddrPort) {
	m.begin()
	if addr = unmap(addr); m.reachable(addr) && !m.own(addr) {
		m.propose(now, check{addr: addr, why: why.ToldByPeer})
	}
	m.run(now)
}

// propose queues an address for a ping. It drops the address when the queue is full, when the
// same host is in it already, or when the table would not take the node.
func (m *Machine) propose(now mono.Time, c check) {
	if len(m.checks) >= maxChecks || m.needless(now, c) ||
		slices.ContainsFunc(m.checks, func(o check) bool { return crowded(o.addr, c.addr) }) ||
		slices.ContainsFunc(m.pending, func(q query) bool { return q.purpose == forCheck && crowded(q.to, c.addr) }) {
		return
	}
	m.checks = append(m.checks, c)
}

// needless reports whether a ping could change nothing.
func (m *Machine) needless(now mono.Time, c check) bool {
	if c.known {
		return !m.table.wants(now, c.id, c.addr)
	}
	n := m.table.find(c.addr)
	return n != nil && n.status(now) == good
}

// check pings the next addresses while few enough pings are in flight.
func (m *Machine) check(now mono.Time) {
	n := 0
	for ; n < len(m.checks) && m.pinging < maxPinging; n++ {
		if c := m.checks[n]; !m.needless(now, c) {
			m.pinging++
			m.ask(now, query{to: c.addr, method: krpc.Ping, purpose: forCheck}, c.why)
		}
	}
	m.checks = slices.Delete(m.checks, 0, n)
}

// ping checks whether a node of the table is still there.
func (m *Machine) ping(now mono.Time, n *node) {
	n.checking = true
	m.pinging++
	m.ask(now, query{to: n.addr, id: n.id, known: true, method: krpc.Ping, purpose: forCheck}, why.QuestionableNode)
}
