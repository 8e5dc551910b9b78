package inflight

// This file decides from how many peers a torrent requests blocks at once under a
// download limit, and how much of a peer's delay is caused by that limit. With a limit of 20
// KiB a second that thirty peers share, each brings a block every half minute: each looks as
// if it did not answer, loses its requests, and its blocks arrive for nothing.
//
// So we ask few enough peers that each can bring a block every two seconds. Some of them may
// be slower than their share: while the limit holds nothing back, we ask one more every two
// seconds; when it does so all the time, one fewer. Most of the time in which the limit holds
// data back does not count as the peers' delay.
//
// A Spread is owned by its swarm and not safe for concurrent use. The caller passes the
// time. No BEP covers this.

import (
	"math"
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

const (
	// Every is how often Set must be called while peers are counted.
	Every = 2 * time.Second
	// part is what each asked peer should be able to bring, in bytes a second.
	part = block.Size / 2
	// sure is how often in a row the limit must hold data back before we ask fewer peers:
	// when slow peers just reach the limit it does so most of the time.
	sure = 15
	// excuse is the share of the time in which the limit holds data back that is excused. Not
	// all of it: the limit may hold back others, and the peer may be dead.
	excuse = 90 // percent
)

// Spread decides for one torrent. The zero Spread has no limit.
type Spread struct {
	limit int64 // limit of the torrent in bytes a second; 0: none
	most  int   // peers that we ask at once
	since int64 // limit at which most was set
	at    mono.Time
	bound int // how often in a row the limit held data back

	excused time.Duration
	last    mono.Time // time of the latest Set
	holds   bool      // bound of the latest Set
}

// Set sets the download limit in bytes a second, as far as it is known; 0 for none. bound
// says whether this or any other limit holds data back now. asked is how many peers we ask.
func (m *Spread) Set(now mono.Time, limit int64, bound bool, asked int) {
	if m.holds {
		m.excused += now.Sub(m.last) * excuse / 100
	}
	m.limit, m.last, m.holds = limit, now, bound
	if limit == 0 {
		m.since = 0
		return
	}
	least := int(min(max(limit/part, 1), math.MaxInt32))
	switch {
	case m.since == 0, limit <= m.since/2:
		m.most, m.since, m.at, m.bound = least, limit, now, 0
		return
	case limit >= 2*m.since:
		m.since = limit
	}
	m.most = max(m.most, least)
	if now < m.at.Add(Every) {
		return
	}
	m.at = now
	switch {
	case !bound:
		m.most, m.bound = max(least, min(m.most, asked)+1), 0
	case m.bound < sure:
		m.bound++
	default:
		m.most, m.bound = max(least, min(m.most-1, asked)), 0
	}
}

// Counts reports whether there are too many peers to ask all of them, so that Set must be
// called now and then.
func (m *Spread) Counts(peers int) bool { return m.limit > 0 && int64(peers) > m.limit/part }

// May reports whether we may request more from a peer while we ask asked peers; one says that
// it is one of them.
func (m *Spread) May(asked int, one bool) bool {
	return m.limit == 0 || asked < m.most || one && asked == m.most
}

// Excused returns the total time, since the start, that does not count as the peers' delay:
// what a peer is late by, less the growth of this total meanwhile, is its own fault.
func (m *Spread) Excused() time.Duration { return m.excused }
