package engine

import (
	"context"
	"errors"
)

// ErrBusy says that the files are being opened, checked or moved at the moment.
var ErrBusy = errors.New("the files are being checked or moved: try again later")

// change is a wish about the files for which they are closed, and opened anew.
type change struct {
	ctx  context.Context
	done chan error // of capacity one
	// do closes what was open before, does it, and opens the files. It is a task.
	do func(prev *opening, gen int32, leave func())
}

// changeFiles has a change made, and waits for it.
func (t *Torrent) changeFiles(ctx context.Context, make func(*change)) error {
	c := newChange(ctx)
	make(c)
	if !t.post(event{kind: evChange, with: c}) {
		return ErrStopped
	}
	select {
	case err := <-c.done:
		return err
	case <-t.stopped.C():
		select {
		case err := <-c.done:
			return err
		default:
			return ErrStopped
		}
	}
}

func newChange(ctx context.Context) *change {
	return &change{ctx: ctx, done: make(chan error, 1)}
}

// startChange has the files closed and opened anew, with a change in between.
func (t *Torrent) startChange(c *change) {
	if t.cur == nil || t.change != nil || !t.upkeep.Reopen(t.e.now()) {
		c.done <- ErrBusy
		return
	}
	t.change = c
}
