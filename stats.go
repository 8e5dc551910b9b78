package shoal

import (
	"context"
	"iter"
	"net/netip"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/engine"
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
	Unwanted         int64   // bytes in pieces that only skipped files need
	UnwantedVerified int64   // of these, bytes that are verified all the same
	PieceLength      int64   // bytes
	Pieces           int     // number of all pieces
	Have             int     // number of verified pieces
	Checked          int     // pieces looked at so far, in StateChecking
	CheckRate        float64 // bytes hashed a second, in StateChecking
	Hashed           int     // pieces that the latest look at the files had to hash, since they were in doubt
	Map              []byte  // one of 'v' verified, 's' started, 'm' missing for each piece; shared, read only

	Downloaded int64 // payload bytes received in this run, wasted ones included
	Wasted     int64 // of these, bytes received twice or in pieces that did not match
	Uploaded   int64 // payload bytes sent in this run

	// Payload bytes of all runs, this one included, with Config.Remember.
	TotalDownloaded, TotalUploaded int64

	// Payload bytes a second over the last four seconds. Both are 0 for a torrent without peers,
	// and DownRate is 0 once all that is wanted is here.
	DownRate, UpRate float64
	// DownMean is DownRate over the last half minute in which bytes arrived; 0 when none has
	// arrived for ten seconds. ETA uses it.
	DownMean         float64
	LastDown, LastUp time.Time // time of the latest payload byte received, and sent; zero before the first

	// Waiting says why nothing arrives, the nearest cause first. It is empty while the torrent
	// moves, or has all that is wanted.
	Waiting []Cause
	// Unavailable is the number of wanted pieces that no connected peer and no web seed has. It
	// is counted while nothing arrives, or web seeds are the only sources; else it is 0.
	Unavailable int

	Peers      int // connected
	Seeds      int // of these, peers that have every piece
	KnownPeers int // addresses known
	Unchoked   int // peers that we unchoke
	DHTNodes   int // nodes in the engine's routing tables

	// ExternalAddrs are those of Engine.ExternalAddrs. Shared, read only.
	ExternalAddrs []netip.Addr
	Trackers      []TrackerStats
	Metadata      MetadataStats // of a magnet; zero otherwise
	Contacts      Contacts      // results of attempts to reach peers, in this run

	WebDownloaded int64   // of Downloaded, bytes from web seeds
	WebRate       float64 // of DownRate, bytes a second from web seeds
	WebSeeds      []WebSeedStats
}

// Wanted returns how many bytes are in wanted pieces: less than Size when files are skipped.
func (s Stats) Wanted() int64 { return s.Size - s.Unwanted }

// WantedVerified returns how many of the wanted bytes are verified.
func (s Stats) WantedVerified() int64 { return s.Verified - s.UnwantedVerified }

// ETA returns how long the rest of the download takes at DownMean, or the rest of the check in
// StateChecking. ok is false while nothing can be predicted: no bytes arrive, or no source has
// what is missing.
func (s Stats) ETA() (d time.Duration, ok bool) {
	if s.State == StateChecking && s.CheckRate >= 1 {
		return time.Duration(float64(s.Pieces-s.Checked) * float64(s.PieceLength) / s.CheckRate * float64(time.Second)), true
	}
	if s.State != StateDownloading || s.DownRate < 1 || s.DownMean < 1 || s.Peers == 0 && s.Unavailable > 0 {
		return 0, false
	}
	return time.Duration(float64(s.Wanted()-s.WantedVerified()) / s.DownMean * float64(time.Second)), true
}

// MetadataStats says how much of a magnet's metadata is here. Only peers say how large it is, and
// nothing proves that before the hash is right.
type MetadataStats struct {
	Have, Size int64 // bytes that have come, and that there are, of the size that has come farthest; 0 while no peer says a size

	Sources int   // connected peers that say a size within the limit
	Limit   int64 // the largest that is fetched: Config.MaxMetadata

	// Peers that say a size beyond the limit, and the smallest such size. Where Sources is
	// 0 and TooLarge is not, a larger Config.MaxMetadata may help.
	TooLarge     int
	TooLargeSize int64
}

