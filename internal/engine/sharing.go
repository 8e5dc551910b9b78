package engine

import (
	"sync/atomic"

	"shoal/internal/decide/quota"
)

// sharing holds the share limits of a torrent, and what counts towards them.
//
//shoal:part
type sharing struct {
	machine quota.Seeding               // owned by the loop
	own     atomic.Pointer[ShareLimits] // the torrent's own limits; nil means the engine's
	seeded  atomic.Int64                // time.Duration seeded in all runs
}
