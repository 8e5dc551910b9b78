package dht

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/plural"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// purpose is what becomes of an answer.
type purpose uint8

const (
	forLookup purpose = iota
	forAnnounce
	forCheck
	forCaller
)

// query is a query of ours without an answer. An answer counts only from the address that we
// asked, with our transaction id.
type query struct {
	tid     [transactionSize]byte
	to      netip.AddrPort
	method  krpc.Method
	target  krpc.ID
	id      krpc.ID // id that we expect there
	known   bool    // id is set
	sent    mono.Time
	slow    bool // without an answer for slowAfter
	purpose purpose
	lookup  *lookup // for forLookup and forAnnounce
	call    QueryID // for forCaller
}

// ask sends a query. m.out holds what its method needs beyond q: port and token.
func (m *Machine) ask(now mono.Time, q query, w why.Why) {
	for {
		binary.BigEndian.PutUint32(q.tid[:], m.rng.Uint32())
		if !slices.ContainsFunc(m.pending, func(o query) bool { return o.tid == q.tid }) {
			break
		}
	}
	q.sent = now
	m.pending = append(m.pending, q)
	out := &m.out
	out.Kind, out.Method, out.ID, out.Target = krpc.Query, q.method, m.id, q.target
	if q.method == krpc.FindNode || q.method == krpc.GetPeers {
		out.Want = m.want(now)
	}
	out.Transaction, out.Version, out.ReadOnly = m.pending[len(m.pending)-1].tid[:], m.version, m.cfg.ReadOnly
	m.send(q.to, w)
	m.stats.Asked++
	if m.cfg.Trace != nil {
		m.said(now, trace.Sent, q.to, q.method.String(), q.target, 0, w, "")
	}
	m.blank()
}

// blank empties m.out and keeps its buffers.
func (m *Machine) blank() {
	m.out = krpc.Message{Nodes: m.out.Nodes[:0], Values: m.out.Values[:0]}
}

// replied takes a reply or an error, which is in m.in.
func (m *Machine) replied(now mono.Time, from netip.AddrPort) {
	i := slices.IndexFunc(m.pending, func(q query) bool {
		return q.to == from && string(q.tid[:]) == string(m.in.Transaction)
	})
	if i < 0 {
		m.stats.Dropped++ // too late, or a guess of a stranger: we do not answer it
		return
	}
	q := m.pending[i]
	m.pending = slices.Delete(m.pending, i, i+1)
	m.traceReply(now, from, &q)
	m.stats.Replies++

	if m.in.Kind == krpc.Error {
		m.finish(now, &q, Refused)
		return
	}
	m.seenAs.vote(from, m.in.IP)
	if m.in.IP.IsValid() {
		m.effects = append(m.effects, Effect{Kind: SeenAs, To: from, Addrs: m.keepAddrs([]netip.AddrPort{m.in.IP})})
	}
	switch {
	case m.in.ID == m.id:
		// It echoes: it is ourselves, or something that claims every id.
		m.did(now, "not a node", from, why.SelfConnect, "it answers with our own id")
		m.drop(now, q.to)
		m.finish(now, &q, Silence)
	case q.known && m.in.ID != q.id:
		// Another node is there than we expected. We ping it without expecting an id.
		m.did(now, "not that node", from, why.Protocol, "it answers with another id")
		m.drop(now, q.to)
		m.finish(now, &q, Silence)
		m.propose(now, check{addr: q.to, why: why.QuestionableNode})
	default:
		m.answered(now, m.in.ID, from)
		m.finish(now, &q, Answered)
	}
}

// finish passes the end of a query to its owner.
func (m *Machine) finish(now mono.Time, q *query, o Outcome) {
	switch q.purpose {
	case forLookup:
		m.queryEnded(now, q, o)
	case forAnnounce:
		q.lookup.stored(o)
	case forCheck:
		if !q.slow {
			m.pinging--
		}
		if n := m.table.find(q.to); n != nil {
			n.checking = false
		}
	case forCaller:
		m.called(now, q, o)
	}
}

