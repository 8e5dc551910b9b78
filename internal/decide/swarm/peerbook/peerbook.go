// Package peerbook keeps the addresses at which peers of a torrent may be found: which source
// named them, how dialling them went, which to dial next, and which never again. Its owner is
// the swarm of one torrent.
//
// An address is idle, being dialled, or connected; only an idle one that is due is dialled,
// so there is one dial at a time to an address, and a pause after each. A stranger's address
// that fails waits a minute, then two, and is given up after the third time, until a tracker
// or the DHT names it again much later. An address that the user named, or on this machine,
// is never given up, and waits 1, 2, 4 ... 60 seconds: a user who starts two engines by hand
// must not wait a minute because the second was not listening yet.
//
// Lists of peers come from strangers and can be used to make others dial a victim (BEP 5,
// 11). That is why the number of addresses is bounded, dials have pauses, and Add refuses
// some addresses.
package peerbook

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Source is what named an address to us. An address keeps the set of its sources.
type Source uint8

// Values of Source.
const (
	Manual   Source = 1 << iota // the user
	Tracker                     // an announce (BEP 3)
	DHT                         // get_peers (BEP 5)
	PEX                         // a peer (BEP 11)
	LSD                         // the local network (BEP 14)
	Incoming                    // a peer that connected to us and announced its own port (BEP 10)
	Link                        // a magnet link (x.pe, BEP 9), which a stranger may have made
)

const (
	// DefaultMax is the number of addresses that we keep: many times the connections of a
	// torrent, 150 KB.
	DefaultMax = 2000

	// Bounds on what we remember of addresses that are not in the book. The oldest is
	// forgotten first.
	maxSelf   = 16
	maxBans   = 4096
	maxSeen   = 1024
	maxRested = 4096

	// seenFor is how long an address is remembered after its connection ended.
	seenFor = 10 * time.Minute
)

// Config configures a Book. The zero value means the defaults.
type Config struct {
	Max int // addresses kept; 0: DefaultMax

	// PrivilegedPorts accepts addresses with a port below 1024 from every source. Peers
	// seldom listen there and the victims of a forged list often do, so without it only the
	// user may name one.
	PrivilegedPorts bool
}

// Candidate is an address to dial.
type Candidate struct {
	Addr     netip.AddrPort
	ExpectID [20]byte // the peer id that a tracker promised, if HasID (BEP 3)
	HasID    bool
	Sources  Source
	Why      why.Why // why.Known, or why.Retried when it was dialled before
}

// Book is the addresses of one torrent. Create one with New.
type Book struct {
	cfg Config
	rng *rand.Rand

	entries []entry
	index   map[netip.AddrPort]int

	deadline mono.Time // due time of the earliest idle entry; valid unless stale
	stale    bool

	external []netip.AddrPort // our address as others see it, one for each family
	self     []netip.AddrPort // addresses that proved to be our own
	bans     recent
	seen     recent
	rested   recent // time when a dial or connection ended, also of addresses evicted since
}

type state uint8

const (
	idle state = iota
	dialling
	connected
)

type entry struct {
	addr    netip.AddrPort
	id      [20]byte
	hasID   bool
	sources Source

	state    state
	tried    bool      // dialled at least once
	useful   bool      // a connection to it moved data
	parted   bool      // its connection ended because neither side could gain anything
	putOff   bool      // there was no room to dial it
	failures uint8     // failures since it was last useful
	due      mono.Time // when we may dial it again; Never: given up
	failedAt mono.Time // time of its last failure
	rank     uint32    // BEP 40 priority, or random
}

// New returns an empty book.
func New(cfg Config, rng *rand.Rand) *Book {
	if cfg.Max <= 0 {
		cfg.Max = DefaultMax
	}
	return &Book{
		cfg: cfg, rng: rng, deadline: mono.Never,
		bans: recent{most: maxBans}, seen: recent{most: maxSeen}, rested: recent{most: maxRested},
	}
}

// Add takes an address that src named, and reports whether it is new. expectID is the peer id
// that a tracker promised with it; anything but 20 bytes promises nothing. Add refuses
// addresses that cannot be a peer (port 0, unspecified, multicast, broadcast, reserved), our
// own, banned ones, ports below 1024 that strangers name, and any address when the book is
// full of better ones.
func (b *Book) Add(now mono.Time, src Source, addr netip.AddrPort, expectID []byte) bool {
	addr = unmap(addr)
	if !b.admits(src, addr) {
		return false
	}
	i, known := b.index[addr]
	if !known {
		if len(b.entries) >= b.cfg.Max && !b.makeRoom(src) {
			return false
		}
		i = len(b.entries)
		if b.index == nil {
			b.index = make(map[netip.AddrPort]int)
		}
		b.index[addr] = i
		b.entries = append(b.entries, entry{addr: addr, due: b.firstDue(now, src, addr), rank: b.rankOf(addr)})
		b.stale = true
	}
	e := &b.entries[i]
	if len(expectID) == len(e.id) {
		e.id, e.hasID = [20]byte(expectID), true
	}
	if known {
		b.namedAgain(now, src, e)
	}
	e.sources |= src
	return !known
}

