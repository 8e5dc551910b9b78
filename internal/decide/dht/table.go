package dht

import (
	"net/netip"
	"slices"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
)

// table is the routing table of BEP 5. Bucket i holds nodes whose ids share exactly i leading
// bits with ours; the last bucket, whose range includes our own id, holds all that share
// more. Only that one is ever split, so the table grows towards us.
//
// A node enters when it has answered a query of ours, from the address that we asked, with
// its id. It leaves when it has failed twice in a row and another node can replace it. Ids
// that fit their addresses (BEP 42) are preferred: in a full bucket such a node replaces one
// whose id does not fit, and of neighbours it is the one that stays (decision 0093).
type table struct {
	self    krpc.ID
	buckets []*bucket
}

type bucket struct {
	nodes   []*node   // at most K
	spare   []*node   // nodes that answered when there was no room, oldest first; at most K
	changed mono.Time // time when a node was added, replaced, or answered
}

type node struct {
	id       krpc.ID
	addr     netip.AddrPort
	answered mono.Time // its last answer to us
	asked    mono.Time // its last query to us; 0: none
	failed   int       // queries left unanswered since its last answer
	fit      bool      // its id fits its address (BEP 42)
	checking bool      // a ping is in flight
}

// status is the state of a node, from better to worse.
type status uint8

const (
	good         status = iota // answered us, or queried us, within freshness
	questionable               // silent for longer, or left one query unanswered
	bad                        // left badAfter queries in a row unanswered
)

func (n *node) status(now mono.Time) status {
	switch {
	case n.failed >= badAfter:
		return bad
	case n.failed == 0 && now.Sub(n.seen()) < freshness:
		return good
	}
	return questionable
}

// seen returns the time of the last sign of life.
func (n *node) seen() mono.Time { return max(n.answered, n.asked) }

func newTable(self krpc.ID, now mono.Time) table {
	return table{self: self, buckets: []*bucket{{changed: now}}}
}

func (t *table) bucketOf(id krpc.ID) *bucket {
	return t.buckets[min(t.self.Prefix(id), len(t.buckets)-1)]
}

// find returns the node at an address, or nil.
func (t *table) find(addr netip.AddrPort) *node {
	return t.first(func(n *node) bool { return n.addr == addr })
}

func (t *table) first(match func(*node) bool) *node {
	for _, b := range t.buckets {
		for _, n := range b.nodes {
			if match(n) {
				return n
			}
		}
	}
	return nil
}

// count returns how many nodes are not bad, and how many are good.
func (t *table) count(now mono.Time) (usable, fine int) {
	for _, b := range t.buckets {
		for _, n := range b.nodes {
			switch n.status(now) {
			case good:
				fine++
				fallthrough
			case questionable:
				usable++
			}
		}
	}
	return usable, fine
}

// change is what an answer of a node changed in the table.
type change uint8

const (
	nothing   change = iota // the node was in the table already, or is not wanted
	waiting                 // it waits among the spares
	added                   // it entered
	replaced                // it replaced a bad one
	preferred               // it replaced one whose id does not fit its address
)

// in reports whether the node has just entered the table.
func (c change) in() bool { return c >= added }

// answered takes a node that has just answered a query of ours. split is how many buckets
// were split for it. When the bucket is full and some of its nodes may be gone, doubt is the
// one to ping, least recently seen first (BEP 5).
func (t *table) answered(now mono.Time, id krpc.ID, addr netip.AddrPort) (c change, split int, doubt *node) {
	if id == t.self {
		return nothing, 0, nil
	}
	// One node for an id, one for a host: the node that is there stays, unless it is bad.
	for {
		n := t.first(func(n *node) bool { return n.id == id || crowded(n.addr, addr) })
		switch {
		case n == nil:
		case n.id == id && n.addr == addr:
			n.answered, n.failed, n.checking = now, 0, false
			b := t.bucketOf(id)
			b.changed = now
			if len(b.spare) > 0 { // a spare still waits: ping the next doubtful node
				doubt = b.doubtful(now)
			}
			return nothing, 0, doubt
		case n.addr == addr || n.status(now) == bad: // it has another id now, or is gone
			t.remove(n)
			continue
		default:
			return nothing, 0, nil
		}
		break
	}
	if c, split = t.insert(now, &node{id: id, addr: addr, answered: now, fit: fits(id, addr.Addr())}); c == waiting {
		doubt = t.bucketOf(id).doubtful(now)
	}
	return c, split, doubt
}

// insert puts a node into its bucket, or among the spares.
func (t *table) insert(now mono.Time, fresh *node) (c change, split int) {
	for {
		b := t.bucketOf(fresh.id)
		if i := b.neighbour(fresh.addr); i >= 0 {
			o := b.nodes[i]
			switch {
			case o.status(now) == bad:
				c = replaced
			case fresh.fit && !o.fit:
				c = preferred
			default:
				return nothing, split
			}
			b.nodes[i] = fresh
			b.changed = now
			return c, split
		}
		if len(b.nodes) < K {
			b.nodes = append(b.nodes, fresh)
			b.changed = now
			return added, split
		}
		if i := slices.IndexFunc(b.nodes, func(n *node) bool { return n.status(now) == bad }); i >= 0 {
			b.nodes[i] = fresh
			b.changed = now
			return replaced, split
		}
		if b == t.buckets[len(t.buckets)-1] && len(t.buckets) < len(fresh.id)*8 {
			t.split()
			split++
			continue
		}
		if i := b.misfit(fresh); i >= 0 {
			b.nodes[i] = fresh
			b.changed = now
			return preferred, split
		}
		b.keep(fresh)
		return waiting, split
	}
}

