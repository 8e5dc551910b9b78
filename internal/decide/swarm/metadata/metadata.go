// Package metadata fetches the info dictionary of a torrent of which only the info-hash
// is known, from its peers (BEP 9): whom to ask for which part, what to make of the
// answers, and who lied.
//
// How large the dictionary is, only peers say, and nothing shows whether it is true
// before the hash of the whole is right. So each size that somebody claims is an
// attempt of its own, and a peer is asked for parts of the size that it claimed: one
// liar holds up nobody. Parts come from several peers at once. Where the hash of what
// they sent together is wrong, that size is fetched again whole from one peer at a time,
// which proves who lies; when the right copy is there, it proves it of the others.
//
// What strangers can make this package hold is bounded by twice the limit. The smaller sizes
// come first: a wrong one costs the least.
// Decision 0089 says why.
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
	// DefaultLimit is the largest metadata that is fetched unless another limit is set, as
	// deployed clients have it. All attempts together hold at most twice the limit.
	DefaultLimit = 30 << 20
	// inFlight is how many parts one peer is asked for at once at first: some clients serve
	// no more. Each part that comes makes it one more, up to mostInFlight: two parts a round
	// trip are 300 KiB/s over a distance of 100 ms. A reject or a time-out makes it inFlight.
	inFlight     = 2
	mostInFlight = 16
	// soloAttempts bounds the attempts with one peer each for one size.
	soloAttempts = 3
	// copies is of how many peers one part is asked at once, when every missing one
	// is asked for.
	copies = 2
	// maxNonsense is how many messages that were not asked for, or can't be, a peer
	// may send.
	maxNonsense = 16
	// maxFailed is how many attempts are remembered that failed with several peers.
	maxFailed = 32
	// maxTimeouts is after how many requests without an answer in a row a peer is
	// left alone for longestPause.
	maxTimeouts = 4
)

// Times.
const (
	answerTime   = 15 * time.Second // for one part
	shortPause   = time.Second      // after a reject by a peer that was asked for more than inFlight
	firstPause   = 10 * time.Second // after a reject; then twice that, and so on
	longestPause = 2 * time.Minute
	// stallTime is how long an attempt may hold its room without getting anything,
	// when another wants the room.
	stallTime = 30 * time.Second
)

// Kind says what an Act asks for.
type Kind uint8

// The kinds of acts.
const (
	Ask  Kind = iota // request Piece of Key
	Ban              // Key is proven to have sent wrong data
	Drop             // Key sends what was not asked for
)

// Act is one thing to do.
type Act struct {
	Kind  Kind
	Key   Key
	Piece uint32
	Why   why.Why
}

// Machine fetches one metadata. Make it with New.
type Machine struct {
	hash  [sha1.Size]byte
	limit int64 // of the size of the metadata

	peers    []*peer
	attempts []*attempt
	failed   []*attempt // of several peers, one for each size at most; hashes in place of the parts

	acts     []Act
	deadline mono.Time
	raw      []byte
}

// peer is one that speaks ut_metadata.
type peer struct {
	key      Key
	size     int64 // as it claims; 0 when it has none
	beyond   int64 // as it claims, where that is above the limit; else 0
	asked    []request
	at       *attempt // nil while it takes part in none
	rest     mono.Time
	pause    time.Duration
	timeouts int
	room     int // how many parts it may be asked for at once
	above    int // of those it was asked for, how many were too many
	owed     int // parts asked for and given up: they may still come
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
	from   []Key // who sent each part
	missed int   // parts that are not there
	moved  mono.Time
}

// New makes a machine that looks for the metadata of an info-hash, of at most limit bytes;
// 0 means DefaultLimit.
func New(infoHash [sha1.Size]byte, limit int64) *Machine {
	if limit == 0 {
		limit = DefaultLimit
	}
	return &Machine{hash: infoHash, limit: limit, deadline: mono.Never}
}

// Raw gives the metadata once its hash is right; nil before.
func (m *Machine) Raw() []byte { return m.raw }

// Take gives what is to be done since the last call, in order. It is valid until the
// next call of any method.
func (m *Machine) Take() []Act {
	a := m.acts
	m.acts = m.acts[:0]
	return a
}

