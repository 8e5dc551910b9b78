package shoal

import (
	"net/netip"
	"time"
)

// State is what a torrent is doing. Choices and states of this package are strings, whose values
// the command prints with --json (decision 0194).
type State string

// The states, in the order in which a download passes them.
const (
	StateMetadata    State = "metadata"    // we know the info-hash only: see Engine.AddMagnet
	StateChecking    State = "checking"    // we read what is on disk already
	StateDownloading State = "downloading" // wanted pieces are missing
	StateSeeding     State = "seeding"     // every wanted piece is verified; we serve others
	StateIncomplete  State = "incomplete"  // pieces are missing and SeedOnly is set
	StateStalled     State = "stalled"     // the disk fails: Stats.Err says how; we serve what we have, and retry
	StateMissing     State = "missing"     // the files were here and are gone; we look for them again
	StateQueued      State = "queued"      // it waits for its turn: see Config.Queue
	StatePaused      State = "paused"      // until Torrent.Resume
	StateStopped     State = "stopped"     // it has left the engine
	StateFailed      State = "failed"      // it has left the engine; Stats.Err says why
)

// Event is something that happened to a torrent.
type Event struct {
	At    time.Time
	Kind  EventKind
	Piece int            // with EventPieceVerified and EventPieceFailed; else -1
	Peer  netip.AddrPort // with EventPeerJoined, EventPeerLeft and EventBanned
	Text  string         // what happened, for people; printable
	Err   error          // with EventError, EventStalled and EventSpace
	More  int            // number of further events of this kind that it stands for: a listener fell behind, or came late
	Kept  []KeptFile     // with EventKept
}

// KeptFile is a file of the user that a torrent would have overwritten.
type KeptFile struct {
	Path string // of the torrent's file, below Torrent.Dir
	As   string // where the user's file is now, below Torrent.Dir; empty: under its other names (hard links)
}

// EventKind names what happened.
type EventKind string

// The kinds. More may come: ignore those that you do not know.
const (
	EventMetadata      EventKind = "metadata"       // the metadata of a magnet is here; its files are known, and checked next
	EventChecked       EventKind = "checked"        // we have read what was on disk
	EventPeerJoined    EventKind = "peer-joined"    // connected, handshake done
	EventPeerLeft      EventKind = "peer-left"      // disconnected; Text says why
	EventPieceVerified EventKind = "piece-verified" // and written
	EventPieceFailed   EventKind = "piece-failed"   // it did not match its hash
	EventBanned        EventKind = "banned"         // the peer was proven to have sent bad data
	EventWebSeed       EventKind = "web-seed"       // Text: why we do not ask a web seed any more
	EventFiles         EventKind = "files"          // Text: what another program did to the files, or what is wrong with them
	EventKept          EventKind = "kept"           // Text, Kept: files of the user that the torrent would have overwritten
	EventSpace         EventKind = "space"          // Text, Err: a volume has less room than the torrent has to write; Err is a *Shortage
	EventStalled       EventKind = "stalled"        // the disk fails, or the files are missing: Err says how; we retry
	EventResumed       EventKind = "resumed"        // it has left StateStalled, StateMissing, StatePaused or StateQueued
	EventComplete      EventKind = "complete"       // every wanted file is complete, verified and durable
	EventError         EventKind = "error"          // it failed: Err says why
	EventStopped       EventKind = "stopped"        // it has left the engine
	EventPaused        EventKind = "paused"         // it has no peers any more
	EventShared        EventKind = "shared"         // Text: which share limit it reached; it is paused, or removed
	EventQueued        EventKind = "queued"         // others come first; it has no peers any more
)
