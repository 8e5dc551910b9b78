package shoal

import (
	"net/netip"
	"time"
)

// Stats is an immutable snapshot of a torrent, made at most four times a second.
//
//shoal:fields a snapshot is one flat value that callers copy and compare
type Stats struct {
	At       time.Time
	Name     string
	InfoHash string // 40 hex digits
	State    State
	Err      error     // in StateFailed, StateStalled and StateMissing
	Short    *Shortage // why it does not fit on its volumes; nil while it does, or where the system does not tell

	Size             int64   // bytes of all files
	Verified         int64   // bytes in verified pieces
	Left             int64   // bytes that are not verified, as announced to trackers (BEP 3)
	Unwanted         int64   // bytes in pieces of files that are left out
	UnwantedVerified int64   // of these, verified all the same
	PieceLength      int64   // bytes
	Pieces           int     // how many there are
	Have             int     // how many are verified
	Checked          int     // pieces looked at so far, while Checking
	CheckRate        float64 // bytes a second that are hashed, while Checking
	Hashed           int     // pieces that were in doubt when the files were last looked at, and were hashed
	Map              []byte  // one of 'v' verified, 's' started, 'm' missing for each piece; shared, read only

	Downloaded int64 // payload bytes received in this run, wasted ones included
	Wasted     int64 // of these, received twice or in failed pieces
	Uploaded   int64 // payload bytes sent in this run

	// With Config.Remember those of all runs, this one included.
	TotalDownloaded, TotalUploaded int64

	// Payload in bytes a second over the last four seconds. Both are 0 for a torrent that
	// rests, and DownRate is once all that is wanted has come.
	DownRate, UpRate float64
	// DownMean is DownRate over the last half minute in which bytes came; 0 when none has
	// come for ten seconds. See ETA.
	DownMean         float64
	LastDown, LastUp time.Time // when the latest byte came, and went; zero before the first

	// Waiting says why nothing comes, the nearest cause first; empty while the torrent moves
	// or has all that is wanted.
	Waiting []Cause
	Nobody  int // wanted pieces that no connected peer and no web seed has; counted while nothing comes, or web seeds are the only sources

	Peers      int // connected
	Seeds      int // of these, complete
	KnownPeers int // addresses known
	Unchoked   int // peers that we let download
	DHTNodes   int // nodes in the engine's routing table

	// External is at which addresses the world sees the engine, as far as enough others
	// agree: at most one of each family. Shared, read only.
	External []netip.Addr
	Trackers []TrackerStats
	Contacts Contacts // what became of attempts to reach peers, in this run

	WebDownloaded int64   // of Downloaded, from web seeds
	WebRate       float64 // of DownRate
	WebSeeds      []WebSeedStats
}

// Wanted is how many bytes are in pieces that are wanted: less than Size where files are left out.
func (s Stats) Wanted() int64 { return s.Size - s.Unwanted }

// WantedVerified is how many of the wanted bytes are verified.
func (s Stats) WantedVerified() int64 { return s.Verified - s.UnwantedVerified }

// ETA is how long the rest takes at the rate of the last half minute in which bytes came, or,
// while Checking, how long the check takes. ok is false while nothing can be predicted: no
// bytes come, or no source has what is missing.
func (s Stats) ETA() (d time.Duration, ok bool) {
	if s.State == StateChecking && s.CheckRate >= 1 {
		return time.Duration(float64(s.Pieces-s.Checked) * float64(s.PieceLength) / s.CheckRate * float64(time.Second)), true
	}
	if s.State != StateDownloading || s.DownRate < 1 || s.DownMean < 1 || s.Peers == 0 && s.Nobody > 0 {
		return 0, false
	}
	return time.Duration(float64(s.Wanted()-s.WantedVerified()) / s.DownMean * float64(time.Second)), true
}

// Contacts counts what became of attempts to reach peers. An attempt that is still under way
// is in Dialled alone.
type Contacts struct {
	Dialled   int // attempts begun
	Connected int // of these, handshakes done

	// Dialled addresses that came to nothing: Closed took the connection and closed it during
	// the handshake, as clients do that do not share the torrent, or have no room. Failed is
	// what is none of the others, such as another protocol.
	Refused, TimedOut, Unreachable, Closed, Failed int

	Arrived int // peers that dialled us, handshakes done
	Turned  int // of Connected and Arrived: sent away at once, as a duplicate, ourselves, banned, or for want of room
}

// TrackerStats is what is known of one tracker of a torrent.
type TrackerStats struct {
	URL      string    // without passkeys and passwords: see Redact
	State    string    // "waiting", "asking", "working", "failing", "given up", "unsupported"
	Err      string    // printable
	Warning  string    // what the tracker wants its users to know; printable
	Fails    int       // requests in a row that failed
	Next     time.Time // of the next request; zero when there is none, or nobody knows
	Seeds    int       // as the tracker says; -1 when it does not
	Leechers int
}

// WebSeedStats is what is known of one web seed of a torrent that fetches something.
type WebSeedStats struct {
	URL         string    // without passwords and tokens: see Redact
	State       string    // "waiting", "working", "failing", "given up"
	Err         string    // printable
	Lacks       int       // files that it does not have, or has with another length
	Next        time.Time // when it is asked again, with "failing"; else zero
	LackErr     string    // which the last of these is, and what is wrong with it; printable
	Connections int
	Downloaded  int64 // bytes of this run
	DownRate    float64
}
