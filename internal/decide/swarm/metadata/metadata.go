// Package metadata fetches the info dictionary of a torrent of which we know only the
// info-hash, from its peers (BEP 9): which parts to request from which peer, what to make of
// the answers, and which peers lied.
//
// Only peers say how large the dictionary is, and nothing proves it before the hash of the
// whole is right. So each claimed size is an attempt of its own, and we request from a peer
// only parts of the size that it claimed: one liar delays no other attempt. Parts come from
// several peers at once. If the hash of what they sent together is wrong, that size is
// fetched again whole from one peer at a time, which proves which peer lies; the right copy
// proves it of the others.
//
// What strangers can make this package hold is bounded by twice the limit. Smaller sizes come
// first, because a wrong one costs the least (decision 0089).
package metadata

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"slices"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Key names a peer's connection.
type Key uint64

// PieceSize is how much of the metadata one message carries (BEP 9).
const PieceSize = 16 << 10

// Bounds.
const (
	// DefaultLimit is the largest metadata that we fetch unless another limit is set; it is
	// that of deployed clients. All attempts together hold at most twice the limit.
	DefaultLimit = 30 << 20
	// inFlight is how many parts we first request from one peer at once: some clients serve
	// no more. Each part that comes adds one, up to mostInFlight: two parts a round trip are
	// only 300 KiB/s at 100 ms. A reject or a timeout resets it to inFlight.
	inFlight     = 2
	mostInFlight = 16
	// soloAttempts bounds the attempts with one peer each for one size.
	soloAttempts = 3
	// copies is from how many peers we request one part at once, when every missing one is
	// requested.
	copies = 2
	// maxNonsense is how many invalid messages, or messages that we did not ask for, a peer
	// may send.
	maxNonsense = 16
	// maxFailed is how many failed attempts with several peers we remember.
	maxFailed = 32
	// maxTimeouts is after how many requests in a row without an answer we leave a peer alone
	// for longestPause.
	maxTimeouts = 4
)

// Times.
const (
	answerTime   = 15 * time.Second // for one part
	shortPause   = time.Second      // after a reject by a peer with more than inFlight requests
	firstPause   = 10 * time.Second // after a reject; doubles each time
	longestPause = 2 * time.Minute
	// stallTime is how long an attempt may hold its room without progress when another one
	// needs the room.
	stallTime = 30 * time.Second
)

// Kind is what an Act asks for.
type Kind uint8

// Values of Kind.
const (
	Ask  Kind = iota // request Piece of Key
	Ban              // Key is proven to have sent wrong data
	Drop             // Key sends invalid messages, or what we did not ask for
)

// Act is one thing to do.
type Act struct {
	Kind  Kind
	Key   Key
	Piece uint32
	Why   why.Why
}

// Machine fetches one metadata. Create it with New.
type Machine struct {
	hash  [sha1.Size]byte
	limit int64 // largest size of the metadata

	peers    []*peer
	attempts []*attempt
	failed   []*attempt // attempts with several peers, at most one for each size; hashes replace the parts

	acts     []Act
	deadline mono.Time
	raw      []byte
}

// peer is one that speaks ut_metadata.
type peer struct {
	key      Key
	size     int64 // claimed size; 0: none
	beyond   int64 // claimed size if it is above the limit; else 0
	asked    []request
	at       *attempt // nil while it takes part in none
	rest     mono.Time
	pause    time.Duration
	timeouts int
	room     int // how many parts we may request from it at once
	above    int // of the outstanding requests, those above the current room
	owed     int // requests given up, whose parts may still come
	nonsense int
	out      bool // proven a liar, or sends nonsense
}

type request struct {
	piece uint32
	at    mono.Time
}

// attempt gathers the parts of one claimed size.
type attempt struct {
	size   int64
	solo   bool // from one peer only
	parts  [][]byte
	from   []Key // sender of each part
	missed int   // missing parts
	moved  mono.Time
}

// New returns a machine that fetches the metadata of an info-hash, of at most limit bytes; 0
// means DefaultLimit.
func New(infoHash [sha1.Size]byte, limit int64) *Machine {
	if limit == 0 {
		limit = DefaultLimit
	}
	return &Machine{hash: infoHash, limit: limit, deadline: mono.Never}
}

// Raw returns the metadata once its hash is right; nil before.
func (m *Machine) Raw() []byte { return m.raw }

