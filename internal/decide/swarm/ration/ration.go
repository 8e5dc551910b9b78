// Package ration decides how many peers a torrent asks for blocks at the same time where a
// limit holds back what comes in, and what of their lateness is the limit's. A limit of 20 KiB
// a second that thirty peers share brings a block of each every half a minute: each looks as
// if it did not answer, is asked no more, and its blocks come in vain.
//
// So few are asked that each may bring a block every two seconds. Some of them may be slower
// than their part: as long as the limit holds nobody back, one more is asked every other
// second; when it does so all the time, one fewer. And most of the time in which it does is not
// held against those that are asked.
//
// A Machine is owned by its swarm and not safe for concurrent use. Time is given. It is no
// matter of any BEP.
package ration

import (
	"math"
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

const (
	// Every is how often Set is wanted while peers are to be counted.
	Every = 2 * time.Second
	// part is what each peer that is asked should be able to bring, in bytes a second.
	part = block.Size / 2
	// sure is how often in a row the limit has to hold somebody back until fewer are asked:
	// where slow peers just about bring what may come it does so most of the time.
	sure = 15
	// excuse is how much of the time in which the limit holds somebody back is excused. Not
	// all of it: it may hold back others, and who was asked may be dead.
	excuse = 90 // percent
)

// Machine is the machine of one torrent. The zero Machine has no limit.
type Machine struct {
	limit int64 // of the torrent, bytes a second; 0: none
	most  int   // peers at the same time
	since int64 // the limit that most began with
	at    mono.Time
	bound int // how often in a row the limit held somebody back

	excused time.Duration
	last    mono.Time // of Set
	holds   bool      // as it was said then
}

// Set says what may come in, in bytes a second, as far as is known; 0 for no limit. bound says
// whether this or any other limit holds somebody back now. asked is how many are asked.
func (m *Machine) Set(now mono.Time, limit int64, bound bool, asked int) {
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

// Counts reports whether there are so many peers that not all of them may be asked, so that
// Set is wanted from time to time.
func (m *Machine) Counts(peers int) bool { return m.limit > 0 && int64(peers) > m.limit/part }

// May reports whether a peer may be asked for more, while so many are asked: it is one of
// them, or would be one more.
func (m *Machine) May(asked int, one bool) bool {
	return m.limit == 0 || asked < m.most || one && asked == m.most
}

// Excused is the time, since the beginning, that is not held against peers: what a peer is
// late by, less what this has grown by meanwhile, is its own fault.
func (m *Machine) Excused() time.Duration { return m.excused }
