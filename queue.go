package shoal

import (
	"fmt"

	"shoal/internal/engine"
)

// Queue bounds how many torrents run at the same time; 0 means no bound. Downloads come before
// seeds, and both in the order of the queue. Torrents beyond the bounds are StateQueued: they have
// no peers and cost nothing. Torrents that are checking, stalled or slow do not count against
// Downloads and Seeds.
type Queue struct {
	Downloads int // number of downloads that are not slow
	Seeds     int // number of seeds that are not slow
	Total     int // number of both, slow or not

	// SlowDown and SlowUp are rates in bytes a second. A torrent is slow after a minute below
	// them. Default 2 KiB/s.
	SlowDown, SlowUp float64
}

func (q Queue) check() error {
	if q.Downloads < 0 || q.Seeds < 0 || q.Total < 0 || !(q.SlowDown >= 0) || !(q.SlowUp >= 0) {
		return fmt.Errorf("%w: a bound of the queue is negative: 0 means no bound", ErrConfig)
	}
	return nil
}

func (q Queue) inner() engine.Queue { return engine.Queue(q) }

// SetQueue changes how many torrents run at the same time. The error is ErrConfig.
func (e *Engine) SetQueue(q Queue) error {
	if err := q.check(); err != nil {
		return err
	}
	e.e.SetQueue(q.inner())
	return nil
}

// Queue returns how many torrents run at the same time.
func (e *Engine) Queue() Queue { return Queue(e.e.Queue()) }

// Pause pauses the torrent until Resume. It stays in the engine, checked, and has no peers. With
// Config.Remember the pause is remembered. Partly received pieces are fetched again. A magnet
// stops looking for its metadata. Stop, in contrast, ends the torrent.
func (t *Torrent) Pause() { t.t.Pause() }

// Resume ends a Pause. If as many torrents run as Config.Queue allows, the torrent waits for its
// turn.
func (t *Torrent) Resume() { t.t.Resume() }

// SetForced sets whether the torrent runs whatever Config.Queue says, and does not count there. It
// does not end a Pause.
func (t *Torrent) SetForced(on bool) { t.t.Force(on) }

// Forced reports whether the torrent runs whatever Config.Queue says.
func (t *Torrent) Forced() bool { return t.t.Forced() }

// QueuePosition returns the position in the queue, from 0; -1 when the torrent has ended.
func (t *Torrent) QueuePosition() int { return t.t.Engine().QueuePosition(t.t) }

// SetQueuePosition moves the torrent to a position in the queue: 0 is the front, and a position
// beyond the end means the end.
func (t *Torrent) SetQueuePosition(position int) { t.t.Engine().SetQueuePosition(t.t, position) }

// ShiftQueuePosition moves the torrent back by n positions in the queue, forward if n is
// negative.
func (t *Torrent) ShiftQueuePosition(n int) { t.t.Engine().ShiftQueuePosition(t.t, n) }