// Take returns what to do since the last call, in order. It is valid until the next call of
// any method.
func (m *Machine) Take() []Act {
	a := m.acts
	m.acts = m.acts[:0]
	return a
}

// Deadline returns the time of the next Tick; mono.Never when nothing is due.
func (m *Machine) Deadline() mono.Time { return m.deadline }

// Peer says that a peer serves metadata, and which size it claims; 0 when it has none yet. A
// later call may change the size.
func (m *Machine) Peer(now mono.Time, key Key, size int64) {
	p := m.find(key)
	if p == nil {
		if size <= 0 {
			return
		}
		p = &peer{key: key, room: inFlight}
		m.peers = append(m.peers, p)
	}
	if p.beyond = 0; size > m.limit {
		p.beyond = size
	}
	if size < 0 || size > m.limit {
		size = 0
	}
	if p.size != size {
		m.leave(p)
		p.size = size
	}
	m.advance(now)
}

// Gone says that a peer's connection has ended, or that it no longer serves metadata.
func (m *Machine) Gone(now mono.Time, key Key) {
	if p := m.find(key); p != nil {
		m.leave(p)
		m.peers = slices.DeleteFunc(m.peers, func(q *peer) bool { return q == p })
		m.advance(now)
	}
}

// Rejected takes a reject.
func (m *Machine) Rejected(now mono.Time, key Key, piece uint32) {
	p := m.find(key)
	if p == nil || !p.unask(piece) {
		m.nonsense(p)
		return
	}
	p.timeouts = 0
	if p.room > inFlight {
		p.room, p.above = inFlight, len(p.asked)+1
	}
	if p.above > 0 {
		p.above--
		p.rest = max(p.rest, now.Add(shortPause))
	} else {
		p.pause = min(max(2*p.pause, firstPause), longestPause)
		p.rest = now.Add(p.pause)
	}
	m.advance(now)
}

// Data takes a part. total is the size of the whole that came with it, 0 when none did. Data
// copies data.
func (m *Machine) Data(now mono.Time, key Key, piece uint32, total int64, data []byte) {
	p := m.find(key)
	if p == nil || p.at == nil || int(piece) >= len(p.at.parts) {
		m.nonsense(p)
		return
	}
	if !p.unask(piece) {
		if p.owed == 0 {
			m.nonsense(p)
			return
		}
		p.owed-- // late, but good
	}
	a := p.at
	if total != 0 && total != a.size || len(data) != a.partSize(piece) {
		// It contradicts its own claim.
		p.nonsense += maxNonsense / 4
		m.nonsense(p)
		p.rest = now.Add(firstPause)
		m.advance(now)
		return
	}
	p.timeouts, p.pause = 0, 0
	if p.above > 0 {
		p.above--
	} else {
		p.room = min(p.room+1, mostInFlight)
	}
	a.moved = now
	if a.parts[piece] == nil {
		a.parts[piece] = bytes.Clone(data)
		a.from[piece] = key
		a.missed--
	}
	if a.missed == 0 {
		m.finish(a)
	}
	m.advance(now)
}

// nonsense counts an invalid message, or one that we did not ask for.
func (m *Machine) nonsense(p *peer) {
	switch {
	case p == nil || p.out:
		return
	case p.owed > 0:
		p.owed--
		return
	}
	if p.nonsense++; p.nonsense > maxNonsense {
		m.exclude(p)
		m.acts = append(m.acts, Act{Kind: Drop, Key: p.key, Why: why.Protocol})
	}
}

// Tick does what is due. The caller calls it at Deadline or later.
func (m *Machine) Tick(now mono.Time) {
	for _, p := range m.peers {
		for i := 0; i < len(p.asked); {
			if now < p.asked[i].at.Add(answerTime) {
				i++
				continue
			}
			p.asked = slices.Delete(p.asked, i, i+1)
			p.owed++
			p.room, p.above = inFlight, 0
			p.rest = now.Add(firstPause)
			if p.timeouts++; p.timeouts >= maxTimeouts {
				p.rest = now.Add(longestPause)
			}
		}
	}
	m.advance(now)
}

