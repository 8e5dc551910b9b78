package content

import (
	"context"
	"errors"
)

// ErrBusy says that the files are being opened, checked or moved at the moment.
var ErrBusy = errors.New("the files are being checked or moved: try again later")

// change is something to do with the files for which they are closed, and opened again.
type change struct {
	ctx  context.Context
	done chan error // of capacity one
	// do closes what was open before, does it, and opens the files. It is a task.
	do func(prev *session, epoch int32, leave func())
}

// changeFiles has a change made, and waits for it.
func (c *Content) changeFiles(ctx context.Context, make func(*change)) error {
	ch := newChange(ctx)
	make(ch)
	if !c.host.Post(ch) {
		return ErrStopped
	}
	select {
	case err := <-ch.done:
		return err
	case <-c.over.C():
		select {
		case err := <-ch.done:
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
