package engine

import (
	"sync/atomic"

	"shoal/internal/decide/lineup"
)

// runState is whether a torrent is to run: what the user wants, and what the queue says.
// What the queue says is written under its mutex.
//
//shoal:part
type runState struct {
	paused  atomic.Bool   // by the user
	goesOn  atomic.Bool   // the user has ended a pause, and share does not know it yet
	force   atomic.Bool   // it runs whatever the queue says
	waits   atomic.Bool   // for its turn in the queue
	turnWhy atomic.Uint32 // reason of the latest turn
	wanted  atomic.Uint32 // a lineup.Want, last sent to the queue
	place   lineup.Key
}

func (r *runState) queuedAs(key lineup.Key) { r.place = key }