// finish checks an attempt that has every part.
func (m *Machine) finish(a *attempt) {
	h := sha1.New()
	for _, part := range a.parts {
		h.Write(part)
	}
	right := [sha1.Size]byte(h.Sum(nil)) == m.hash
	m.close(a)
	if right {
		m.raw = bytes.Join(a.parts, nil)
		m.blame()
		m.attempts, m.failed = nil, nil
		for _, p := range m.peers {
			p.free()
		}
		return
	}
	senders := slices.Clone(a.from)
	slices.Sort(senders)
	if senders = slices.Compact(senders); len(senders) == 1 {
		m.ban(senders[0], why.OnlySender)
		return
	}
	if len(m.failed) == maxFailed {
		m.failed = slices.Delete(m.failed, 0, 1)
	}
	m.failed = append(m.failed, a.sums())
}

// suspect reports whether the parts that several peers sent for a size were wrong once.
func (m *Machine) suspect(size int64) bool {
	return slices.ContainsFunc(m.failed, func(a *attempt) bool { return a.size == size })
}

// sums replaces the parts of an attempt by their hashes, which suffice to find the liars
// later.
func (a *attempt) sums() *attempt {
	for i, part := range a.parts {
		sum := sha1.Sum(part)
		a.parts[i] = sum[:]
	}
	return a
}

// blame compares failed attempts with the right copy, and bans the peers that sent wrong
// parts.
func (m *Machine) blame() {
	for _, a := range m.failed {
		for i, sum := range a.parts {
			from := i * PieceSize
			if a.size == int64(len(m.raw)) {
				if right := sha1.Sum(m.raw[from : from+a.partSize(uint32(i))]); bytes.Equal(sum, right[:]) {
					continue
				}
			}
			m.ban(a.from[i], why.BlocksDiffer)
		}
	}
}

func (m *Machine) ban(key Key, w why.Why) {
	if p := m.find(key); p != nil && !p.out {
		m.exclude(p)
		m.acts = append(m.acts, Act{Kind: Ban, Key: key, Why: w})
	}
}

// exclude stops all requests to a peer for good.
func (m *Machine) exclude(p *peer) {
	m.leave(p)
	p.out = true
}

// leave removes a peer from its attempt. The parts that it sent stay, except in a solo
// attempt, which ends.
func (m *Machine) leave(p *peer) {
	a := p.at
	p.free()
	if a != nil && a.solo {
		m.close(a)
	}
}

// close ends an attempt.
func (m *Machine) close(a *attempt) {
	m.attempts = slices.DeleteFunc(m.attempts, func(b *attempt) bool { return a == b })
	for _, p := range m.peers {
		if p.at == a {
			p.free()
		}
	}
}

// free removes a peer from its attempt and forgets its requests.
func (p *peer) free() {
	p.owed += len(p.asked)
	p.at, p.asked = nil, nil
}

// advance puts every peer that can help into an attempt, requests missing parts from it, and
// sets the deadline.
func (m *Machine) advance(now mono.Time) {
	m.deadline = mono.Never
	if m.raw != nil {
		return
	}
	for _, p := range m.peers {
		if !p.out && p.size > 0 && p.at == nil {
			m.join(now, p)
		}
	}
	for _, p := range m.peers {
		if p.at != nil {
			m.ask(now, p)
		}
	}
	for _, p := range m.peers {
		if p.out || p.size == 0 {
			continue
		}
		for _, r := range p.asked {
			m.deadline = min(m.deadline, r.at.Add(answerTime))
		}
		if p.rest > now && len(p.asked) < p.room {
			m.deadline = min(m.deadline, p.rest)
		}
		if p.at == nil {
			// There was no room: another attempt may have stalled by then.
			m.deadline = min(m.deadline, now.Add(answerTime))
		}
	}
}

// join finds an attempt in which a peer can take part, or starts one.
func (m *Machine) join(now mono.Time, p *peer) {
	solo := m.suspect(p.size)
	n := 0
	var resting *attempt
	for _, a := range m.attempts {
		if a.size != p.size {
			continue
		}
		if n++; !solo {
			p.at = a
			return
		}
		if m.owner(a).rest > now {
			resting = a
		}
	}
	if solo && p.rest > now {
		return
	}
	if solo && n >= soloAttempts {
		if resting == nil {
			return
		}
		m.close(resting)
	}
	if !m.makeRoom(now, p.size) {
		return
	}
	parts := int((p.size + PieceSize - 1) / PieceSize)
	a := &attempt{size: p.size, solo: solo, parts: make([][]byte, parts), from: make([]Key, parts), missed: parts, moved: now}
	m.attempts = append(m.attempts, a)
	p.at = a
}