// queryDeadline returns when the next query becomes slow or lost.
func (m *Machine) queryDeadline() mono.Time {
	if len(m.pending) == 0 {
		return mono.Never
	}
	at := m.pending[0].sent.Add(lostAfter)
	for i := range m.pending {
		if !m.pending[i].slow {
			return min(at, m.pending[i].sent.Add(slowAfter)) // pending is in order
		}
	}
	return at
}

// expire ends the queries that took too long.
func (m *Machine) expire(now mono.Time) {
	for len(m.pending) > 0 && now.Sub(m.pending[0].sent) >= lostAfter {
		q := m.pending[0]
		m.pending = slices.Delete(m.pending, 0, 1)
		m.stats.Timeout++
		m.did(now, "no answer", q.to, why.Silent, "to "+q.method.String())
		n := m.table.find(q.to)
		m.finish(now, &q, Silence)
		if n != nil && (!q.known || n.id == q.id) {
			m.failed(now, n)
		}
	}
	for i := range m.pending {
		q := &m.pending[i]
		if now.Sub(q.sent) < slowAfter {
			break
		}
		if !q.slow {
			q.slow = true
			switch q.purpose {
			case forLookup:
				q.lookup.slowed(q.to)
			case forCheck:
				m.pinging--
			}
		}
	}
}

// answered notes that a node answered: it may enter the table.
func (m *Machine) answered(now mono.Time, id krpc.ID, addr netip.AddrPort) {
	if m.join.router(addr) {
		return // a public bootstrap node serves everybody and does not enter the table
	}
	usable, _ := m.table.count(now)
	c, split, doubt := m.table.answered(now, id, addr)
	if m.cfg.Trace != nil {
		for range split {
			m.did(now, "bucket split", netip.AddrPort{}, why.None, fmt.Sprintf("%d buckets", len(m.table.buckets)))
		}
		switch c {
		case added:
			m.did(now, "node added", addr, why.None, m.place(id))
		case replaced:
			m.did(now, "node added", addr, why.Silent, m.place(id)+", for a bad one")
		case preferred:
			m.did(now, "node added", addr, why.FitsAddress, m.place(id)+", for one whose id does not")
		}
	}
	if doubt != nil {
		m.ping(now, doubt)
	}
	if c.in() {
		for _, l := range m.lookups {
			if l.hopeless() {
				l.add(krpc.Node{ID: id, Addr: addr})
			}
		}
	}
	if c.in() && usable == 0 {
		m.joinNow(now) // BEP 5: upon the first node, find the closest to ourselves
	}
}

// failed notes that a node of the table did not answer.
func (m *Machine) failed(now mono.Time, n *node) {
	if heir := m.table.failed(now, n); heir != nil {
		m.did(now, "node dropped", n.addr, why.Silent, "it failed twice")
		m.did(now, "node added", heir.addr, why.Silent, m.place(heir.id)+", in its place")
	} else if n.failed < badAfter && !n.checking {
		m.ping(now, n) // BEP 5 suggests to try once more
	}
	if usable, _ := m.table.count(now); usable == 0 {
		m.joinSoon(now)
	}
}

// drop removes the node at an address from the table.
func (m *Machine) drop(now mono.Time, addr netip.AddrPort) {
	if n := m.table.find(addr); n != nil {
		m.table.remove(n)
		m.did(now, "node dropped", addr, why.Protocol, "")
	}
}

// place describes where in the table an id belongs, for a trace.
func (m *Machine) place(id krpc.ID) string {
	i := min(m.table.self.Prefix(id), len(m.table.buckets)-1)
	return fmt.Sprintf("bucket %d, %d of %d", i, len(m.table.buckets[i].nodes), K)
}

// Ping pings one node, for a caller that wants to see the answer. QueryDone ends each of
// Ping, FindNode and GetPeers.
func (m *Machine) Ping(now mono.Time, addr netip.AddrPort) QueryID {
	return m.call(now, krpc.Ping, addr, krpc.ID{})
}