// around returns the table of the same nodes for another id of ours.
func (t *table) around(self krpc.ID, now mono.Time) table {
	next := newTable(self, now)
	for _, b := range t.buckets {
		for _, list := range [][]*node{b.nodes, b.spare} {
			for _, n := range list {
				if n.id != self {
					next.insert(now, n)
				}
			}
		}
	}
	return next
}

// neighbour returns the index of the node in the same network, or -1.
func (b *bucket) neighbour(addr netip.AddrPort) int {
	return slices.IndexFunc(b.nodes, func(n *node) bool { return neighbours(n.addr, addr) })
}

// misfit returns the index of the node that a fitting one replaces, or -1: of those whose ids
// do not fit, the one seen longest ago.
func (b *bucket) misfit(fresh *node) int {
	found := -1
	for i, n := range b.nodes {
		if fresh.fit && !n.fit && (found < 0 || n.seen() < b.nodes[found].seen()) {
			found = i
		}
	}
	return found
}

// keep puts a node among the spares; the oldest spare makes room.
func (b *bucket) keep(n *node) {
	b.spare = slices.DeleteFunc(b.spare, func(s *node) bool { return s.id == n.id || crowded(s.addr, n.addr) })
	if len(b.spare) >= K {
		b.spare = slices.Delete(b.spare, 0, 1)
	}
	b.spare = append(b.spare, n)
}

// doubtful returns the questionable node seen longest ago; nil while we ping a node of the
// bucket.
func (b *bucket) doubtful(now mono.Time) (doubt *node) {
	for _, n := range b.nodes {
		if n.checking {
			return nil
		}
		if n.status(now) == questionable && (doubt == nil || n.seen() < doubt.seen()) {
			doubt = n
		}
	}
	return doubt
}

// split divides the last bucket by the next bit.
func (t *table) split() {
	i := len(t.buckets) - 1
	old := t.buckets[i]
	deeper := &bucket{changed: old.changed}
	move := func(from []*node, to *[]*node) []*node {
		return slices.DeleteFunc(from, func(n *node) bool {
			if t.self.Prefix(n.id) > i {
				*to = append(*to, n)
				return true
			}
			return false
		})
	}
	old.nodes = move(old.nodes, &deeper.nodes)
	old.spare = move(old.spare, &deeper.spare)
	t.buckets = append(t.buckets, deeper)
}

// failed notes that a node left a query unanswered. When that makes it bad and a good spare
// waits, the spare replaces it and is returned.
func (t *table) failed(now mono.Time, n *node) (heir *node) {
	n.failed++
	b := t.bucketOf(n.id)
	if n.status(now) != bad {
		return nil
	}
	for len(b.spare) > 0 {
		s := b.spare[len(b.spare)-1] // the latest
		b.spare = b.spare[:len(b.spare)-1]
		taken := t.first(func(o *node) bool { return o != n && (o.id == s.id || crowded(o.addr, s.addr)) })
		if i := b.neighbour(s.addr); taken == nil && (i < 0 || b.nodes[i] == n) && s.status(now) == good {
			b.nodes[slices.Index(b.nodes, n)] = s
			b.changed = now
			return s
		}
	}
	return nil
}

// remove removes a node, whatever its state.
func (t *table) remove(n *node) {
	b := t.bucketOf(n.id)
	b.nodes = slices.DeleteFunc(b.nodes, func(o *node) bool { return o == n })
}

// wants reports whether the table would take a node with this id and address.
func (t *table) wants(now mono.Time, id krpc.ID, addr netip.AddrPort) bool {
	if id == t.self {
		return false
	}
	if n := t.first(func(n *node) bool { return n.id == id || crowded(n.addr, addr) }); n != nil {
		return n.status(now) == bad || n.addr == addr && n.id != id
	}
	b := t.bucketOf(id)
	fit := fits(id, addr.Addr())
	if i := b.neighbour(addr); i >= 0 {
		return b.nodes[i].status(now) == bad || fit && !b.nodes[i].fit
	}
	return len(b.nodes) < K || b == t.buckets[len(t.buckets)-1] ||
		slices.ContainsFunc(b.nodes, func(n *node) bool { return n.status(now) != good || fit && !n.fit })
}

// nearest returns up to k nodes that match, closest to the target first. It reuses dst.
func (t *table) nearest(dst []*node, target krpc.ID, k int, match func(*node) bool) []*node {
	dst = dst[:0]
	for _, b := range t.buckets {
		for _, n := range b.nodes {
			if len(dst) == k && target.Compare(n.id, dst[k-1].id) >= 0 || !match(n) {
				continue
			}
			i, _ := slices.BinarySearchFunc(dst, n.id, func(o *node, id krpc.ID) int { return target.Compare(o.id, id) })
			if len(dst) == k {
				dst = dst[:k-1]
			}
			dst = slices.Insert(dst, i, n)
		}
	}
	return dst
}

// inside returns id with its first bits changed, so that it lies in the range of bucket i.
func (t *table) inside(i int, id krpc.ID) krpc.ID {
	for bit := range min(i+1, len(id)*8) {
		mask := byte(0x80) >> (bit % 8)
		id[bit/8] = id[bit/8]&^mask | t.self[bit/8]&mask
		if bit == i && i < len(t.buckets)-1 {
			id[bit/8] ^= mask // from this bit on, the bucket's ids differ from ours
		}
	}
	return id
}
