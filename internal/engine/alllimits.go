package engine

import (
	"shoal/internal/mailbox"
	"shoal/internal/net/throttle"
	"shoal/internal/net/uplink"
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

func (l *allLimits) init(beats *mailbox.Beats) {
	l.up, l.down = throttle.NewLimiter(beats), throttle.NewLimiter(beats)
	l.watch = uplink.New(beats, l.up.SetLine)
}
