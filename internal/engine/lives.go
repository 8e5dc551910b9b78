package engine

import (
	"sync"

	"shoal/internal/mailbox"
)

// lives is how long a torrent runs, and what it waits for when it stops.
//
//shoal:part
type lives struct {
	ctx     mailbox.Life   // ends when the torrent stops
	byes    mailbox.Life   // ends when farewells are cut short
	conns   sync.WaitGroup // readers and writers of connections
	tasks   sync.WaitGroup // dials, lookups and other calls of the loop
	stopped mailbox.Gate   // nothing is left running
	once    sync.Once      // for what ends ctx
}
