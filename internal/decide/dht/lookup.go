package dht

import (
	"fmt"
	"net/netip"
	"slices"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Announce is what a lookup does at its end: it tells the closest nodes that we are a peer
// for the target (announce_peer). The zero value announces nothing.
type Announce struct {
	Enabled bool
	Port    uint16 // TCP port of our peer
	Port6   uint16 // port in the IPv6 DHT; 0: Port
	Implied bool   // nodes use the source port of our datagrams instead of Port
}

// lookup searches its way to a target: it always asks the closest node not yet asked, until
// the K closest nodes that answer have answered. Among these, or up to K beyond them, K/2
// must have ids that fit their addresses: an attacker can choose any other id freely (BEP
// 42). Then the lookup announces, if it should.
//
//		fresh -> asked -> answered
//
//	 \-> failed     no answer, an error, another id
//		           \-> slow -> answered or failed
//
// Neither failed nor slow candidates delay it: it asks the next closest as well. When so few
// nodes are in view that each will be among the K closest, it announces to a node as soon as
// that answers; when only slow ones are left, to those that have answered. Of two nodes one
// may have just left, and the other must not wait for it.
type lookup struct {
	id       LookupID // 0: a lookup of our own maintenance
	method   krpc.Method
	target   krpc.ID
	announce Announce
	why      why.Why // reason of the first queries

	bootstraps []netip.AddrPort // addresses to ask first: we do not know which nodes are there
	tried      []netip.AddrPort // bootstraps that we asked and that have not answered
	cands      []candidate      // closest first
	flying     int              // asked, and neither answered, failed nor slow
	slow       int              // slow ones still in flight
	found      map[netip.AddrPort]struct{}

	closing bool // the search is over and announces are in flight
	storing int  // announces without an answer
	over    bool

	started mono.Time
	until   mono.Time // how long the lookup goes on without a single answer
	hurried bool      // Hurry ended that wait
	result  Result
}

type candidate struct {
	krpc.Node
	state candState
	token []byte
	told  bool // we announced to it
	fit   bool // its id fits its address (BEP 42)
}

// enough reports whether a lookup needs no more nodes: live nodes count, of which fit have
// ids that fit.
func enough(live, fit int) bool { return live >= K && fit >= K/2 || live >= 2*K }

type candState uint8

const (
	fresh candState = iota
	asked
	slow
	answered
	failed
)

// Lookup searches peers of an info-hash, and announces us to the closest nodes if announce
// says so. Peers come as effects while it runs, LookupDone at its end. With an empty table it
// waits up to 30 s for a bootstrap node.
func (m *Machine) Lookup(now mono.Time, hash krpc.ID, announce Announce) LookupID {
	return m.look(now, krpc.GetPeers, hash, announce)
}

// FindClosest searches the nodes closest to a target; LookupDone holds them.
func (m *Machine) FindClosest(now mono.Time, target krpc.ID) LookupID {
	return m.look(now, krpc.FindNode, target, Announce{})
}

func (m *Machine) look(now mono.Time, method krpc.Method, target krpc.ID, announce Announce) LookupID {
	m.begin()
	m.last++
	l := m.newLookup(now, method, target, why.CloserToTarget)
	l.id, l.announce = LookupID(m.last), announce
	if len(m.queue) >= maxQueue {
		l.result.Outcome = Busy
		m.effects = append(m.effects, Effect{Kind: LookupDone, Lookup: l.id, Result: l.result})
		return l.id
	}
	m.queue = append(m.queue, l)
	m.run(now)
	return l.id
}

func (m *Machine) newLookup(now mono.Time, method krpc.Method, target krpc.ID, w why.Why) *lookup {
	return &lookup{method: method, target: target, why: w, started: now, until: now.Add(patience)}
}

// Cancel ends a lookup without LookupDone. Answers that still come update the table.
func (m *Machine) Cancel(now mono.Time, id LookupID) {
	m.begin()
	is := func(l *lookup) bool { return l.id == id && id != 0 }
	for _, l := range m.lookups {
		if is(l) {
			l.over = true
		}
	}
	m.lookups = slices.DeleteFunc(m.lookups, is)
	m.queue = slices.DeleteFunc(m.queue, is)
	m.run(now)
}

// Hurry makes a lookup end as soon as it waits for no answer, instead of waiting for nodes to
// appear.
func (m *Machine) Hurry(now mono.Time, id LookupID) {
	m.begin()
	for _, list := range [][]*lookup{m.lookups, m.queue} {
		for _, l := range list {
			if l.id == id && id != 0 {
				l.hurried, l.until = true, now
			}
		}
	}
	m.run(now)
}

// dequeue starts the lookups whose turn has come.
func (m *Machine) dequeue(now mono.Time) {
	running := 0
	for _, l := range m.lookups {
		if l.id != 0 {
			running++
		}
	}
	n := min(len(m.queue), m.cfg.MaxLookups-running)
	if n <= 0 {
		return
	}
	for _, l := range m.queue[:n] {
		l.started = now
		if !l.hurried {
			l.until = now.Add(patience)
		}
		m.lookups = append(m.lookups, l)
		if l.method == krpc.GetPeers { // peers that others announced to us
			m.report(l, m.store.sample(nil, now, l.target, m.cfg.MaxPeers, m.rng, func(p netip.AddrPort) bool { return !m.own(p) }))
		}
		m.seed(now, l)
	}
	m.queue = slices.Delete(m.queue, 0, n)
}

// seed gives a lookup what we know: the closest nodes of the table and, when there are few,
// the ways into the DHT. When every node is bad we ask them all the same, because the fault
// may be our own line.
func (m *Machine) seed(now mono.Time, l *lookup) {
	m.near = m.table.nearest(m.near, l.target, 2*K, func(n *node) bool { return n.status(now) != bad })
	if len(m.near) == 0 {
		m.near = m.table.nearest(m.near, l.target, 2*K, func(*node) bool { return true })
	}
	for _, n := range m.near {
		l.add(krpc.Node{ID: n.id, Addr: n.addr})
	}
	if len(m.near) < K {
		for _, w := range m.join.bootstraps {
			l.bootstrap(w.addr)
		}
	}
}

// bootstrap adds an address whose id is unknown.
func (l *lookup) bootstrap(addr netip.AddrPort) {
	if !slices.Contains(l.bootstraps, addr) && !slices.Contains(l.tried, addr) && l.find(addr) < 0 {
		l.bootstraps = append(l.bootstraps, addr)
	}
}

// add makes a node a candidate, unless it is one already, its host or network has one, or it
// is too far from the target.
func (l *lookup) add(n krpc.Node) {
	if slices.Contains(l.tried, n.Addr) {
		return
	}
	for i := range l.cands {
		c := &l.cands[i]
		if c.ID == n.ID || c.Addr == n.Addr || c.state != failed && (crowded(c.Addr, n.Addr) || neighbours(c.Addr, n.Addr)) {
			return
		}
	}
	i, _ := slices.BinarySearchFunc(l.cands, n.ID, func(c candidate, id krpc.ID) int { return l.target.Compare(c.ID, id) })
	if len(l.cands) >= maxCandidates {
		// The farthest one from which we await nothing makes room.
		far := len(l.cands) - 1
		for far >= i && l.cands[far].state != fresh && l.cands[far].state != failed {
			far--
		}
		if far < i {
			return
		}
		l.cands = slices.Delete(l.cands, far, far+1)
	}
	l.cands = slices.Insert(l.cands, i, candidate{Node: n, fit: fits(n.ID, n.Addr.Addr())})
}

func (l *lookup) find(addr netip.AddrPort) int {
	return slices.IndexFunc(l.cands, func(c candidate) bool { return c.Addr == addr })
}

// advance asks the next nodes, and ends the search when it is done.
func (m *Machine) advance(now mono.Time, l *lookup) {
	if l.closing {
		l.over = l.storing == 0
		return
	}
	for l.flying < alpha && l.result.Asked < maxAsked {
		q := query{method: l.method, target: l.target, purpose: forLookup, lookup: l}
		w := l.why
		if len(l.bootstraps) > 0 {
			q.to, l.bootstraps = l.bootstraps[0], l.bootstraps[1:]
			l.tried = append(l.tried, q.to)
			w = why.Bootstrap
		} else if c := l.next(); c != nil {
			c.state = asked
			q.to, q.id, q.known = c.Addr, c.ID, true
		} else {
			break
		}
		l.flying++
		l.result.Asked++
		m.ask(now, q, w)
	}
	if l.result.Answered > 0 && (l.few() || l.flying == 0 && l.slow > 0) {
		m.announce(now, l)
	}
	switch {
	case !l.settled():
	case l.result.Answered > 0 || l.id == 0 || now >= l.until:
		m.close(now, l)
	}
}

// next returns the closest candidate not yet asked, of those that may count: the K closest,
// and beyond them only nodes whose ids fit; nil: none.
func (l *lookup) next() *candidate {
	live, fit := 0, 0
	for i := range l.cands {
		c := &l.cands[i]
		switch {
		case live >= K && !c.fit:
		case c.state == fresh:
			return c
		case c.state == asked, c.state == answered:
			live++
			if c.fit {
				fit++
			}
			if enough(live, fit) {
				return nil
			}
		}
	}
	return nil
}

// settled reports whether no answer that may still come can matter: the K closest have
// answered, or no node is left to wait for.
func (l *lookup) settled() bool {
	live, fit := 0, 0
	for i := range l.cands {
		c := &l.cands[i]
		switch {
		case live >= K && !c.fit:
		case c.state == answered:
			live++
			if c.fit {
				fit++
			}
			if enough(live, fit) {
				return true
			}
		case c.state == fresh:
			return l.result.Asked >= maxAsked && l.flying == 0
		case c.state == asked:
			return false
		}
	}
	// Our own maintenance does not wait for slow nodes: their late answers update the table,
	// too.
	return l.flying == 0 && (l.slow == 0 || l.id == 0) && len(l.bootstraps) == 0
}

// hopeless reports whether a lookup waits for no answer and continues only because nodes may
// appear.
func (l *lookup) hopeless() bool {
	return l.id != 0 && !l.closing && l.result.Answered == 0 && l.flying == 0 && l.slow == 0
}

// queryEnded takes the end of one of the lookup's queries.
func (m *Machine) queryEnded(now mono.Time, q *query, o Outcome) {
	l := q.lookup
	if l.over {
		return
	}
	if q.slow {
		l.slow--
	} else {
		l.flying--
	}
	if o == Answered {
		l.result.Answered++
		if !q.known && !m.join.router(q.to) {
			l.tried = slices.DeleteFunc(l.tried, func(a netip.AddrPort) bool { return a == q.to })
			l.add(krpc.Node{ID: m.in.ID, Addr: q.to})
		}
	}
	i := l.find(q.to)
	switch {
	case i < 0 || !q.known && l.cands[i].ID != m.in.ID:
	case o == Answered:
		l.cands[i].state = answered
		l.cands[i].token = append([]byte(nil), m.in.Token...)
	case q.known:
		l.cands[i].state = failed
	}
	if o == Answered && !l.closing {
		m.told(now, l, q.to)
	}
}

// told takes the nodes and peers of an answer.
func (m *Machine) told(now mono.Time, l *lookup, by netip.AddrPort) {
	m.pass(now, m.in.Nodes, by)
	// A reply holds K nodes. Of a longer one we use the K closest.
	nodes := slices.DeleteFunc(m.in.Nodes, func(n krpc.Node) bool { return n.ID == m.id || !m.credible(n.Addr, by) })
	slices.SortStableFunc(nodes, func(a, b krpc.Node) int { return l.target.Compare(a.ID, b.ID) })
	for _, n := range nodes[:min(len(nodes), K)] {
		l.add(n)
	}
	peers := slices.DeleteFunc(m.in.Values, func(p netip.AddrPort) bool { return !m.credible(p, by) && !m.credibleBeside(p, by) })
	m.report(l, peers)
}

// report passes peers to the caller, each once.
func (m *Machine) report(l *lookup, peers []netip.AddrPort) {
	if l.id == 0 {
		return
	}
	start := len(m.addrs)
	for _, p := range peers {
		if _, known := l.found[p]; known || len(l.found) >= maxFound {
			continue
		}
		if l.found == nil {
			l.found = map[netip.AddrPort]struct{}{}
		}
		l.found[p] = struct{}{}
		m.addrs = append(m.addrs, p)
	}
	if n := len(m.addrs) - start; n > 0 {
		l.result.Peers += n
		m.effects = append(m.effects, Effect{Kind: Peers, Lookup: l.id, Addrs: m.addrs[start:len(m.addrs):len(m.addrs)]})
	}
}

// slowed notes that a node has not answered for slowAfter.
func (l *lookup) slowed(addr netip.AddrPort) {
	l.flying--
	l.slow++
	if i := l.find(addr); i >= 0 && l.cands[i].state == asked {
		l.cands[i].state = slow
	}
}

// close ends the search and announces to the K closest that returned a token.
func (m *Machine) close(now mono.Time, l *lookup) {
	l.closing = true
	m.announce(now, l)
	l.over = l.storing == 0
}

// announce announces to the closest nodes that returned a token, each once.
func (m *Machine) announce(now mono.Time, l *lookup) {
	if !l.announce.Enabled {
		return
	}
	live, fit := 0, 0
	for i := range l.cands {
		c := &l.cands[i]
		if c.state != answered || len(c.token) == 0 || live >= K && !c.fit {
			continue
		}
		if live++; c.fit {
			fit++
		}
		if !c.told {
			c.told = true
			port := l.announce.Port
			if m.cfg.IPv6 && l.announce.Port6 != 0 {
				port = l.announce.Port6
			}
			m.out.Port, m.out.ImpliedPort, m.out.Token = port, l.announce.Implied, c.token
			m.ask(now, query{
				to: c.Addr, id: c.ID, known: true, method: krpc.AnnouncePeer, target: l.target,
				purpose: forAnnounce, lookup: l,
			}, why.TokenGiven)
			l.storing++
		}
		if enough(live, fit) {
			return
		}
	}
}

// few reports whether so few nodes are in view that each that answers is among the K closest.
func (l *lookup) few() bool {
	n := len(l.bootstraps)
	for i := range l.cands {
		if l.cands[i].state != failed {
			n++
		}
	}
	return n <= K
}

// stored takes the end of an announce.
func (l *lookup) stored(o Outcome) {
	l.storing--
	if o == Answered {
		l.result.Announced++
	}
}

// ended takes a lookup that is over.
func (m *Machine) ended(now mono.Time, l *lookup) {
	l.result.Took = now.Sub(l.started)
	l.result.Outcome = Silence
	if l.result.Answered > 0 {
		l.result.Outcome = Answered
	}
	if m.cfg.Trace != nil {
		m.did(now, "lookup done", netip.AddrPort{}, l.why, fmt.Sprintf("%s: %d asked, %d answered, %s, %d announced",
			l.method, l.result.Asked, l.result.Answered, count(l.result.Peers, "peer"), l.result.Announced))
	}
	if l.id == 0 {
		m.joined(now, l)
		return
	}
	start := len(m.nodes)
	for i := range l.cands {
		if len(m.nodes)-start < K && l.cands[i].state == answered {
			m.nodes = append(m.nodes, l.cands[i].Node)
		}
	}
	m.effects = append(m.effects, Effect{Kind: LookupDone, Lookup: l.id, Nodes: m.nodes[start:len(m.nodes):len(m.nodes)], Result: l.result})
}
