package engine

import (
	"shoal/internal/net/throttle"
	"shoal/internal/value/mono"
)

// allLimits bounds how fast the torrents of an engine together move bytes.
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
