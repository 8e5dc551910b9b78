package dht

import "time"

// The constants of BEP 5.
const (
	// K is how many nodes a bucket holds, and how many nodes store an announce.
	K = 8
	// freshness is how long a node stays good without a sign of life, and how long a bucket
	// may stay unchanged before we refresh it.
	freshness = 15 * time.Minute
	// tokenLife is how often the secret changes; a token is valid for one to two of these.
	tokenLife = 5 * time.Minute
)

// Queries.
const (
	// alpha is how many queries of one lookup are in flight: Kademlia has 3, clients 3 to 5.
	alpha = 4
	// slowAfter is when a lookup stops waiting for a node that has not answered, and asks
	// another as well. Most nodes that answer at all do so within a second.
	slowAfter = 1500 * time.Millisecond
	// lostAfter is when a query counts as failed.
	lostAfter = 6 * time.Second
	// badAfter is how many queries in a row a node of the table may leave unanswered (BEP 5
	// suggests to try once more).
	badAfter = 2
	// transactionSize is the length of our transaction ids in bytes: with 32 random bits and
	// the source address to match, a blind forger has no chance within lostAfter.
	transactionSize = 4
)

// Lookups.
const (
	// maxCandidates is how many nodes a lookup keeps in view. It ends with K; the rest are
	// reserves against nodes that others name and that do not answer.
	maxCandidates = 96
	// maxAsked is how many queries a lookup may cost, whatever liars name. Honest lookups
	// take 20 to 60.
	maxAsked = 200
	// maxFound is how many peers a lookup remembers having reported.
	maxFound = 4096
	// patience is how long a lookup waits for its first answer from any node, or for a
	// bootstrap node when there is none yet.
	patience = 30 * time.Second
	// maxQueue is how many lookups may wait: one for each of many torrents.
	maxQueue = 16384
	// maxCalls is how many single queries of the caller may be in flight.
	maxCalls = 64
)

// Maintenance.
const (
	// maxBootstraps is how many addresses we keep to enter the DHT by. Torrents name theirs, and
	// we need only a few.
	maxBootstraps = 64
	// joinAgain is the first wait before we try to join again; it doubles each time, up to
	// joinAtMost while no node answers, up to freshness while few do.
	joinAgain  = 2 * time.Second
	joinAtMost = 5 * time.Minute
	// maxChecks is how many addresses wait for a ping, maxPinging how many pings are in
	// flight: a stranger can make us ping, so both are small.
	maxChecks  = 256
	maxPinging = 16
)

// Replies. None of these apply to sources on loopback: they are programs of this machine,
// share one address, and can't be the victims of amplification.
const (
	// sourceEvery and sourceBurst bound the replies to one address: 8 a second, 64 at once. A
	// hundred users behind a router look like one; a node asks another few times a minute.
	sourceEvery = time.Second / 8
	sourceBurst = 64
	// sourceGates is the number of gates over which addresses are spread.
	sourceGates = 1024
	// totalBurst is for how long the rate of all replies may be saved up.
	totalBurst = 4 * time.Second
	// maxReply bounds a reply in bytes (BEP 32): no link has to fragment it.
	maxReply = 1024
	// maxValues4 and maxValues6 bound the peers in a reply, so that K nodes fit as well; with
	// nodes of both families, half as many peers fit.
	maxValues4, maxValues6 = 80, 25
)

// Store.
const (
	// peerLife is how long we store an announced peer. Clients announce every 15 to 30
	// minutes.
	peerLife = 45 * time.Minute
	// sweepEvery is how often we remove expired peers.
	sweepEvery = time.Minute
	// portsPerIP bounds the stored ports of an address for one info-hash, peersPerIP the
	// peers of an address altogether. Neither applies to loopback.
	portsPerIP, peersPerIP = 4, 1000
)

func (c Config) withDefaults() Config {
	or := func(n *int, standard int) {
		if *n <= 0 {
			*n = standard
		}
	}
	or(&c.MaxLookups, 16)
	or(&c.ReplyRate, 64<<10)
	or(&c.MaxHashes, 2000)
	or(&c.MaxPeers, 500)
	return c
}