// Contacts counts attempts to reach peers, by their result. An attempt under way counts in
// Dialled only.
type Contacts struct {
	Dialled   int // attempts begun
	Connected int // of these, handshakes done

	// Dialled addresses that failed. Closed: the other side accepted the connection and closed
	// it during the handshake, as clients do that do not have the torrent, or have no room.
	// Failed: all other reasons, such as another protocol.
	Refused, TimedOut, Unreachable, Closed, Failed int

	Arrived int // peers that dialled us, handshakes done
	Turned  int // of Connected and Arrived, closed by us at once: duplicates, ourselves, banned peers, or no room
}

// TrackerStats is a snapshot of one tracker of a torrent.
type TrackerStats struct {
	URL      string // without passkeys and passwords: see Redact
	State    TrackerState
	Err      string    // printable
	Warning  string    // message of the tracker to its users (BEP 3: warning message); printable
	Fails    int       // number of failed announces in a row
	Next     time.Time // time of the next announce; zero when none is planned
	Seeds    int       // as the tracker says in its replies; -1 when it does not
	Leechers int       // likewise; only torrents that want pieces scrape for what a reply lacks
}

// TrackerState is how we stand with a tracker.
type TrackerState string

// The states of a tracker.
const (
	TrackerWaiting     TrackerState = "waiting"     // not announced to yet
	TrackerAsking      TrackerState = "asking"      // an announce is under way
	TrackerWorking     TrackerState = "working"     // it answered the latest announce
	TrackerFailing     TrackerState = "failing"     // the latest announce failed: Err; we retry at Next
	TrackerGivenUp     TrackerState = "given-up"    // it does not want to be asked again: Err
	TrackerUnsupported TrackerState = "unsupported" // its URL has a scheme other than http, https and udp
)

// WebSeedStats is a snapshot of one web seed of a torrent that fetches something.
type WebSeedStats struct {
	URL         string // without passwords and tokens: see Redact
	State       WebSeedState
	Err         string    // printable
	Lacks       int       // number of files that it does not have, or has with another length
	Next        time.Time // time of the next request in WebSeedFailing; else zero
	LackErr     string    // the last of the files that it lacks, and what is wrong; printable
	Connections int
	Downloaded  int64   // bytes of this run
	DownRate    float64 // bytes a second
}

// WebSeedState is how we stand with a web seed.
type WebSeedState string

// The states of a web seed.
const (
	WebSeedWaiting WebSeedState = "waiting"  // not asked at the moment
	WebSeedWorking WebSeedState = "working"  // requests are under way
	WebSeedFailing WebSeedState = "failing"  // the latest request failed: Err; we retry at Next
	WebSeedGivenUp WebSeedState = "given-up" // it does not have the torrent's files: Err
)

