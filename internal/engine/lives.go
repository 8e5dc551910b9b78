package engine

import (
	"sync"

	"shoal/internal/mailbox"
)

// lives is the lifetime of a torrent, and the goroutines that its shutdown waits for.
//
//shoal:part
type lives struct {
	ctx     mailbox.Life   // ends when the torrent stops
	byes    mailbox.Life   // ends when farewells to trackers are cut short
	conns   sync.WaitGroup // readers and writers of connections
	tasks   sync.WaitGroup // dials, lookups and other calls of the loop
	stopped mailbox.Gate   // open when nothing is left running
	once    sync.Once      // guards the end of ctx
}
