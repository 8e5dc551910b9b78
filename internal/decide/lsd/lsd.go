// Package lsd decides what to announce and what to believe in local service discovery (BEP
// 14): which torrents are announced to the neighbours, and when; and which of the neighbours'
// announces name a peer. The shell moves the datagrams.
//
// A Machine has one owner and is not safe for concurrent use. It reads no clock. The owner
// must not add private torrents (BEP 27). See decision 0095.
package lsd

import (
	"net/netip"
	"slices"
	"time"

	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
)

const (
	// announceEvery is how often a torrent is announced (BEP 14).
	announceEvery = 5 * time.Minute
	// againAfter is when a new torrent is announced once more: wireless networks lose more
	// multicast datagrams than others.
	againAfter = 5 * time.Second
	// gap is the least time between two announces of ours. BEP 14 wants a minute for the one
	// torrent of each announce; ours hold two dozen, and thousands of torrents need their
	// turn.
	gap = time.Second
	// gather is how long an announce waits for more torrents to name.
	gather = 200 * time.Millisecond

	// Of all neighbours together we read 20 announces a second, and a burst of 40: any host
	// in the local network can send any number of them.
	readEvery = time.Second / 20
	readBurst = 40
)

// Machine is one participant in local service discovery.
type Machine struct {
	cookie string

	active map[infohash.Hash]uint64 // torrents, by the turn in which they were added
	turn   uint64
	lines  [3]line   // new torrents; those to announce once more; all others
	last   mono.Time // time of the latest announce
	paid   mono.Time // time until which the read announces are paid for

	batch []infohash.Hash
	stats Stats
}

// line is a queue in which every torrent waits equally long.
type line struct {
	wait    time.Duration
	waiting []waiting
}

type waiting struct {
	hash infohash.Hash
	turn uint64
	due  mono.Time
}

// Stats counts announces.
type Stats struct {
	Torrents int
	Sent     int // announces
	Heard    int // announces of others that we read
	Passed   int // datagrams that were not an announce, were ours, came from afar, or were too many
}

// New returns a participant. cookie is random text of letters and digits: it identifies our
// own announces, which the group sends back to us.
func New(cookie string) *Machine {
	return &Machine{
		cookie: cookie, active: make(map[infohash.Hash]uint64),
		lines: [3]line{{wait: gather}, {wait: againAfter}, {wait: announceEvery}},
	}
}

// Add announces a torrent from now on.
func (m *Machine) Add(now mono.Time, hash infohash.Hash) {
	if _, known := m.active[hash]; known {
		return
	}
	m.turn++
	m.active[hash] = m.turn
	m.lines[0].put(now, waiting{hash: hash, turn: m.turn})
}

// Remove ends the announces of a torrent.
func (m *Machine) Remove(hash infohash.Hash) { delete(m.active, hash) }

// Deadline returns when Tick has something to do; mono.Never when there is nothing to
// announce.
func (m *Machine) Deadline() mono.Time {
	at := mono.Never
	for i := range m.lines {
		at = min(at, m.lines[i].next(m))
	}
	if at != mono.Never && !m.last.IsZero() {
		at = max(at, m.last.Add(gap))
	}
	return at
}

// Tick returns the announce to send to each group now; false when it is not time. The message
// is valid until the next call.
func (m *Machine) Tick(now mono.Time) (Message, bool) {
	if now < m.Deadline() {
		return Message{}, false
	}
	m.batch = m.batch[:0]
	for i := range m.lines {
		for l := &m.lines[i]; len(m.batch) < MaxHashes && l.next(m) <= now; {
			// Of new torrents the newest comes first: a user waits for it, while a thousand
			// that were there at the start can wait their turn.
			w := l.take(now, i == 0)
			if m.active[w.hash] != w.turn {
				continue // the torrent was removed
			}
			m.batch = append(m.batch, w.hash)
			m.lines[min(i+1, len(m.lines)-1)].put(now, w)
		}
	}
	m.last = now
	m.stats.Sent++
	return Message{Cookie: m.cookie, Hashes: m.batch}, len(m.batch) > 0
}

// next returns when the first of a line is due. Removed torrents leave the line.
func (l *line) next(m *Machine) mono.Time {
	for len(l.waiting) > 0 {
		if w := l.waiting[0]; m.active[w.hash] == w.turn {
			return w.due
		}
		l.waiting = l.waiting[1:]
	}
	l.waiting = nil
	return mono.Never
}

// take removes and returns one that is due: the first, or the newest.
func (l *line) take(now mono.Time, newest bool) waiting {
	i := 0
	if newest {
		i = len(l.waiting) - 1
		for i > 0 && l.waiting[i].due > now {
			i--
		}
	}
	w := l.waiting[i]
	if i == 0 {
		l.waiting = l.waiting[1:]
	} else {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	return w
}

func (l *line) put(now mono.Time, w waiting) {
	w.due = now.Add(l.wait)
	l.waiting = append(l.waiting, w)
}

// Datagram takes a datagram that a group received from an address, and returns our torrents
// that a peer there shares. links are the networks of this machine: an address that is
// neither in one of those nor private or link-local is not a neighbour's.
func (m *Machine) Datagram(now mono.Time, from netip.AddrPort, links []netip.Prefix, b []byte) (peer netip.AddrPort, ours []infohash.Hash) {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if !Near(from.Addr(), links) || !m.affords(now) {
		m.stats.Passed++
		return peer, nil
	}
	msg, err := Parse(b)
	if err != nil || msg.Cookie == m.cookie {
		m.stats.Passed++
		return peer, nil
	}
	m.stats.Heard++
	m.batch = m.batch[:0]
	for _, h := range msg.Hashes {
		if m.active[h] != 0 {
			m.batch = append(m.batch, h)
		}
	}
	return netip.AddrPortFrom(from.Addr(), msg.Port), m.batch
}

// affords reports whether we read one more announce of others.
func (m *Machine) affords(now mono.Time) bool {
	paid := max(m.paid, now)
	if paid.Sub(now) >= readBurst*readEvery {
		return false
	}
	m.paid = paid.Add(readEvery)
	return true
}

// Stats returns the counts.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Torrents = len(m.active)
	return s
}

// Near reports whether an address belongs to a neighbour. A group may receive datagrams from
// beyond our own network, and anybody can forge a source address: so a peer named in this way
// must have an address that only neighbours have.
func Near(a netip.Addr, links []netip.Prefix) bool {
	a = a.Unmap()
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
		return false
	}
	if a.IsPrivate() || a.IsLinkLocalUnicast() {
		return true
	}
	for _, l := range links {
		if l.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}
