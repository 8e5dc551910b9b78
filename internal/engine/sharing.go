package engine

import (
	"sync/atomic"

	"shoal/internal/decide/share"
)

// sharing is whether a torrent has been shared enough.
//
//shoal:part
type sharing struct {
	machine share.Machine         // the loop owns it
	own     atomic.Pointer[Share] // nil: the engine's limits hold
	seeded  atomic.Int64          // a duration, in all runs
}