// Deadline is when Tick is wanted next; mono.Never when nothing is due.
func (m *Machine) Deadline() mono.Time { return m.deadline }

// Peer says that a peer serves metadata, and how large it says that it is; 0 when it
// has none yet. It may be said again, with another size.
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

// Gone says that a peer's connection has ended, or that it serves no metadata any more.
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

// Data takes a part. total is the size of the whole that came with it, 0 when none
// did; data is copied.
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
		p.owed-- // late, and as good
	}
	a := p.at
	if total != 0 && total != a.size || len(data) != a.partSize(piece) {
		// It contradicts what it said itself.
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

// nonsense counts a message that was not asked for or can't be.
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

// Tick does what is due. It is called at Deadline or later.
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

// finish looks at an attempt that has every part.
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

// suspect reports whether what several peers sent for a size was wrong once.
func (m *Machine) suspect(size int64) bool {
	return slices.ContainsFunc(m.failed, func(a *attempt) bool { return a.size == size })
}

// sums replaces the parts of an attempt by their hashes, which is all that it takes to
// find out later who lied.
func (a *attempt) sums() *attempt {
	for i, part := range a.parts {
		sum := sha1.Sum(part)
		a.parts[i] = sum[:]
	}
	return a
}

// blame finds out, by the right copy, who sent wrong parts before.
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

// exclude has a peer never asked again.
func (m *Machine) exclude(p *peer) {
	m.leave(p)
	p.out = true
}

// leave takes a peer out of its attempt. What it has sent stays, unless it is all
// there can be.
func (m *Machine) leave(p *peer) {
	a := p.at
	p.free()
	if a != nil && a.solo {
		m.close(a)
	}
}

// close gives an attempt up.
func (m *Machine) close(a *attempt) {
	m.attempts = slices.DeleteFunc(m.attempts, func(b *attempt) bool { return a == b })
	for _, p := range m.peers {
		if p.at == a {
			p.free()
		}
	}
}

// free has a peer take part in nothing.
func (p *peer) free() {
	p.owed += len(p.asked)
	p.at, p.asked = nil, nil
}

// advance has every peer that can help take part in an attempt and asked for what it
// lacks, and finds out when that is to be looked at again.
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
			// There was no room: somebody may have stalled by then.
			m.deadline = min(m.deadline, now.Add(answerTime))
		}
	}
}

// join finds the attempt that a peer can take part in, or begins one.
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

// owner gives the one peer of an attempt that is solo.
func (m *Machine) owner(a *attempt) *peer {
	for _, p := range m.peers {
		if p.at == a {
			return p
		}
	}
	panic("metadata: a solo attempt of nobody")
}

// makeRoom reports whether one more attempt of so many bytes may be begun. A larger
// one gives way, and one that gets nothing.
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

// held bounds what all attempts together may come to hold.
func (m *Machine) held() int64 { return 2 * m.limit }

func (m *Machine) reserved() (sum int64) {
	for _, a := range m.attempts {
		sum += a.size
	}
	return sum
}

// ask requests parts of one peer, as many as it may be asked for at once.
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

// next gives the part to ask a peer for, and of how many others it is asked already:
// the first that is asked of nobody, else the one that is asked of fewest. -1: none.
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

// unask takes a request off, and reports whether it was there.
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

// partSize is the exact size of a part.
func (a *attempt) partSize(piece uint32) int {
	if int(piece) == len(a.parts)-1 {
		return int(a.size - int64(piece)*PieceSize)
	}
	return PieceSize
}

// CheckInvariants reports what is wrong with the machine's own records; for tests and
// the simulator.
func (m *Machine) CheckInvariants() error {
	if m.reserved() > m.held() {
		return fmt.Errorf("metadata: room for %d bytes, at most %d may be held", m.reserved(), m.held())
	}
	for _, p := range m.peers {
		switch {
		case len(p.asked) > mostInFlight, p.at == nil && len(p.asked) > 0:
			return fmt.Errorf("metadata: %d parts are asked of %d", len(p.asked), p.key)
		case p.out && p.at != nil:
			return fmt.Errorf("metadata: %d is out and takes part", p.key)
		case p.at != nil && (p.at.size != p.size || !slices.Contains(m.attempts, p.at)):
			return fmt.Errorf("metadata: %d takes part in another size", p.key)
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
