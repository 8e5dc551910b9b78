package shoal

import (
	"time"

	"shoal/internal/decide/obstacle"
	"shoal/internal/engine"
	"shoal/internal/value/mono"
)

// Cause is one reason why nothing arrives. Fields that its kind does not mention are zero.
type Cause struct {
	Kind  CauseKind
	N, Of int64
	URL   string    // of a tracker or web seed, without secrets: see Redact
	Err   string    // what went wrong; printable
	Since time.Time // when it began
	Next  time.Time // when we try again; zero when we do not, or do not know
}

// CauseKind names a reason why nothing arrives.
type CauseKind string

// The kinds. More may come: ignore those that you do not know.
const (
	CauseFiles            CauseKind = "files"              // writes fail, or part of the data can't be read: Err; we retry at Next
	CauseFilesGone        CauseKind = "files-gone"         // the files were here and are gone: Err; we look again at Next
	CausePaused           CauseKind = "paused"             // the user paused it
	CauseQueued           CauseKind = "queued"             // other torrents come first: Config.Queue
	CauseMetadata         CauseKind = "metadata"           // N of Of bytes of the metadata are here; Of is 0 until a peer has told its size
	CauseMetadataTooLarge CauseKind = "metadata-too-large" // the metadata has N bytes, more than the Of bytes of Config.MaxMetadata
	CauseSilent           CauseKind = "silent"             // N peers have unanswered requests, and sent nothing since Since
	CauseChoked           CauseKind = "choked"             // all N peers that have missing pieces choke us
	CauseLacking          CauseKind = "lacking"            // N peers are connected, and none has a missing piece
	CauseUnavailable      CauseKind = "unavailable"        // no connected peer and no web seed has N of Of missing pieces
	CauseWebSeedLacks     CauseKind = "web-seed-lacks"     // the web seed URL lacks N files, or has them with another length: Err for the last
	CauseWebSeed          CauseKind = "web-seed"           // the web seed URL fails: Err; we retry at Next, or have given it up
	CauseNoPeers          CauseKind = "no-peers"           // no peer is connected: we know N addresses, dial Of of them now, and another at Next
	CauseClosed           CauseKind = "closed"             // the other side closed N of Of connections during the handshake
	CauseNoAnswer         CauseKind = "no-answer"          // N of Of connections failed otherwise: see Stats.Contacts
	CauseTracker          CauseKind = "tracker"            // the tracker URL fails: Err; we announce again at Next, or have given it up
	CauseAsking           CauseKind = "asking"             // the tracker URL has not answered yet
	CauseNoSource         CauseKind = "no-source"          // there is neither a tracker nor a DHT: peers have to dial us
	CauseNoNodes          CauseKind = "no-nodes"           // no node of the DHT has answered
	CauseUnreached        CauseKind = "unreached"          // we listen at port N, and no peer has dialled us yet
)

var causeKinds = map[obstacle.Kind]CauseKind{
	obstacle.Files: CauseFiles, obstacle.FilesGone: CauseFilesGone, obstacle.Paused: CausePaused, obstacle.Queued: CauseQueued,
	obstacle.Metadata: CauseMetadata, obstacle.MetadataTooLarge: CauseMetadataTooLarge, obstacle.Silent: CauseSilent,
	obstacle.Choked: CauseChoked, obstacle.Lacking: CauseLacking, obstacle.Nobody: CauseUnavailable, obstacle.WebSeed: CauseWebSeed, obstacle.WebSeedLacks: CauseWebSeedLacks,
	obstacle.NoPeers: CauseNoPeers, obstacle.Closed: CauseClosed, obstacle.NoAnswer: CauseNoAnswer, obstacle.Tracker: CauseTracker,
	obstacle.Asking: CauseAsking, obstacle.NoWay: CauseNoSource, obstacle.NoNodes: CauseNoNodes, obstacle.Unreached: CauseUnreached,
}

// waiting returns the causes of a snapshot.
func waiting(s *engine.Stats) []Cause {
	if len(s.Waiting) == 0 {
		return nil
	}
	out := make([]Cause, len(s.Waiting))
	for i, c := range s.Waiting {
		out[i] = Cause{
			Kind: causeKinds[c.Kind], N: c.N, Of: c.Of, URL: shown("", c.What), Err: shown(c.What, c.Err),
			Since: wall(s, c.Since), Next: wall(s, c.Next),
		}
	}
	return out
}

// wall returns the time of day of an instant, as of a snapshot; zero for zero.
func wall(s *engine.Stats, at mono.Time) time.Time {
	if at.IsZero() || at == mono.Never {
		return time.Time{}
	}
	return s.At.Add(at.Sub(s.Now))
}