// Stats returns the latest snapshot. It never blocks.
func (t *Torrent) Stats() Stats {
	s := t.t.Stats()
	w := s.Swarm
	out := Stats{
		At: s.At, Name: t.Name(), InfoHash: t.InfoHash(), State: states[s.State], Err: publicError(s.Err),
		Size: w.Size, Verified: w.Verified, PieceLength: t.meta().Info.PieceLength,
		Pieces: int(w.Pieces), Have: int(w.Have), Checked: s.Checked, CheckRate: s.CheckRate, Hashed: s.Hashed, Map: s.Map,
		Downloaded: w.Downloaded, Wasted: w.Wasted, Uploaded: w.Uploaded,
		DownRate: w.Rates.Down, UpRate: w.Rates.Up,
		Peers: w.Peers, Seeds: w.Seeds, KnownPeers: w.Known, Unchoked: w.Unchoked, DHTNodes: s.DHT,
		DownMean: w.Rates.Mean, LastDown: wall(s, w.Rates.LastDown), LastUp: wall(s, w.Rates.LastUp),
		Waiting: waiting(s), Unavailable: int(w.Stand.Nobody),
		ExternalAddrs: s.External, Contacts: contacts(w.Contacts),
	}
	out.Left = w.Size - w.Verified
	if w.WantedSize > 0 { // 0 before the swarm is there
		out.Unwanted = w.Size - w.WantedSize
		out.UnwantedVerified = w.Verified - w.WantedVerified
	}
	out.Short = shortage(t.t.Short())
	t.withoutPads(&out)
	before := t.t.Before()
	out.TotalDownloaded, out.TotalUploaded = before.Downloaded+w.Downloaded, before.Uploaded+w.Uploaded
	out.WebDownloaded, out.WebRate = w.WebDownloaded, w.WebRate
	for _, ws := range w.WebSeeds {
		out.WebSeeds = append(out.WebSeeds, WebSeedStats{
			URL: shown("", ws.URL), State: webSeedStates[ws.State], Err: shown(ws.URL, ws.Err), Next: wall(s, ws.Retry), Lacks: ws.Lacks, LackErr: shown(ws.URL, t.t.Lacking(ws.Status)), Connections: ws.Conns,
			Downloaded: ws.Downloaded, DownRate: ws.DownRate,
		})
	}
	if p := s.Metadata; t.t.Link() != "" {
		out.Metadata = MetadataStats{
			Have: p.Got, Size: p.Size, Sources: p.Sources, Limit: p.Limit, TooLarge: p.TooLarge, TooLargeSize: p.TooLargeSize,
		}
	}
	for _, tr := range w.Trackers {
		out.Trackers = append(out.Trackers, trackerStats(s, tr))
	}
	return out
}

func contacts(c swarm.Contacts) Contacts {
	return Contacts{
		Dialled: c.Dialled, Connected: c.Connected, Refused: c.Refused, TimedOut: c.TimedOut,
		Unreachable: c.Unreachable, Closed: c.Closed, Failed: c.Other, Arrived: c.Arrived, Turned: c.Turned,
	}
}

var trackerStates = map[announce.State]TrackerState{
	announce.Waiting: TrackerWaiting, announce.Asking: TrackerAsking, announce.Working: TrackerWorking,
	announce.Failing: TrackerFailing, announce.GivenUp: TrackerGivenUp, announce.Unsupported: TrackerUnsupported,
}

var webSeedStates = map[string]WebSeedState{
	"waiting": WebSeedWaiting, "working": WebSeedWorking, "failing": WebSeedFailing, "given up": WebSeedGivenUp,
}

func trackerStats(of *engine.Stats, s announce.TrackerStatus) TrackerStats {
	return TrackerStats{
		URL: shown("", s.URL), State: trackerStates[s.State], Err: shown(s.URL, s.Err), Warning: shown(s.URL, s.Warning),
		Fails: s.Fails, Next: wall(of, s.Next), Seeds: int(s.Seeders), Leechers: int(s.Leechers),
	}
}

// Progress yields snapshots: the first at once, then one each interval in which something
// changed, and the last when the torrent has ended. It ends with ctx, too.
func (t *Torrent) Progress(ctx context.Context, every time.Duration) iter.Seq[Stats] {
	return func(yield func(Stats) bool) {
		tick := time.NewTicker(max(every, 10*time.Millisecond))
		defer tick.Stop()
		var last time.Time
		var checked int
		for {
			s := t.Stats()
			if s.At != last || s.Checked != checked {
				last, checked = s.At, s.Checked
				if !yield(s) {
					return
				}
			}
			if s.State == StateStopped || s.State == StateFailed {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// StatsTime returns the time of the latest snapshot. It costs less than Stats, for callers that
// look at many torrents.
func (t *Torrent) StatsTime() time.Time { at, _ := t.t.Updated(); return at }

// StatsVersion returns a number that grows with each new snapshot of any torrent: a caller that
// shows thousands need not look at them while it stays. Progress of StateChecking does not
// change it.
func (e *Engine) StatsVersion() uint64 { return e.e.Changes() }
