package content

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"shoal/internal/decide/filestate"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/plural"
)

// This file verifies a running torrent; verify.go verifies one that does not run. It reads the open
// session from any goroutine, and reports what is wrong to the loop.

// Verify hashes the torrent's pieces again, on all cores, while it is shared, and looks whether other
// programs have changed or removed files. When Verify returns, nothing wrong is served or claimed any
// more, and it is fetched again. When ctx ends, that holds for what was checked. progress, if not nil,
// is called with the number of pieces done, one call at a time.
func (c *Content) Verify(ctx context.Context, progress func(done, total int)) (*Verified, error) {
	o, err := c.opened()
	if err != nil {
		return nil, err
	}
	out := &Verified{Dir: c.Dir(), Good: bitfield.New(c.geom.Pieces), Looked: bitfield.New(c.geom.Pieces)}
	for i := range c.info.Files {
		out.Paths = append(out.Paths, "")
		if !c.info.Files[i].Pad {
			out.Paths[i] = c.Path(i)
		}
	}
	if o.guard != nil {
		changed, missing, err := o.guard.Look(ctx)
		if err != nil {
			return out, err
		}
		if len(changed)+len(missing) > 0 {
			// They are compared with the notes, and hashed, as at a start.
			if err := c.openAgain(ctx, nil); err != nil {
				return out, err
			}
			if o, err = c.opened(); err != nil {
				return out, err
			}
		}
	}
	todo := c.verified.clone()
	for p := range todo.Len() {
		if !todo.Has(p) {
			out.Looked.Set(p) // we know that it is missing
		}
	}
	wrong, err := c.hash(ctx, o, todo, out, progress)
	if len(wrong) > 0 {
		out.Withdrawn = len(wrong)
		c.say(fmt.Sprintf("pieces that do not match any more, and are fetched again: %s, in %s", plural.Group(len(wrong)), c.filesOf(wrong)))
		// Whatever ends the check, what is wrong is not served.
		if rerr := c.openAgain(context.WithoutCancel(ctx), wrong); err == nil {
			err = rerr
		}
	}
	if o.files != nil {
		if out.States, err = c.states(err); err != nil {
			return out, err
		}
	}
	return out, err
}

// hash hashes pieces of a session, and returns the wrong ones.
func (c *Content) hash(ctx context.Context, o *session, todo *bitfield.Bitfield, out *Verified, progress func(done, total int)) (wrong []uint32, err error) {
	done := c.shared.longCheck(ctx, int64(todo.Count())*int64(c.geom.PieceLength), func() {})
	defer done()
	total := int(todo.Count())
	var mu sync.Mutex
	_, err = o.disk.CheckPieces(ctx, todo, nil, func(p uint32, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		out.Hashed++
		out.Looked.Set(p)
		if ok {
			out.Good.Set(p)
		} else if c.verified.has(p) { // otherwise it was lost meanwhile, and that is known
			wrong = append(wrong, p)
		}
		if progress != nil {
			progress(out.Hashed, total)
		}
	})
	slices.Sort(wrong)
	return wrong, err
}

// filesOf names the files that contain pieces, as many as fit on a line.
func (c *Content) filesOf(pieces []uint32) string {
	const shown = 3
	text, n := "", 0
	size := int64(c.geom.PieceLength)
	for i := range c.info.Files {
		f := &c.info.Files[i]
		touched := !f.Pad && f.Length > 0 && slices.ContainsFunc(pieces, func(p uint32) bool {
			return int64(p)*size < f.Offset+f.Length && f.Offset < int64(p+1)*size
		})
		if !touched {
			continue
		}
		if n++; n <= shown {
			if text != "" {
				text += ", "
			}
			text += c.Path(i)
		}
	}
	if n > shown {
		text += fmt.Sprintf(" and %d more", n-shown)
	}
	return text
}

// whatOpen is the current session, or why there is none.
type whatOpen struct {
	o   *session
	err error
}

// question asks the loop which session is current.
type question struct{ answer chan whatOpen }

func (*question) refuse(*Content) {}

// whatIsOpen answers a question.
func (c *Content) whatIsOpen() whatOpen {
	switch s := c.machine.State(); {
	case c.cur != nil:
		return whatOpen{o: c.cur}
	case c.cause != nil && (s == filestate.Stalled || s == filestate.Missing):
		return whatOpen{err: c.cause}
	}
	return whatOpen{err: ErrBusy}
}

// opened returns the current session.
func (c *Content) opened() (*session, error) {
	q := &question{make(chan whatOpen, 1)}
	if !c.host.Post(q) {
		return nil, ErrStopped
	}
	select {
	case a := <-q.answer:
		return a.o, a.err
	case <-c.over.C():
		return nil, ErrStopped
	}
}

// openAgain opens the files again, with pieces in doubt whatever the files look like.
func (c *Content) openAgain(ctx context.Context, doubts []uint32) error {
	return c.changeFiles(ctx, func(ch *change) {
		ch.do = func(prev *session, epoch int32, leave func()) {
			c.reopen(prev, doubts, epoch, leave)
			ch.done <- nil
		}
	})
}

// states looks up the states of the files, unless something has failed.
func (c *Content) states(err error) ([]storage.FileState, error) {
	if err != nil {
		return nil, err
	}
	o, err := c.opened()
	if err != nil {
		return nil, err
	}
	return o.files.State()
}

// clone returns a copy of the set; an empty one while we do not know what is on disk.
func (h *verified) clone() *bitfield.Bitfield {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pieces.Clone()
}
