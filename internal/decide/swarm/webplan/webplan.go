// Package webplan decides what to request from web seeds (BEP 19, BEP 17), which are HTTP
// servers with a torrent's files: which run of pieces comes next, over how many connections,
// how long to leave a failing server alone, and when to give one up.
//
// A web seed is a peer that has everything, chokes nobody and takes no cancel. Each request
// costs the server a line in its log, so we request long runs:
//
//  1. where a reader waits (why.Urgent);
//  2. the continuation of the connection's last run (why.WebOn);
//  3. the longest gap of pieces that are not started, of the highest priority, from its
//     beginning (why.WebGap); peers take pieces here and there, so the two seldom meet.
//     Pieces that no connected peer has come before pieces that peers could bring. In a
//     crowd the run begins at a random place in what no peer has (why.WebSpread): all
//     clients that see the same gaps would choose the same one, and clients with different
//     parts can trade;
//  4. what is left: failed pieces (why.Suspect), started pieces without requests
//     (why.Started), and the second half of the free blocks of a piece that a peer works on
//     (why.WebHelp).
//
// It never requests a block that is requested from a peer: endgame is for peers. A run is as
// long as the connection transfers in runTime at its rate, within bounds.
//
// The swarm of one torrent owns a Machine. Slots is the machine of a whole engine: it
// divides the connections among torrents and hosts (decisions 0100 and 0102).
//
// # A web seed brings a run
//
//  1. Swarm.settleWeb (internal/decide/swarm/web.go), with every flush: while the torrent wants
//     something, Machine.Tick asks for a connection (effect Web, act Ask). The engine grants
//     one through Slots, and Swarm.WebPlaced reports it.
//  2. Machine.plan chooses a run, and picker.Claim counts its blocks as requested; act Fetch,
//     with the parts of files that the run lies in. webseed.Conn requests each part, over one
//     connection.
//  3. Blocks come as webseed.Batch and go to Swarm.WebBlock, then the way of a peer's blocks.
//     The last batch has the outcome: Swarm.WebEnded, and the next run. When peers bring the
//     rest of a run first, or it is not wanted any more: act Stop.
package webplan

import (
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
	"shoal/metainfo"
)

// Bounds on requests and retries. MaxConns is for one torrent.
const (
	MaxConns = 8
	perSeed  = 3 // more would mostly slow each other down, and servers forbid it
	inUse    = 4 // seeds of a torrent that we use at once; the others are in reserve

	runTime = 8 * time.Second
	minRun  = 1 << 20 // bytes; or one piece
	maxRun  = 64 << 20
	// maxFiles is how many requests a run may need, one for each file: peers serve torrents
	// of small files better.
	maxFiles = 64

	firstWait = 30 * time.Second // wait after a failure; doubles after each further one
	lastWait  = time.Hour
	leastWait = 5 * time.Second // shortest wait that a server can ask for

	// maxAbsent is how many files in a row may be absent before we give up the seed, and
	// maxAbsentAll how many in all.
	maxAbsent    = 8
	maxAbsentAll = 64

	// A server without ranges sends files from their beginning. We read and discard at most
	// freeSkip bytes to reach what we want, plus one in skipShare of the bytes that it sent.
	freeSkip  = 4 << 20
	skipShare = 4

	// lookEvery is how often we look for something to request from a seed that had nothing,
	// while free blocks change.
	lookEvery = 100 * time.Millisecond
)

// Offer is what a piece is to a web seed.
type Offer uint8

// Values of Offer, best first after Nothing.
const (
	Nothing Offer = iota // ours, skipped, or not to be shared
	Fresh                // not started
	Failed               // a copy failed, and this seed sent none of it
	Rest                 // started, without requests
	Ours                 // a copy failed, and this seed sent part of it
	Shared               // started, and requested from a peer
)