// FindNode asks the node at addr for nodes close to target.
func (m *Machine) FindNode(now mono.Time, addr netip.AddrPort, target krpc.ID) QueryID {
	return m.call(now, krpc.FindNode, addr, target)
}

// GetPeers asks the node at addr for peers of an info-hash.
func (m *Machine) GetPeers(now mono.Time, addr netip.AddrPort, hash krpc.ID) QueryID {
	return m.call(now, krpc.GetPeers, addr, hash)
}

func (m *Machine) call(now mono.Time, method krpc.Method, addr netip.AddrPort, target krpc.ID) QueryID {
	m.begin()
	m.last++
	q := query{to: unmap(addr), method: method, target: target, purpose: forCaller, call: QueryID(m.last), sent: now}
	n := 0
	for i := range m.pending {
		if m.pending[i].purpose == forCaller {
			n++
		}
	}
	if n >= maxCalls || !m.reachable(q.to) {
		m.called(now, &q, Busy)
	} else {
		m.ask(now, q, why.UserAsked)
	}
	return q.call
}

// called ends a single query of the caller.
func (m *Machine) called(now mono.Time, q *query, o Outcome) {
	e := Effect{Kind: QueryDone, Query: q.call, To: q.to, Result: Result{Outcome: o, Took: now.Sub(q.sent)}}
	switch o {
	case Answered:
		e.Result.ID = m.in.ID
		e.Nodes, e.Addrs = m.keepNodes(m.in.Nodes), m.keepAddrs(m.in.Values)
		e.Result.Peers = len(e.Addrs)
	case Refused:
		e.Result.Code, e.Result.Text = m.in.Code, string(m.in.Text)
	}
	m.effects = append(m.effects, e)
}

// keepNodes and keepAddrs copy a list into memory that effects may refer to.
func (m *Machine) keepNodes(list []krpc.Node) []krpc.Node {
	start := len(m.nodes)
	m.nodes = append(m.nodes, list...)
	return m.nodes[start:len(m.nodes):len(m.nodes)]
}

func (m *Machine) keepAddrs(list []netip.AddrPort) []netip.AddrPort {
	start := len(m.addrs)
	m.addrs = append(m.addrs, list...)
	return m.addrs[start:len(m.addrs):len(m.addrs)]
}

// said traces a message.
func (m *Machine) said(now mono.Time, way trace.Way, peer netip.AddrPort, what string, target krpc.ID, n int, w why.Why, text string) {
	m.cfg.Trace(trace.Record{
		At: now, Proto: trace.DHT, Way: way, InfoHash: target, Peer: peer, What: what,
		Piece: trace.No, Block: trace.No, N: int64(n), Why: w, Text: text,
	})
}

func (m *Machine) traceReply(now mono.Time, from netip.AddrPort, q *query) {
	if m.cfg.Trace == nil {
		return
	}
	if m.in.Kind == krpc.Error {
		m.said(now, trace.Received, from, "error", q.target, 0, why.None, errorText(m.in.Code, m.in.Text))
		return
	}
	text, n := contents(&m.in)
	m.said(now, trace.Received, from, q.method.String()+" reply", q.target, n, why.None, text)
}

func errorText(code int, text []byte) string {
	return strconv.Itoa(code) + " " + strconv.QuoteToASCII(string(text))
}

// contents describes the contents of a reply, and counts its peers, or its nodes when it
// has none.
func contents(r *krpc.Message) (text string, n int) {
	if len(r.Values) > 0 {
		text, n = count(len(r.Values), "peer"), len(r.Values)
	}
	if r.Lists != 0 {
		if n == 0 {
			n = len(r.Nodes)
		} else {
			text += ", "
		}
		text += count(len(r.Nodes), "node")
	}
	if len(r.Token) > 0 {
		if text != "" {
			text += ", "
		}
		text += "a token"
	}
	return text, n
}

func count(n int, what string) string { return plural.Of(n, what) }
