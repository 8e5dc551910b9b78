package shoal

import (
	"fmt"

	"shoal/internal/engine"
)

// Queue bounds how many torrents run at the same time; 0 bounds nothing. Downloads come
// before seeds, and each in the order of the engine. Those that are one too many wait,
// Queued: they have no peers and cost nothing. Who is checked or held up, and who is slow,
// holds no place.
type Queue struct {
	Downloads int // that are not slow
	Seeds     int // that are not slow
	Total     int // slow or not

	// SlowDown and SlowUp are the rates, in bytes a second, below which a torrent is slow
	// after a minute. Default 2 KiB/s.
	SlowDown, SlowUp float64
}

func (q Queue) check() error {
	if q.Downloads < 0 || q.Seeds < 0 || q.Total < 0 || !(q.SlowDown >= 0) || !(q.SlowUp >= 0) {
		return fmt.Errorf("%w: a bound of the queue is negative; 0 means none", ErrConfig)
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

// Pause has the torrent rest until Resume: it stays in the engine, checked and remembered as
// paused, and has no peers. Pieces that were begun are fetched again. See Stop, which ends
// it.
func (t *Torrent) Pause() { t.t.Pause() }

// Resume ends a Pause. Where as many run as Config.Queue lets, it waits for its turn.
func (t *Torrent) Resume() { t.t.Resume() }

// SetForced has the torrent run whatever Config.Queue says, without counting as one of those
// that run. It does not end a Pause.
func (t *Torrent) SetForced(on bool) { t.t.Force(on) }

// QueuePosition is where the torrent stands in the order of the engine, from 0; -1 when it has
// ended.
func (t *Torrent) QueuePosition() int { return t.t.Engine().Place(t.t) }

// SetQueuePosition puts the torrent at a place in the order of the engine: 0 is the top, and beyond
// the end means there.
func (t *Torrent) SetQueuePosition(place int) { t.t.Engine().MoveTo(t.t, place) }

// ShiftQueuePosition moves the torrent down by a number of places, up if it is negative.
func (t *Torrent) ShiftQueuePosition(places int) { t.t.Engine().MoveBy(t.t, places) }
