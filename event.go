package shoal

import (
	"context"
	"iter"
	"net/netip"
	"time"

	"shoal/internal/engine"
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

var states = map[engine.State]State{
	engine.Checking: StateChecking, engine.Downloading: StateDownloading, engine.Seeding: StateSeeding,
	engine.Incomplete: StateIncomplete, engine.Stalled: StateStalled, engine.Missing: StateMissing,
	engine.Stopped: StateStopped, engine.Failed: StateFailed, engine.Metadata: StateMetadata, engine.Queued: StateQueued, engine.Paused: StatePaused,
}

// Events yields what happens from now on, until the torrent ends or ctx ends. A consumer that
// falls far behind loses the oldest events, and Event.More counts them; Stats and Wait are
// always right.
func (t *Torrent) Events(ctx context.Context) iter.Seq[Event] {
	all := eventsOf(ctx, engine.Subscribe(t.t))
	return func(yield func(Event) bool) {
		for _, e := range all {
			if !yield(e) {
				return
			}
		}
	}
}

// Events yields what happens to several torrents of the engine, as Torrent.Events does for one,
// until all of them have ended or ctx ends.
func (e *Engine) Events(ctx context.Context, torrents ...*Torrent) iter.Seq2[*Torrent, Event] {
	var inner []*engine.Torrent
	for _, t := range torrents {
		inner = append(inner, t.t)
	}
	return eventsOf(ctx, engine.Subscribe(inner...))
}

func eventsOf(ctx context.Context, sub *engine.Subscription) iter.Seq2[*Torrent, Event] {
	return func(yield func(*Torrent, Event) bool) {
		defer sub.Close()
		for {
			select {
			case e, ok := <-sub.C:
				if !ok {
					return
				}
				if !yield(handle(e.Torrent), Event{
					At: e.At, Kind: eventKinds[e.Kind], Piece: e.Piece, Peer: e.Peer,
					More: e.More, Text: shown("", e.Text), Err: publicError(e.Err), Kept: usersFiles(e.Kept),
				}) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

var eventKinds = map[engine.EventKind]EventKind{
	engine.EventChecked: EventChecked, engine.EventMetadata: EventMetadata, engine.EventPeerJoined: EventPeerJoined, engine.EventPeerLeft: EventPeerLeft,
	engine.EventPieceVerified: EventPieceVerified, engine.EventPieceFailed: EventPieceFailed,
	engine.EventBanned: EventBanned, engine.EventWebSeed: EventWebSeed, engine.EventFiles: EventFiles, engine.EventKept: EventKept, engine.EventSpace: EventSpace, engine.EventStalled: EventStalled,
	engine.EventResumed: EventResumed, engine.EventComplete: EventComplete, engine.EventError: EventError,
	engine.EventStopped: EventStopped, engine.EventPaused: EventPaused, engine.EventQueued: EventQueued,
	engine.EventShared: EventShared,
}
