package content

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
	do func(prev *opening, epoch int32, leave func())
}

// changeFiles has a change made, and waits for it.
func (t *Content) changeFiles(ctx context.Context, make func(*change)) error {
	c := newChange(ctx)
	make(c)
	if !t.host.Post(c) {
		return ErrStopped
	}
	select {
	case err := <-c.done:
		return err
	case <-t.over.C():
		select {
		case err := <-c.done:
			return err
		default:
			return ErrStopped
		}
	}
}

func (c *change) refuse(*Content) { c.done <- ErrStopped }

func newChange(ctx context.Context) *change {
	return &change{ctx: ctx, done: make(chan error, 1)}
}

// startChange has the files closed and opened anew, with a change in between.
func (t *Content) startChange(c *change) {
	if t.cur == nil || t.change != nil || !t.upkeep.Reopen(t.now()) {
		c.done <- ErrBusy
		return
	}
	t.change = c
}
