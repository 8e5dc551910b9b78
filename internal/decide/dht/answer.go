package dht

import (
	"net/netip"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// asked takes a query, which is in m.in; err says what is wrong with it. The reply is at most
// one datagram, to the sender of the query. There is none when this sender, or all senders
// together, exceed their rate.
func (m *Machine) asked(now mono.Time, from netip.AddrPort, err error) {
	bad, owed := err.(*krpc.QueryError)
	if err != nil && !owed || m.cfg.ReadOnly || m.in.ID == m.id && !owed {
		m.stats.Dropped++ // not a query; or our own, echoed
		return
	}
	m.stats.Queries++
	if !m.admit(now, from) {
		m.stats.Limited++
		m.traceQuery(now, from, "not answered: it asks too often")
		return
	}
	m.traceQuery(now, from, "")
	if owed {
		m.refuse(now, from, bad.Code, bad.Text)
		return
	}
	m.answer(now, from)
	m.met(now, from)
}

// met notes the sender of a query. A node of the table has shown a sign of life. We ping an
// unknown one, and it enters the table when it answers (BEP 5 adds senders of queries without
// a ping, which fills tables with nodes that cannot answer or do not exist).
func (m *Machine) met(now mono.Time, from netip.AddrPort) {
	if n := m.table.find(from); n != nil && n.id == m.in.ID {
		n.asked = now
		if n.status(now) == good {
			return
		}
	}
	if !m.in.ReadOnly { // BEP 43
		m.propose(now, check{addr: from, id: m.in.ID, known: true, why: why.Newcomer})
	}
}

// answer answers the query in m.in.
func (m *Machine) answer(now mono.Time, from netip.AddrPort) {
	out := &m.out
	switch m.in.Method {
	case krpc.FindNode, krpc.Other:
		m.giveNodes(now, from)
	case krpc.GetPeers:
		m.giveNodes(now, from)
		most := maxValues4
		if m.cfg.IPv6 {
			most = maxValues6
		}
		if out.Lists == krpc.IPv4|krpc.IPv6 {
			most /= 2 // two lists of nodes leave less room
		}
		out.Values = m.store.sample(out.Values, now, m.in.Target, most, m.rng, func(p netip.AddrPort) bool {
			// What we hand out to the internet must be reachable there.
			return p != from && reachOf(p.Addr()) >= reachOf(from.Addr())
		})
		if m.store.takes(m.in.Target) {
			m.token = m.tokens.give(now, from.Addr(), m.in.Target)
			out.Token = m.token[:]
		}
	case krpc.AnnouncePeer:
		if !m.tokens.check(now, from.Addr(), m.in.Target, m.in.Token) {
			m.refuse(now, from, krpc.ProtocolError, "bad token")
			return
		}
		peer := netip.AddrPortFrom(from.Addr(), m.in.Port)
		if m.in.ImpliedPort {
			peer = from
		}
		if !m.store.announce(now, m.in.Target, peer) {
			m.refuse(now, from, krpc.ServerError, "no room")
			return
		}
		m.effects = append(m.effects, Effect{Kind: Announced, Hash: m.in.Target, Addrs: m.keepAddrs([]netip.AddrPort{peer})})
	}
	out.Kind, out.ID, out.IP = krpc.Reply, m.id, from
	m.reply(now, from)
}

// giveNodes puts the closest nodes into the reply, of the families that the query wants (BEP
// 32) and that we know. It omits the node that asks.
func (m *Machine) giveNodes(now mono.Time, from netip.AddrPort) {
	own, all := m.families()
	m.out.Lists = own
	if m.in.Want != 0 {
		m.out.Lists = m.in.Want & all
	}
	if m.out.Lists&own != 0 {
		m.closest(now, from, &m.table)
	}
	if m.out.Lists&^own != 0 {
		m.closest(now, from, &m.beside.table)
	}
}

// closest adds the K closest nodes of a table to the reply: good ones first, then
// questionable ones (BEP 5).
func (m *Machine) closest(now mono.Time, from netip.AddrPort, t *table) {
	left := K
	for s := good; s <= questionable && left > 0; s++ {
		m.near = t.nearest(m.near, m.in.Target, left, func(n *node) bool {
			return n.addr != from && n.status(now) == s && reachOf(n.addr.Addr()) >= reachOf(from.Addr())
		})
		for _, n := range m.near {
			m.out.Nodes = append(m.out.Nodes, krpc.Node{ID: n.id, Addr: n.addr})
		}
		left -= len(m.near)
	}
}

// refuse answers with an error.
func (m *Machine) refuse(now mono.Time, from netip.AddrPort, code int, text string) {
	m.blank()
	m.out.Kind, m.out.Code, m.out.Text = krpc.Error, code, []byte(text)
	m.reply(now, from)
}

// reply sends m.out, if the rate of all replies together allows it.
func (m *Machine) reply(now mono.Time, to netip.AddrPort) {
	m.out.Transaction, m.out.Version = m.in.Transaction, m.version
	start := len(m.bytes)
	if size := m.send(to, why.TheyAsked); !m.afford(now, to, size) {
		m.effects = m.effects[:len(m.effects)-1]
		m.bytes = m.bytes[:start]
		m.stats.Limited++
		m.did(now, "not answered", to, why.None, "all replies together reached their limit")
	} else {
		m.stats.Answers++
		m.traceAnswer(now, to)
	}
	m.blank()
}

func (m *Machine) traceQuery(now mono.Time, from netip.AddrPort, text string) {
	if m.cfg.Trace == nil {
		return
	}
	what := m.in.Method.String()
	if m.in.Method == krpc.Other {
		what = "unknown query"
	}
	m.said(now, trace.Received, from, what, m.in.Target, 0, why.None, text)
}

func (m *Machine) traceAnswer(now mono.Time, to netip.AddrPort) {
	if m.cfg.Trace == nil {
		return
	}
	if m.out.Kind == krpc.Error {
		m.said(now, trace.Sent, to, "error", m.in.Target, 0, why.TheyAsked, errorText(m.out.Code, m.out.Text))
		return
	}
	text, n := contents(&m.out)
	what := m.in.Method.String() + " reply"
	if m.in.Method == krpc.Other {
		what = "find_node reply"
	}
	m.said(now, trace.Sent, to, what, m.in.Target, n, why.TheyAsked, text)
}