// firstDue returns when we may dial a newcomer: now, unless it was dialled a moment ago and
// then evicted. Lists that name a victim again and again must not shorten the pause.
func (b *Book) firstDue(now mono.Time, src Source, addr netip.AddrPort) mono.Time {
	at, ok := b.rested.at[addr]
	if !ok || src == Manual || addr.Addr().IsLoopback() {
		return now
	}
	return max(now, at.Add(retryAfter))
}

// namedAgain grants an address another chance: at once when the user names it, and one that
// was given up when it is named long after.
func (b *Book) namedAgain(now mono.Time, src Source, e *entry) {
	switch {
	case src == Manual && e.sources&Manual == 0:
		e.failures, e.due = 0, now
	case e.due == mono.Never && src != PEX && now.Sub(e.failedAt) >= forgiveAfter:
		e.failures, e.due = maxFailures-1, now
	default:
		return
	}
	b.stale = true
}

// Count returns the number of addresses in the book.
func (b *Book) Count() int { return len(b.entries) }

// Available returns the number of addresses that we may dial now.
func (b *Book) Available(now mono.Time) int {
	n := 0
	for i := range b.entries {
		if b.entries[i].isDue(now) {
			n++
		}
	}
	return n
}

// makeRoom evicts the worst idle address if the newcomer is better, so that a flood of
// addresses cannot wash out those already here.
func (b *Book) makeRoom(src Source) bool {
	worst := -1
	for i := range b.entries {
		e := &b.entries[i]
		if e.state == idle && e.sources&Manual == 0 && (worst < 0 || e.worth() < b.entries[worst].worth()) {
			worst = i
		}
	}
	newcomer := entry{sources: src}
	if worst < 0 || b.entries[worst].worth() >= newcomer.worth() {
		return false
	}
	b.remove(worst)
	return true
}

// worth returns how much an idle address is worth keeping: first by its results, then by its
// source. The user's word is worth most, a peer's about other peers least.
func (e *entry) worth() int {
	luck := 2
	switch {
	case e.due == mono.Never:
		luck = 0
	case e.useful:
		luck = 3
	case e.failures > 0:
		luck = 1
	}
	trust := 1
	switch {
	case e.sources&Manual != 0:
		trust = 3
	case e.sources&^PEX != 0:
		trust = 2
	}
	return 4*luck + trust
}

func (b *Book) remove(i int) {
	last := len(b.entries) - 1
	delete(b.index, b.entries[i].addr)
	if i != last {
		b.entries[i] = b.entries[last]
		b.index[b.entries[i].addr] = i
	}
	b.entries[last] = entry{}
	b.entries = b.entries[:last]
	b.stale = true
}

// States counts the addresses in each state, for tests and the simulator.
func (b *Book) States() (resting, beingDialled, inUse int) {
	for i := range b.entries {
		switch b.entries[i].state {
		case idle:
			resting++
		case dialling:
			beingDialled++
		case connected:
			inUse++
		}
	}
	return resting, beingDialled, inUse
}

// CheckInvariants returns what is wrong with the book's own records, for tests and the
// simulator.
func (b *Book) CheckInvariants() error {
	if len(b.entries) > b.cfg.Max || len(b.entries) != len(b.index) {
		return fmt.Errorf("peerbook: %d addresses of at most %d, %d in the index", len(b.entries), b.cfg.Max, len(b.index))
	}
	first := mono.Never
	for i := range b.entries {
		e := &b.entries[i]
		if at, ok := b.index[e.addr]; !ok || at != i {
			return fmt.Errorf("peerbook: %v is at %d, the index says %d", e.addr, i, at)
		}
		if e.state == idle {
			first = min(first, e.due)
			if b.Banned(e.addr) || slices.Contains(b.self, e.addr) {
				return fmt.Errorf("peerbook: %v is idle, and banned or our own", e.addr)
			}
		}
		if e.state == idle && e.due == mono.Never && e.patient() {
			return fmt.Errorf("peerbook: %v is given up", e.addr)
		}
	}
	if got := b.Deadline(); got != first {
		return fmt.Errorf("peerbook: deadline %v, the earliest is %v", got, first)
	}
	for _, m := range []*recent{&b.bans, &b.seen, &b.rested} {
		if len(m.order) > m.most || len(m.at) > len(m.order) {
			return fmt.Errorf("peerbook: %d remembered, %d in order, of at most %d", len(m.at), len(m.order), m.most)
		}
	}
	return nil
}
