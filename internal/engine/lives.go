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
	asks    mailbox.Life   // ends when announces under way have to: a farewell's time after ctx, or with byes
	conns   sync.WaitGroup // readers and writers of connections
	tasks   sync.WaitGroup // openings, dials, announces, lookups, syncs
	stopped mailbox.Gate   // nothing is left running
	once    sync.Once      // for what ends ctx
}
