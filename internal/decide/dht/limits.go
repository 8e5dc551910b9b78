package dht

import "time"

// The constants of BEP 5.
const (
	// K is how many nodes a bucket holds, and how many nodes keep an announce.
	K = 8
	// freshness is how long a node stays good, and a bucket unchanged, without a sign.
	freshness = 15 * time.Minute
	// tokenLife is how often the secret changes; a token holds for one to two of these.
	tokenLife = 5 * time.Minute
)

// Of asking.
const (
	// alpha is how many queries of one lookup are in the air: Kademlia has 3, clients 3 to 5.
	alpha = 4
	// slowAfter is when a node that has not answered no longer holds a lookup up: another
	// is asked beside it. Most that answer at all do so within a second.
	slowAfter = 1500 * time.Millisecond
	// lostAfter is when a query counts as failed.
	lostAfter = 6 * time.Second
	// badAfter is how many queries in a row a node of the table may leave unanswered
	// (BEP 5 suggests to try once more).
	badAfter = 2
	// transactionSize is the length in bytes of our transaction ids: with 32 random bits
	// and the source address to match, a blind forger has no chance within lostAfter.
	transactionSize = 4
)

// Of lookups.
const (
	// maxCandidates is how many nodes a lookup keeps in view. It ends with K; the rest are
	// reserves against nodes that are named and do not answer.
	maxCandidates = 96
	// maxAsked is how many queries a lookup may cost, whatever liars name. Honest ones
	// take 20 to 60.
	maxAsked = 200
	// maxFound is how many peers a lookup remembers having reported.
	maxFound = 4096
	// patience is how long a lookup waits for a first answer from anybody, and for a way
	// into the DHT when there is none yet.
	patience = 30 * time.Second
	// maxQueue is how many lookups wait for their turn: one for each of many torrents.
	maxQueue = 16384
	// maxCalls is how many single queries of the caller are under way.
	maxCalls = 64
)

// Of upkeep.
const (
	// maxWays is how many addresses are kept as ways into the DHT. Torrents name theirs,
	// and only a few are needed.
	maxWays = 64
	// joinAgain is the first wait before joining is tried again; it doubles each time, up
	// to joinAtMost while nobody answers, up to freshness while few do.
	joinAgain  = 2 * time.Second
	joinAtMost = 5 * time.Minute
	// maxChecks is how many addresses wait to be pinged, maxPinging how many are at a time:
	// a stranger can make us ping, so it is little.
	maxChecks  = 256
	maxPinging = 16
)

// Of answering. Sources on loopback are under none of these: they are this machine's own
// programs, share one address, and cannot be anyone's victim.
const (
	// sourceEvery and sourceBurst bound the answers to one address: 8 a second, 64 at once.
	// A router's hundred users look like one; a node asks another few times a minute.
	sourceEvery = time.Second / 8
	sourceBurst = 64
	// sourceGates is among how many gates addresses are spread.
	sourceGates = 1024
	// totalBurst is for how long the rate of all answers may be saved up.
	totalBurst = 4 * time.Second
	// maxReply bounds a reply in bytes (BEP 32): no link has to take it apart.
	maxReply = 1024
	// maxValues4 and maxValues6 bound the peers in a reply, so that K nodes fit beside them;
	// of both families, beside half as many peers.
	maxValues4, maxValues6 = 80, 25
)

// Of the store.
const (
	// peerLife is how long an announced peer is kept. Clients announce every 15 to 30 minutes.
	peerLife = 45 * time.Minute
	// sweepEvery is how often peers that are over are looked for.
	sweepEvery = time.Minute
	// portsPerIP bounds how many ports of an address are kept for one info-hash, peersPerIP
	// how many peers of an address altogether. Loopback is under neither.
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
