package engine

import (
	"shoal/internal/net/throttle"
	"shoal/internal/value/mono"
)

// allLimits limits the transfer rates of all torrents of an engine together.
//
//shoal:part
type allLimits struct {
	up     *throttle.Limiter
	down   *throttle.Limiter
	chosen limits
}

func (l *allLimits) init(now func() mono.Time) {
	l.up, l.down = throttle.NewLimiter(now), throttle.NewLimiter(now)
}
