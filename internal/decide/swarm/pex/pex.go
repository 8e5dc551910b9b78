// Package pex decides which peers we name to a peer, and which of those that it names we take
// (BEP 11).
//
// A message lists changes: the peers that joined and left since the last one, at most once a
// minute and at most 50 of each. A peer's message comes from a stranger that may want us to
// dial a victim, or to forget all other peers: so the number of messages and of peers in them
// is bounded. The caller decides which addresses may be sent and which are believable
// (decision 0091).
//
// Swarm.theirPex (internal/decide/swarm/pex.go) passes a message to Talk.Hear, which returns
// those of its peers that count, or an error when it came too soon. peerbook.Book.Add takes
// them as its least trusted source. In the other direction, Swarm.tickPex calls Talk.Tell
// once a minute with the peers that this one may know.
package pex

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/value/mono"
)

const (
	// First is when a peer gets its first message: soon, but after the peers that came with
	// it have announced where they listen.
	First = 5 * time.Second
	// Interval is the least time between two messages to a peer (BEP 11).
	Interval = time.Minute
	// MaxTold is how many peers one message names at most, added and dropped each (BEP 11).
	MaxTold = 50

	// maxReceived is how many messages a peer may send within Interval: the next one ends the
	// connection. Clients that follow BEP 11 send one, and a few more if they send the first
	// ones early.
	maxReceived = 6
	// maxFirst is how many peers we take from a peer's first message, and maxAdded from each
	// later one: deployed clients send up to 100.
	maxFirst = wire.MaxPexPeers
	maxAdded = 100
)

// ErrFlood is returned when a peer sends too often.
var ErrFlood = errors.New("peer exchange too often")

// Talk is the state of the exchange with one peer. Create one with New.
type Talk struct {
	told []netip.AddrPort // peers that it knows from us
	next mono.Time        // time of our next message at the earliest

	received [maxReceived]mono.Time // times of its latest messages; the oldest at index at
	at       int
	spoke    bool
}

// New starts an exchange.
func New(now mono.Time) *Talk { return &Talk{next: now.Add(First)} }

// Deadline returns when to call Tell again.
func (t *Talk) Deadline() mono.Time { return t.next }

// Tell returns the message that is due: the changes between what the peer knows from us and
// peers, which are all that it may know. ok is false when there are none, or it is not time.
// When they exceed one message, Tell picks at random.
func (t *Talk) Tell(now mono.Time, peers []wire.PexPeer, rng *rand.Rand) (m wire.Pex, ok bool) {
	if now < t.next {
		return m, false
	}
	t.next = now.Add(Interval)
	kept := t.told[:0]
	for _, a := range t.told {
		known := slices.ContainsFunc(peers, func(p wire.PexPeer) bool { return p.Addr == a })
		if !known && len(m.Dropped) < MaxTold {
			m.Dropped = append(m.Dropped, a)
			continue
		}
		kept = append(kept, a)
	}
	t.told = kept
	for _, p := range peers {
		if !slices.Contains(t.told, p.Addr) {
			m.Added = append(m.Added, p)
		}
	}
	if len(m.Added) > MaxTold {
		rng.Shuffle(len(m.Added), func(i, j int) { m.Added[i], m.Added[j] = m.Added[j], m.Added[i] })
		m.Added = m.Added[:MaxTold]
	}
	for _, p := range m.Added {
		t.told = append(t.told, p.Addr)
	}
	return m, len(m.Added)+len(m.Dropped) > 0
}

// Hear takes a message and returns those of its peers that count. On ErrFlood the caller ends
// the connection.
func (t *Talk) Hear(now mono.Time, m wire.Pex) ([]wire.PexPeer, error) {
	if oldest := t.received[t.at]; !oldest.IsZero() && now.Sub(oldest) < Interval {
		return nil, fmt.Errorf("%w: more than %d messages within %v", ErrFlood, maxReceived, Interval)
	}
	t.received[t.at] = now
	t.at = (t.at + 1) % maxReceived
	most := maxAdded
	if !t.spoke {
		most = maxFirst
	}
	t.spoke = true
	return m.Added[:min(len(m.Added), most)], nil
}