// owner returns the one peer of a solo attempt.
func (m *Machine) owner(a *attempt) *peer {
	for _, p := range m.peers {
		if p.at == a {
			return p
		}
	}
	panic("metadata: a solo attempt has no peer")
}

// makeRoom reports whether an attempt of size bytes may start. A larger attempt makes room,
// and one that has stalled.
func (m *Machine) makeRoom(now mono.Time, size int64) bool {
	for m.reserved()+size > m.held() {
		var worst *attempt
		for _, a := range m.attempts {
			if stalled := now >= a.moved.Add(stallTime); (a.size > size || stalled) && (worst == nil || a.size > worst.size) {
				worst = a
			}
		}
		if worst == nil {
			return false
		}
		for _, p := range m.peers {
			if p.at == worst {
				p.rest = now.Add(stallTime)
			}
		}
		m.close(worst)
	}
	return true
}

// held bounds what all attempts together may hold.
func (m *Machine) held() int64 { return 2 * m.limit }

func (m *Machine) reserved() (sum int64) {
	for _, a := range m.attempts {
		sum += a.size
	}
	return sum
}

// ask requests parts from one peer, as many as it may have at once.
func (m *Machine) ask(now mono.Time, p *peer) {
	for len(p.asked) < p.room && now >= p.rest {
		piece, n := m.next(p)
		if n < 0 {
			return
		}
		w := why.NoMetadata
		switch {
		case p.at.solo:
			w = why.Suspect
		case n > 0:
			w = why.Endgame
		}
		p.asked = append(p.asked, request{piece, now})
		m.acts = append(m.acts, Act{Kind: Ask, Key: p.key, Piece: piece, Why: w})
	}
}

// next returns the part to request from a peer, and from how many others it is requested: the
// first that is requested from none, else the one requested from fewest. n is -1 when there
// is none.
func (m *Machine) next(p *peer) (piece uint32, n int) {
	n = -1
	for i := range p.at.parts {
		if p.at.parts[i] != nil || p.isAsked(uint32(i)) {
			continue
		}
		others := 0
		for _, q := range m.peers {
			if q.at == p.at && q.isAsked(uint32(i)) {
				others++
			}
		}
		if others < copies && (n < 0 || others < n) {
			if piece, n = uint32(i), others; n == 0 {
				break
			}
		}
	}
	return piece, n
}

func (p *peer) isAsked(piece uint32) bool {
	return slices.ContainsFunc(p.asked, func(r request) bool { return r.piece == piece })
}

// unask removes a request, and reports whether it was there.
func (p *peer) unask(piece uint32) bool {
	n := len(p.asked)
	p.asked = slices.DeleteFunc(p.asked, func(r request) bool { return r.piece == piece })
	return len(p.asked) < n
}

func (m *Machine) find(key Key) *peer {
	for _, p := range m.peers {
		if p.key == key {
			return p
		}
	}
	return nil
}

// partSize returns the exact size of a part in bytes.
func (a *attempt) partSize(piece uint32) int {
	if int(piece) == len(a.parts)-1 {
		return int(a.size - int64(piece)*PieceSize)
	}
	return PieceSize
}

// CheckInvariants returns what is wrong with the machine's own records, for tests and the
// simulator.
func (m *Machine) CheckInvariants() error {
	if m.reserved() > m.held() {
		return fmt.Errorf("metadata: attempts of %d bytes, limit %d", m.reserved(), m.held())
	}
	for _, p := range m.peers {
		switch {
		case len(p.asked) > mostInFlight, p.at == nil && len(p.asked) > 0:
			return fmt.Errorf("metadata: %d parts are requested from peer %d", len(p.asked), p.key)
		case p.out && p.at != nil:
			return fmt.Errorf("metadata: peer %d is excluded and takes part", p.key)
		case p.at != nil && (p.at.size != p.size || !slices.Contains(m.attempts, p.at)):
			return fmt.Errorf("metadata: peer %d takes part in another size", p.key)
		}
	}
	for _, a := range m.attempts {
		missed, members := 0, 0
		for _, part := range a.parts {
			if part == nil {
				missed++
			}
		}
		for _, p := range m.peers {
			if p.at == a {
				members++
			}
		}
		if missed != a.missed || missed == 0 || a.solo && members != 1 {
			return fmt.Errorf("metadata: %d of %d parts are missing, %d peers take part", missed, a.missed, members)
		}
	}
	return nil
}
