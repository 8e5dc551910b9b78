package engine

import (
	"shoal/internal/net/throttle"
	"shoal/internal/net/uplink"
	"shoal/internal/value/mono"
)

// allLimits limits the transfer rates of all torrents of an engine together.
//
//shoal:part
type allLimits struct {
	up     *throttle.Limiter
	down   *throttle.Limiter
	chosen limits
	watch  *uplink.Watch // of the line that we send over
}

func (l *allLimits) init(now func() mono.Time) {
	l.up, l.down = throttle.NewLimiter(now), throttle.NewLimiter(now)
	l.watch = uplink.New(now, l.up.SetLine)
}
