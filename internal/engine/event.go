package engine

import (
	"net/netip"
	"time"
)

// Event is something a user may want to know at once.
type Event struct {
	Torrent *Torrent
	At      time.Time
	Kind    EventKind
	Piece   int
	Peer    netip.AddrPort
	Text    string
	Err     error
	More    int // events of the kind that it stands for besides itself
	Kept    []Kept
}

// EventKind names what happened.
type EventKind uint8

// The kinds.
const (
	EventChecked EventKind = iota
	EventPeerJoined
	EventPeerLeft
	EventPieceVerified
	EventPieceFailed
	EventBanned
	EventWebSeed // Text: why a web seed is not asked any more
	EventFiles   // Text: what somebody else did to the files, or what is wrong with them
	EventKept    // Text, Kept: files of the user that the torrent would have written over
	EventSpace   // Text, Err (a *room.Shortage): the volumes have less room than it has to write
	EventHeld    // Err: the files take nothing, or are not there; it is tried again
	EventGoesOn  // what held it up is over
	EventComplete
	EventError
	EventStopped
	EventPaused // by the user
	EventQueued // it waits for its turn
	EventShared // Text: it was shared enough; it is paused, or goes
)
