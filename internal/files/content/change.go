package content

import (
	"context"
	"errors"
)

// ErrBusy is returned while the files are being opened, checked or moved.
var ErrBusy = errors.New("the files are being checked or moved: try again later")

// change is something that needs the files closed, and opened again afterwards.
type change struct {
	ctx  context.Context
	done chan error // capacity 1
	// do closes the files, makes the change, and opens the files. It is a task.
	do func(prev *session, epoch int32, leave func())
}

// changeFiles makes a change and waits for it.
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
