package engine

import (
	"sync/atomic"

	"shoal/internal/decide/quota"
)

// runState says whether a torrent runs, by the user's wish and the queue's decision, and in which
// order it fetches. The queue writes its fields under its mutex.
//
//shoal:part
type runState struct {
	paused   atomic.Bool   // user: paused
	resumed  atomic.Bool   // user: ended a pause, and sharing does not know yet
	force    atomic.Bool   // user: bypasses the queue
	inOrder  atomic.Bool   // user: requests pieces in order
	waits    atomic.Bool   // queue: waits for its turn
	turnWhy  atomic.Uint32 // queue: reason of the latest turn
	wanted   atomic.Uint32 // queue: the quota.Want that the torrent last sent
	queueKey quota.Key     // queue: key of the torrent; 0 before it is added
}

func (r *runState) queuedAs(key quota.Key) { r.queueKey = key }
