package shoal

import (
	"time"

	"shoal/internal/decide/obstacle"
	"shoal/internal/engine"
	"shoal/internal/value/mono"
)

// Cause is one thing that a torrent waits for. A field that the kind does not name is zero.
type Cause struct {
	Kind  CauseKind
	N, Of int64
	URL   string    // of a tracker or web seed, without secrets: see Redact
	Err   string    // what went wrong; printable
	Since time.Time // the cause holds
	Next  time.Time // when it is tried again; zero where it is not, or nobody knows
}

// CauseKind says what is waited for.
type CauseKind string

// The kinds. More may come: pass over those you do not know.
const (
	CauseFiles            CauseKind = "files"              // writes fail, or a part of the data can't be read: Err; tried again at Next
	CauseFilesGone        CauseKind = "files-gone"         // the files were there and are not: Err; looked for again at Next
	CausePaused           CauseKind = "paused"             // by the user
	CauseQueued           CauseKind = "queued"             // others come first: Config.Queue
	CauseMetadata         CauseKind = "metadata"           // N of Of bytes of a magnet's metadata have come; Of is 0 until a peer has said it
	CauseMetadataTooLarge CauseKind = "metadata-too-large" // it has N bytes, and at most Of are fetched: Config.MaxMetadata, or add the torrent file
	CauseSilent           CauseKind = "silent"             // N peers were asked, and nothing has come since Since
	CauseChoked           CauseKind = "choked"             // all N peers that have what is missing let others go first
	CauseLacking          CauseKind = "lacking"            // N peers are connected, and have nothing that is missing
	CauseNobody           CauseKind = "nobody"             // N of Of missing pieces are at no connected peer and no web seed
	CauseWebSeedLacks     CauseKind = "web-seed-lacks"     // the web seed URL does not have N files, or has them with another length: Err says of the last
	CauseWebSeed          CauseKind = "web-seed"           // the web seed URL fails: Err; asked again at Next, or given up
	CauseNoPeers          CauseKind = "no-peers"           // none is connected: N addresses are known, Of of them are being dialled, another at Next
	CauseClosed           CauseKind = "closed"             // N of Of connections were closed by the other side during the handshake
	CauseNoAnswer         CauseKind = "no-answer"          // N of Of connections came to nothing otherwise: see Stats.Contacts
	CauseTracker          CauseKind = "tracker"            // the tracker URL fails: Err; asked again at Next, or given up
	CauseAsking           CauseKind = "asking"             // the tracker URL has not answered yet
	CauseNoWay            CauseKind = "no-way"             // no tracker is named and there is no DHT: peers have to come by themselves
	CauseNoNodes          CauseKind = "no-nodes"           // no node of the DHT has answered
	CauseUnreached        CauseKind = "unreached"          // we listen at port N, and no peer has connected to it yet
)

var causeKinds = map[obstacle.Kind]CauseKind{
	obstacle.Files: CauseFiles, obstacle.FilesGone: CauseFilesGone, obstacle.Paused: CausePaused, obstacle.Queued: CauseQueued,
	obstacle.Metadata: CauseMetadata, obstacle.MetadataTooLarge: CauseMetadataTooLarge, obstacle.Silent: CauseSilent,
	obstacle.Choked: CauseChoked, obstacle.Lacking: CauseLacking, obstacle.Nobody: CauseNobody, obstacle.WebSeed: CauseWebSeed, obstacle.WebSeedLacks: CauseWebSeedLacks,
	obstacle.NoPeers: CauseNoPeers, obstacle.Closed: CauseClosed, obstacle.NoAnswer: CauseNoAnswer, obstacle.Tracker: CauseTracker,
	obstacle.Asking: CauseAsking, obstacle.NoWay: CauseNoWay, obstacle.NoNodes: CauseNoNodes, obstacle.Unreached: CauseUnreached,
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
