package dht

import (
	"net/netip"
	"slices"
	"time"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// join is how we enter the DHT and stay in it: we look up our own id through the known
// bootstrap nodes, again with growing pauses while the table has few nodes, and refresh quiet
// buckets.
type join struct {
	bootstraps []bootstrap
	lookup     *lookup   // lookup of our own id, while it runs
	next       mono.Time // time of the next one; Never: not needed
	wait       time.Duration

	// We fill the table once after the first success, and refresh buckets, one lookup at a
	// time.
	filled  bool
	fill    int // buckets still to fill
	refresh *lookup
}

// bootstrap is an address through which we can enter the DHT.
type bootstrap struct {
	addr   netip.AddrPort
	router bool // a public bootstrap node, which serves everybody and never enters a table
}

// AddBootstrap names a possible node: configured, or from a torrent's `nodes`. We look up our
// own id through it, and it enters the table like any node when it answers.
func (m *Machine) AddBootstrap(now mono.Time, addr netip.AddrPort) { m.addBootstrap(now, addr, false) }

// AddRouter names a public bootstrap node. We ask it while the table has few nodes, and it
// never enters the table (BEP 5 asks not to add such nodes to routing tables).
func (m *Machine) AddRouter(now mono.Time, addr netip.AddrPort) { m.addBootstrap(now, addr, true) }

func (m *Machine) addBootstrap(now mono.Time, addr netip.AddrPort, router bool) {
	m.begin()
	addr = unmap(addr)
	known := slices.ContainsFunc(m.join.bootstraps, func(w bootstrap) bool { return w.addr == addr })
	if known || !m.reachable(addr) || m.own(addr) {
		return
	}
	if len(m.join.bootstraps) >= maxBootstraps { // the oldest makes room
		m.join.bootstraps = slices.Delete(m.join.bootstraps, 0, 1)
	}
	m.join.bootstraps = append(m.join.bootstraps, bootstrap{addr, router})
	for _, l := range m.lookups {
		if l.result.Answered == 0 && !l.closing && l != m.join.refresh {
			l.bootstrap(addr)
		}
	}
	switch usable, _ := m.table.count(now); {
	case m.join.lookup != nil:
		if m.join.lookup.result.Answered > 0 {
			m.join.lookup.bootstrap(addr)
		}
	case usable < 2*K:
		m.joinNow(now)
	case !router:
		m.propose(now, check{addr: addr, why: why.Bootstrap})
	}
	m.run(now)
}

// Import names nodes of an earlier run. We ping them, and they enter the table when they
// still answer.
func (m *Machine) Import(now mono.Time, nodes []krpc.Node) {
	m.begin()
	for _, n := range nodes {
		n.Addr = unmap(n.Addr)
		if n.ID != m.id && m.reachable(n.Addr) {
			m.propose(now, check{addr: n.Addr, id: n.ID, known: true, why: why.Remembered})
		}
	}
	m.run(now)
}

func (j *join) router(addr netip.AddrPort) bool {
	return slices.ContainsFunc(j.bootstraps, func(w bootstrap) bool { return w.addr == addr && w.router })
}

// joinNow looks up our own id, unless that lookup is running.
func (m *Machine) joinNow(now mono.Time) {
	if m.join.lookup != nil {
		return
	}
	m.join.next = mono.Never
	l := m.newLookup(now, krpc.FindNode, m.id, why.Bootstrap)
	m.seed(now, l)
	if len(l.cands)+len(l.bootstraps) == 0 {
		return
	}
	m.rng.Shuffle(len(l.bootstraps), func(a, b int) { l.bootstraps[a], l.bootstraps[b] = l.bootstraps[b], l.bootstraps[a] })
	m.join.lookup = l
	m.lookups = append(m.lookups, l)
}

// joinSoon schedules the next attempt, unless one is scheduled or running.
func (m *Machine) joinSoon(now mono.Time) {
	if m.join.lookup == nil && m.join.next == mono.Never {
		m.joinAfter(now)
	}
}

// joinAfter doubles the pause and schedules the next attempt, a tenth earlier or later so
// that nodes started together drift apart.
func (m *Machine) joinAfter(now mono.Time) {
	j := &m.join
	longest := joinAtMost
	if usable, _ := m.table.count(now); usable > 0 {
		longest = freshness
	}
	j.wait = min(max(2*j.wait, joinAgain), longest)
	j.next = now.Add(j.wait*9/10 + time.Duration(m.rng.Int64N(int64(j.wait)/5)))
}

// joined takes the end of a lookup of our own maintenance.
func (m *Machine) joined(now mono.Time, l *lookup) {
	j := &m.join
	if l == j.refresh {
		j.refresh = nil
		return
	}
	j.lookup = nil
	if usable, _ := m.table.count(now); usable < K {
		m.joinAfter(now)
		return
	}
	j.wait = 0
	if !j.filled {
		j.filled = true
		j.fill = len(m.table.buckets) - 1 // the last one was filled just now
	}
}

// maintain starts what is due: joining again, filling the table, refreshing a bucket.
func (m *Machine) maintain(now mono.Time) {
	j := &m.join
	if j.lookup == nil && now >= j.next {
		m.joinNow(now)
	}
	if j.refresh != nil || j.lookup != nil {
		return
	}
	if j.fill > 0 {
		j.fill--
		m.refreshBucket(now, j.fill, why.Bootstrap)
		return
	}
	for i, b := range m.table.buckets {
		if now.Sub(b.changed) >= freshness {
			b.changed = now
			if usable, _ := m.table.count(now); usable > 0 {
				m.refreshBucket(now, i, why.Refresh)
				return
			}
		}
	}
}

// refreshBucket looks up a random id in the range of a bucket (BEP 5).
func (m *Machine) refreshBucket(now mono.Time, i int, w why.Why) {
	l := m.newLookup(now, krpc.FindNode, m.table.inside(i, randomID(m.rng)), w)
	m.seed(now, l)
	m.join.refresh = l
	m.lookups = append(m.lookups, l)
}

// maintainDeadline returns when maintain has something to do.
func (m *Machine) maintainDeadline() mono.Time {
	j := &m.join
	if j.lookup != nil {
		return mono.Never
	}
	at := j.next
	if j.refresh != nil {
		return at
	}
	if j.fill > 0 {
		return 0 // at once
	}
	for _, b := range m.table.buckets {
		if len(m.table.buckets) > 1 || len(b.nodes) > 0 {
			at = min(at, b.changed.Add(freshness))
		}
	}
	return at
}
