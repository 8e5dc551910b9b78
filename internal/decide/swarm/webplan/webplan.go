// Package webplan decides what web seeds are asked for (BEP 19, BEP 17): HTTP servers
// that have a torrent's files. Which run of pieces comes next, over how many
// connections, how long a server that failed is left alone, when one is given up.
//
// A web seed is a peer that has everything, chokes nobody and takes no cancel. Each
// request costs the server a line in its log, so it is asked for long runs:
//
//  1. where a reader waits (why.Urgent);
//  2. on from where the last run of the connection ended (why.WebOn);
//  3. the longest gap of pieces that nobody has begun, of the highest priority, from
//     its beginning (why.WebGap); peers take pieces here and there, so the two meet
//     seldom. What no connected peer has comes before what peers could bring. In a
//     crowd it begins somewhere in what nobody has (why.WebSpread): all who see the same
//     gaps would choose the same one, and those with different parts can trade;
//  4. what is left: pieces that failed (why.Suspect), pieces that were begun and that
//     nobody is being asked for (why.Started), the second half of what is free of a piece
//     that a peer works on (why.WebHelp).
//
// It never asks for what a peer was asked for: the endgame is for peers. A run is as
// long as the connection takes runTime for, by its rate, within bounds.
//
// A Machine is owned by the swarm of one torrent. Places is the machine of a whole
// engine: it shares the connections out among torrents and hosts.
// Decision 0100 says why.
//
// # A web seed brings a run
//
//  1. Swarm.settleWeb (internal/decide/swarm/web.go), with every flush: while the torrent wants
//     something, Machine.Tick asks for a connection (effect Web, act Ask). The engine grants
//     one through Places, and Swarm.WebPlaced reports it.
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

// Bounds on what is asked, and how often. MaxConns is of one torrent.
const (
	MaxConns = 8
	perSeed  = 3 // more mostly take from each other, and servers forbid it
	inUse    = 4 // seeds of a torrent that are asked at once; the others are in reserve

	runTime = 8 * time.Second
	minRun  = 1 << 20 // bytes; or one piece
	maxRun  = 64 << 20
	// maxFiles is how many requests a run may need, one a file: torrents of small files
	// are for peers.
	maxFiles = 64

	firstWait = 30 * time.Second // after a failure; twice as long after each further one
	lastWait  = time.Hour
	leastWait = 5 * time.Second // that a server can ask for

	// maxAbsent is how many files in a row may not be there until the seed is given up, and
	// maxAbsentAll how many in all.
	maxAbsent    = 8
	maxAbsentAll = 64

	// A server without ranges gives files from their beginning. So much may be read
	// and thrown away to get to what is wanted, and a quarter of what it gave.
	freeSkip  = 4 << 20
	skipShare = 4

	// lookEvery is how often it is looked for something to ask of a seed for which
	// there was nothing, while what is free changes.
	lookEvery = 100 * time.Millisecond
)

// Offer is what a piece is to a web seed.
type Offer uint8

// The offers.
const (
	Nothing Offer = iota // had, skipped, or not to be shared
	Fresh                // nobody has begun it
	Failed               // it failed, and nothing of that copy came from this seed
	Rest                 // begun, and nobody is being asked for it
	Ours                 // it failed, and part of that copy came from this seed
	Shared               // begun, and a peer is being asked for blocks of it
)

// Board is what a Machine sees of the pieces, and how it takes them.
type Board interface {
	// Generation changes when a block may have become free.
	Generation() uint64
	// Offer gives what a piece is to a seed, and its priority, above 0 unless it is
	// Nothing; and whether no connected peer has it.
	Offer(seed int, piece uint32) (o Offer, level uint8, rare bool)
	// Free gives a row of free blocks of a piece that is not Fresh: the first; with half
	// the second half of the last.
	Free(piece uint32, half bool) (index, n uint32)
	// Urgent gives the first piece with free blocks that a reader waits for.
	Urgent(now mono.Time) (piece uint32, ok bool)
	// Ranked reports whether pieces are of different priorities.
	Ranked() bool
	// Crowded reports whether there may be others who ask web seeds for the same: nothing
	// is had yet, or somebody is connected who lacks something.
	Crowded() bool
	// Claim has the blocks of a run count as requested. The first should be here after
	// wait, each further one so much later.
	Claim(now mono.Time, conn int, r Run, wait, each time.Duration)
	// Release gives back what is left of a run.
	Release(conn int)
}

// Run is a row of blocks, through the ends of pieces.
type Run struct {
	Piece, Block uint32 // the first
	Blocks       uint32
}

// Seed names a web seed of a torrent.
type Seed struct {
	URL    string // for showing
	Host   string // with its port; for the trace, since URLs may hold secrets
	Pieces bool   // BEP 17: it is asked for pieces, not for files
}

// File is where a file lies in the torrent, in bytes. Nobody is asked for padding.
type File struct {
	Offset, Length int64
	Pad            bool
}

// Config of a Machine.
type Config struct {
	Geometry metainfo.Geometry
	Seeds    []Seed
	Files    []File // all of them, in order; as for metainfo.Info.Files
	Single   bool   // the torrent is one file, not a folder with one
}

// Kind says what an Act is.
type Kind uint8

// The kinds.
const (
	Ask    Kind = iota // Places for a place for Seed; then Placed
	Unask              // it is not waited for any more
	Fetch              // ID: have Conn fetch Segments; blocks as they come, then Ended
	Stop               // end the fetch ID of Conn at once; what comes of it does not count
	Close              // end what is open on Conn, and give the place of Seed back
	GiveUp             // Seed for good; Text says why
)

var kindNames = [...]string{"ask", "unask", "fetch", "stop", "close", "give up"}

// String gives the kind's name as golden scripts print it.
func (k Kind) String() string { return kindNames[k] }

// Act is one thing to do. Which fields count depends on Kind.
type Act struct {
	Kind Kind
	Why  why.Why
	Seed int
	Conn int // 0 to MaxConns-1
	ID   uint64
	Run  Run
	// Segments are where the bytes of the run lie, in order, together exactly its length.
	Segments []Segment
	// Whole: the server knows no ranges. Files are read from their beginning, or go on
	// where the last run of the connection ended where Resume is set.
	Whole, Resume bool
	Text          string
}

// Segment is a part of a run within one file.
type Segment struct {
	File           int
	Offset, Length int64 // within the file
	Skip           int64 // bytes before it that are read and thrown away, with Whole
	Pad            bool  // zeros, that nobody is asked for
}

// Outcome is how a fetch ended.
type Outcome uint8

// The outcomes.
const (
	Done     Outcome = iota // every byte came
	Absent                  // File is not there, or is another one
	Busy                    // the server wants to be left alone, for RetryIn when it says so
	NoRanges                // it gave a whole file where a part was asked for
	Broken                  // connecting, or the exchange, failed
	Refused                 // we do not go where it leads, or take what it gives
)

var outcomeNames = [...]string{"done", "absent", "busy", "no ranges", "broken", "refused"}

// String gives the outcome's name as golden scripts print it.
func (o Outcome) String() string { return outcomeNames[o] }

// Result is the end of a fetch.
type Result struct {
	Outcome Outcome
	File    int           // with Absent
	RetryIn time.Duration // with Busy; 0: it did not say
	Whole   bool          // with Done: it answered with a whole file although asked for its beginning
	Text    string        // what went wrong
}