// Board is how a Machine sees the pieces and claims them.
type Board interface {
	// Generation changes when a block may have become free.
	Generation() uint64
	// Offer returns what a piece is to a seed; its priority, above 0 unless it is Nothing;
	// and whether no connected peer has it.
	Offer(seed int, piece uint32) (o Offer, level uint8, rare bool)
	// Free returns a run of free blocks of a piece that is not Fresh: the first; with half
	// the second half of the last.
	Free(piece uint32, half bool) (index, n uint32)
	// Urgent returns the first piece with free blocks that a reader waits for.
	Urgent(now mono.Time) (piece uint32, ok bool)
	// Ranked reports whether pieces have different priorities.
	Ranked() bool
	// Crowded reports whether other clients may request the same from web seeds: we have no
	// piece yet, or a connected peer lacks one.
	Crowded() bool
	// Claim counts the blocks of a run as requested. The first should be here after wait,
	// each further one each later.
	Claim(now mono.Time, conn int, r Run, wait, each time.Duration)
	// Release gives back what is left of a run.
	Release(conn int)
}

// Run is a row of blocks, which may continue over the ends of pieces.
type Run struct {
	Piece, Block uint32 // first block
	Blocks       uint32
}

// Seed names a web seed of a torrent.
type Seed struct {
	URL    string // for display
	Host   string // host and port, for the trace: URLs can hold secrets
	Pieces bool   // BEP 17: we request pieces, not files
}

// File is where a file lies in the torrent, in bytes. We never request padding.
type File struct {
	Offset, Length int64
	Pad            bool
}

// Config configures a Machine.
type Config struct {
	Geometry metainfo.Geometry
	Seeds    []Seed
	Files    []File // all of them, in order; as for metainfo.Info.Files
	Single   bool   // the torrent is one file, not a folder with one file
}

// Kind is what an Act is.
type Kind uint8

// Values of Kind.
const (
	Ask    Kind = iota // ask Slots for a connection to Seed; Placed follows
	Unask              // withdraw an Ask for Seed
	Fetch              // fetch Segments over Conn as ID; blocks as they come, then Ended
	Stop               // end the fetch ID of Conn at once; blocks that still come do not count
	Close              // close Conn, and return the connection to Slots
	GiveUp             // give up Seed for good; Text says why
)

var kindNames = [...]string{"ask", "unask", "fetch", "stop", "close", "give up"}

// String returns the kind's name as golden scripts print it.
func (k Kind) String() string { return kindNames[k] }

// Act is one thing to do. Kind decides which fields count.
type Act struct {
	Kind Kind
	Why  why.Why
	Seed int
	Conn int // 0 to MaxConns-1
	ID   uint64
	Run  Run
	// Segments are the parts of files that make up the run, in order.
	Segments []Segment
	// Whole: the server does not support ranges. Files are read from their beginning, or from
	// where the last run of the connection ended if Resume is set.
	Whole, Resume bool
	Text          string
}

// Segment is a part of a run within one file.
type Segment struct {
	File           int
	Offset, Length int64 // within the file
	Skip           int64 // with Whole: bytes before the segment to read and discard
	Pad            bool  // zeros, which we do not request
}

// Outcome is how a fetch ended.
type Outcome uint8

// Values of Outcome.
const (
	Done     Outcome = iota // every byte came
	Absent                  // File is not there, or has another length
	Busy                    // the server asks us to wait, for RetryIn if it says so
	NoRanges                // the server sent a whole file when asked for a part
	Broken                  // the connection or the exchange failed
	Refused                 // a redirect or an answer that we do not follow or accept
)

var outcomeNames = [...]string{"done", "absent", "busy", "no ranges", "broken", "refused"}

// String returns the outcome's name as golden scripts print it.
func (o Outcome) String() string { return outcomeNames[o] }

// Result is the end of a fetch.
type Result struct {
	Outcome Outcome
	File    int           // with Absent
	RetryIn time.Duration // with Busy; 0: the server did not say
	Whole   bool          // with Done: it sent a whole file when asked for its beginning
	Text    string        // what went wrong
}
