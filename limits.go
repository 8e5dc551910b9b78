package shoal

import (
	"fmt"

	"shoal/internal/engine"
)

// Limits bound how fast bytes move, in bytes a second; 0 means no limit. They are kept to
// the byte over seconds, and shared equally: an engine's among its torrents, a
// torrent's among its peers. Small messages never wait: they are counted afterwards.
type Limits struct {
	Up   int64 // sent to all peers together
	Down int64 // received from all peers together
	// PeerUp and PeerDown hold for every single peer. Those of a torrent hold for its
	// peers instead of the engine's.
	PeerUp, PeerDown int64
}

func (l Limits) check() error {
	if l.Up < 0 || l.Down < 0 || l.PeerUp < 0 || l.PeerDown < 0 {
		return fmt.Errorf("%w: a limit is negative; 0 means none", ErrConfig)
	}
	return nil
}

func (l Limits) inner() engine.Limits { return engine.Limits(l) }

// SetLimits changes the limits of the whole engine, at once. The error is ErrConfig.
func (e *Engine) SetLimits(l Limits) error {
	if err := l.check(); err != nil {
		return err
	}
	e.e.SetLimits(l.inner())
	return nil
}

// SetLimits changes the limits of the torrent, at once. Those of the engine hold besides.
// The error is ErrConfig.
func (t *Torrent) SetLimits(l Limits) error {
	if err := l.check(); err != nil {
		return err
	}
	t.t.SetLimits(l.inner())
	return nil
}
