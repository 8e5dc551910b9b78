package peerbook

import (
	"net/netip"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

const (
	// retryAfter is the pause after the first failure of a stranger's address, and after a
	// connection ended; after the second failure it is twice that.
	retryAfter = 60 * time.Second

	// maxFailures is after how many failures in a row we give up a stranger's address.
	maxFailures = 3

	// forgiveAfter is when an address that was given up gets one more chance, if a source
	// other than peers still names it.
	forgiveAfter = 30 * time.Minute

	// partedFor is how long we leave an address alone whose peer has everything, as we do:
	// another peer may be there by then, or may need us.
	partedFor = 30 * time.Minute

	// putOffFor is how long an address waits for which there was no room to dial.
	putOffFor = 30 * time.Second

	// patientRetry is the first pause for an address that the user named, or on this machine;
	// it doubles up to patientMost.
	patientRetry = time.Second
	patientMost  = 60 * time.Second
)

// patient reports whether we never give up an address: the user named it, or it is on this
// machine, where dialling harms nobody.
func (e *entry) patient() bool {
	return e.sources&Manual != 0 || e.addr.Addr().IsLoopback()
}

// again returns when we may dial an address again whose dial failed or whose connection ended
// now; Never when it is given up.
func (e *entry) again(now mono.Time) mono.Time {
	times := max(e.failures, 1)
	switch {
	case e.patient():
		return now.Add(min(patientRetry<<min(times-1, 6), patientMost))
	case e.failures >= maxFailures:
		return mono.Never
	}
	return now.Add(retryAfter * time.Duration(times))
}

func (e *entry) isDue(now mono.Time) bool { return e.state == idle && e.due <= now }

// Next returns the best address to dial now and marks it as being dialled: Connected or
// Failed must follow. The best address is one that the user named, then one that was useful
// before, then the one that failed least, then the one of highest priority (BEP 40), or a
// random one while our own address is unknown.
func (b *Book) Next(now mono.Time) (Candidate, bool) {
	if now < b.Deadline() {
		return Candidate{}, false
	}
	best := -1
	for i := range b.entries {
		if e := &b.entries[i]; e.isDue(now) && (best < 0 || e.before(&b.entries[best])) {
			best = i
		}
	}
	if best < 0 {
		return Candidate{}, false
	}
	e := &b.entries[best]
	c := Candidate{Addr: e.addr, ExpectID: e.id, HasID: e.hasID, Sources: e.sources, Why: why.Known}
	if e.tried {
		c.Why = why.Retried
	}
	e.state, e.tried, e.parted, e.putOff = dialling, true, false, false
	b.stale = true
	return c, true
}

func (e *entry) before(o *entry) bool {
	switch {
	case (e.sources^o.sources)&Manual != 0:
		return e.sources&Manual != 0
	case e.useful != o.useful:
		return e.useful
	case e.failures != o.failures:
		return e.failures < o.failures
	}
	return e.rank > o.rank
}

// Deadline returns when the next address may be dialled: Never when there is none, in the
// past when one is waiting.
func (b *Book) Deadline() mono.Time {
	if b.stale {
		b.stale = false
		b.deadline = mono.Never
		for i := range b.entries {
			if e := &b.entries[i]; e.state == idle {
				b.deadline = min(b.deadline, e.due)
			}
		}
	}
	return b.deadline
}

// Connected says that there is a connection to the address, dialled or accepted. The remote
// address of an accepted connection is not one on which the peer listens: it is not in the
// book, and nothing happens.
func (b *Book) Connected(now mono.Time, addr netip.AddrPort) {
	if e := b.find(addr); e != nil {
		e.state = connected
		b.stale = true
	}
}

// Failed says that a dial failed.
func (b *Book) Failed(now mono.Time, addr netip.AddrPort) {
	if e := b.find(addr); e != nil {
		b.failed(now, e)
	}
}

// PutOff says that there was no room to dial an address: we try it again later, and it does
// not count as a failure.
func (b *Book) PutOff(now mono.Time, addr netip.AddrPort) {
	if e := b.find(addr); e != nil && e.state == dialling {
		e.state, e.due, e.putOff = idle, now.Add(putOffFor), true
		b.stale = true
	}
}

// Recover says that there is room for one connection: the best of the addresses that were put
// off becomes due. It reports whether there is one, or another is due anyway.
func (b *Book) Recover(now mono.Time) bool {
	best := -1
	for i := range b.entries {
		if e := &b.entries[i]; e.state == idle && (e.putOff || e.due <= now) && (best < 0 || e.before(&b.entries[best])) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	e := &b.entries[best]
	e.due = min(e.due, now)
	b.stale = true
	return true
}

// Spared says, after Closed, that we gave up the connection for another torrent: the address
// waits as long as those for which there was no room, so that the other torrent keeps the
// place.
func (b *Book) Spared(now mono.Time, addr netip.AddrPort) {
	if e := b.find(addr); e != nil && e.state == idle && !e.parted {
		e.due = max(e.due, now.Add(putOffFor))
		b.stale = true
	}
}

// Closed says that a connection ended. useful tells whether data moved on it, in either
// direction; if not, it counts as a failure.
func (b *Book) Closed(now mono.Time, addr netip.AddrPort, useful bool) {
	b.seen.put(now, keyOf(unmap(addr)))
	e := b.find(addr)
	switch {
	case e == nil:
	case useful:
		e.useful, e.failures = true, 0
		b.rest(now, e)
	default:
		b.failed(now, e)
	}
}

// Parted says, after Closed, that the connection ended because neither side could gain
// anything: we leave the address alone for partedFor, whichever source names it.
func (b *Book) Parted(now mono.Time, addr netip.AddrPort) {
	if e := b.find(addr); e != nil && e.state == idle {
		e.parted, e.failures, e.due = true, 0, now.Add(partedFor)
		b.stale = true
	}
}

// Recall says that we lack something again: the addresses that we parted from may be dialled.
func (b *Book) Recall(now mono.Time) {
	for i := range b.entries {
		if e := &b.entries[i]; e.parted && e.state == idle {
			e.parted, e.due = false, now
			b.stale = true
		}
	}
}

func (b *Book) failed(now mono.Time, e *entry) {
	e.failures = min(e.failures+1, 100)
	e.failedAt = now
	b.rest(now, e)
}

// rest makes an address idle; one that was banned meanwhile is removed.
func (b *Book) rest(now mono.Time, e *entry) {
	b.rested.put(now, e.addr)
	e.state, e.due = idle, e.again(now)
	b.stale = true
	if b.Banned(e.addr) {
		b.remove(b.index[e.addr])
	}
}

// FromUser reports whether the user named an address.
func (b *Book) FromUser(addr netip.AddrPort) bool {
	e := b.find(addr)
	return e != nil && e.sources&Manual != 0
}

func (b *Book) find(addr netip.AddrPort) *entry {
	if i, ok := b.index[unmap(addr)]; ok {
		return &b.entries[i]
	}
	return nil
}
