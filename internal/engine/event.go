package engine

import (
	"net/netip"
	"time"
)

// Event is something that a user may want to know at once.
type Event struct {
	Torrent *Torrent
	At      time.Time
	Kind    EventKind
	Piece   int
	Peer    netip.AddrPort
	Text    string
	Err     error
	More    int // number of dropped events of this kind that this one stands for
	Kept    []Kept
}

// EventKind names what happened.
type EventKind uint8

// The kinds.
const (
	EventChecked  EventKind = iota
	EventMetadata           // the metadata of a magnet is here, and its files are being checked
	EventPeerJoined
	EventPeerLeft
	EventPieceVerified
	EventPieceFailed
	EventBanned
	EventWebSeed // a web seed is not used any more; Text says why
	EventFiles   // another program changed the files, or they are damaged; Text says how
	EventKept    // Kept and Text name files of the user that the torrent did not overwrite
	EventSpace   // the volumes have too little free space; Err is a *room.Shortage
	EventStalled // writes fail, or the files are missing; retried automatically; Err says why
	EventResumed // left Stalled, Missing, Paused or Queued
	EventComplete
	EventError
	EventStopped
	EventPaused // paused by the user, or by a share limit
	EventQueued // waits for its turn in the queue
	EventShared // a share limit is reached, and the torrent is paused or removed; Text says which
)
